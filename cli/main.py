"""`bo-engine`: the map of all commands, and the one place where an error becomes a line and an exit code."""

import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.exceptions import TyperException

from bo_engine.errors import EXIT_FAILED, EXIT_LATER, EXIT_USAGE, EngineError, InvariantBroken
from bo_engine.log import JsonLines
from bo_engine.settings import load_settings
from cli import artifacts, database, jobs, looking, settling, verifying
from cli.output import print_facts, print_json

_TYPER_INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    name="bo-engine",
    help="Back-office engine of a daily on-chain lottery: settles each day, commits two Merkle roots, leaves every "
    "winner a proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
settling.register(app)
jobs.register(app)
looking.register(app)
verifying.register(app)
app.add_typer(artifacts.app, name="artifacts", rich_help_panel="Files and database")
app.add_typer(database.app, name="db", rich_help_panel="Files and database")


def add_plugins() -> None:
    """Add the commands that installed packages offer under the entry-point group ``bo_engine.commands``."""
    for entry in sorted(entry_points(group="bo_engine.commands"), key=lambda found: found.name):
        command = entry.load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=entry.name, rich_help_panel="Local world")
        else:
            app.command(name=entry.name, rich_help_panel="Local world")(command)


def main() -> NoReturn:
    """Run one command. Exit codes: 0 done, 1 failed or HALTED, 2 usage or settings, 75 try again later."""
    try:
        add_plugins()
        code = app(standalone_mode=False)
    except EngineError as error:
        sys.exit(_report(error))
    except TyperException as error:
        # Without any argument the message is empty and the help stands on the screen already.
        if said := error.format_message():
            _say("usage", f"{said} (see --help)", EXIT_USAGE)
        sys.exit(EXIT_USAGE)
    except (typer.Abort, KeyboardInterrupt):
        code = _TYPER_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except Exception as error:
        sys.exit(_report_unexpected(error))
    if code == _TYPER_INTERRUPTED:
        code = _say("interrupted", "nothing is half done; run the command again", EXIT_LATER)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: EngineError) -> int:
    if "--json" not in sys.argv:
        for document in error.done_before:
            print_facts(f"Day {document['day_id']}", {name: document[name] for name in ("status", "run_hash")})
    findings = error.findings if isinstance(error, InvariantBroken) else ()
    return _say(error.code, error.message, error.exit_code, findings=findings, days=error.done_before)


def _say(
    code: str, message: str, exit_code: int, *, findings: Sequence[str] = (), days: Sequence[dict[str, Any]] = ()
) -> int:
    """One line on stderr, its findings below it; with --json one object on stdout as well. Returns the exit code."""
    message, *findings = (_one_line(_blotted(text)) for text in (message, *findings))
    sys.stderr.write("\n".join((f"bo-engine: {code}: {message}", *(f"  - {text}" for text in findings))) + "\n")
    if "--json" in sys.argv:
        answer = {"error": code, "message": message, "findings": findings, "exit_code": exit_code}
        print_json({**answer, "days": days} if days else answer)
    return exit_code


def _report_unexpected(error: Exception) -> int:
    """No traceback reaches an operator: it goes to a file, blotted, and the line names the file."""
    record = logging.LogRecord("bo", logging.ERROR, "", 0, "unexpected_error", None, (type(error), error, None))
    record.exc_info = (type(error), error, error.__traceback__)
    line = JsonLines(_secrets()).format(record)
    path = _logs_dir() / "unexpected.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line + "\n")
        where = f"details are in {path}"
    except OSError:
        where = "no details could be written"
    return _say("unexpected_error", f"{type(error).__name__}, a bug of the engine; {where}", EXIT_FAILED)


def _secrets() -> tuple[str, ...]:
    try:
        return load_settings(os.environ).secrets()
    except EngineError:
        return ()


def _logs_dir() -> Path:
    try:
        return load_settings(os.environ).logs_dir
    except EngineError:
        return Path("logs")


def _blotted(text: str) -> str:
    return JsonLines(_secrets()).blot(text)


def _one_line(text: str) -> str:
    # Quoted as JSON would, so that a hostile name cannot start a line or colour a terminal.
    return json.dumps(" ".join(text.split()), ensure_ascii=False)[1:-1].replace('\\"', '"')


if __name__ == "__main__":
    main()
