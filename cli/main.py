"""`bo-engine`: the map of all commands, and the one place where an error becomes a line and an exit code."""

import json
import logging
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from bo_engine.errors import EXIT_FAILED, EXIT_LATER, EXIT_USAGE, EngineError, InvariantBroken
from bo_engine.log import JsonLines
from cli import artifacts, database, jobs, looking, settling

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
    add_plugins()
    try:
        code = app(standalone_mode=False)
    except EngineError as error:
        sys.exit(_report(error))
    except TyperException as error:
        # Without any argument the message is empty and the help stands on the screen already.
        if error.message:
            sys.stderr.write(f"bo-engine: usage: {_one_line(error.format_message())} (see --help)\n")
        sys.exit(EXIT_USAGE)
    except (typer.Abort, KeyboardInterrupt):
        code = _TYPER_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except Exception as error:
        sys.exit(_report_unexpected(error))
    if code == _TYPER_INTERRUPTED:
        sys.stderr.write("bo-engine: interrupted: nothing is half done; run the command again\n")
        code = EXIT_LATER
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: EngineError) -> int:
    sys.stderr.write(f"bo-engine: {error.code}: {_one_line(_blotted(error.message))}\n")
    if isinstance(error, InvariantBroken):
        for finding in error.findings:
            sys.stderr.write(f"  - {_one_line(_blotted(finding))}\n")
    return error.exit_code


def _report_unexpected(error: Exception) -> int:
    """No traceback reaches an operator: it goes to a file, blotted, and the line names the file."""
    record = logging.LogRecord("bo", logging.ERROR, "", 0, "unexpected_error", None, (type(error), error, None))
    record.exc_info = (type(error), error, error.__traceback__)
    line = JsonLines(_secrets()).format(record)
    path = Path(os.environ.get("LOGS_DIR") or "logs") / "unexpected.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line + "\n")
        where = f"details are in {path}"
    except OSError:
        where = "no details could be written"
    sys.stderr.write(f"bo-engine: unexpected_error: {type(error).__name__}, a bug of the engine; {where}\n")
    return EXIT_FAILED


def _secrets() -> tuple[str, ...]:
    from bo_engine.settings import load_settings

    try:
        return load_settings(os.environ).secrets()
    except EngineError:
        return ()


def _blotted(text: str) -> str:
    return JsonLines(_secrets()).blot(text)


def _one_line(text: str) -> str:
    # Quoted as JSON would, so that a hostile name cannot start a line or colour a terminal.
    return json.dumps(" ".join(text.split()), ensure_ascii=False)[1:-1].replace('\\"', '"')


if __name__ == "__main__":
    main()
