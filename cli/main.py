"""`bo-engine`: the map of all commands, and the one place where an error becomes a line and an exit code."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.exceptions import TyperException

from bo_engine.backends import MissingLibrary
from bo_engine.errors import EXIT_FAILED, EXIT_USAGE, INTERRUPTED, OUT_OF_MEMORY, EngineError, InvariantBroken
from bo_engine.keccak import check_keccak
from bo_engine.log import JsonLines
from bo_engine.redaction import blot, know_secrets, plain
from bo_engine.settings import load_settings
from cli import cron, database, jobs, keys, transactions
from cli.lottery import artifacts, contracts, looking, office, rebuilding, settling, verifying
from cli.lottery.start import lottery_wording, opened_lottery
from cli.output import print_facts, print_json
from cli.streams import patient_streams

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
rebuilding.register(database.app)
office.register(keys.app)
app.add_typer(cron.app, name="cron", rich_help_panel="Jobs")
app.add_typer(artifacts.app, name="artifacts", rich_help_panel="Files and database")
app.add_typer(database.app, name="db", rich_help_panel="Files and database")
app.add_typer(contracts.app, name="contracts", rich_help_panel="Contracts")
app.add_typer(transactions.commands(opened_lottery, lottery_wording), name="tx", rich_help_panel="Key and transactions")
app.add_typer(keys.app, name="key", rich_help_panel="Key and transactions")


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
    with patient_streams() as out:
        code = _run()
        out.flush()
        if out.is_lost:
            # What the command did is done; only the answer did not arrive, and a script must not take that for one.
            reason = out.error.strerror if out.error else ""
            _say("output_lost", f"the command ended with {code}, but its result could not be written: {reason}", code)
            code = code or EXIT_FAILED
    sys.exit(code)


def _run() -> int:
    try:
        with suppress(EngineError):
            load_settings(os.environ)  # so that every sink knows the secrets before anything can fail
        # A key typed where none belongs is refused, and the refusal must not repeat it.
        if sys.argv[1:2] == ["key"]:
            know_secrets(text for text in sys.argv if re.search("[0-9a-fA-F]{64}", text))
        # Every command hashes: addresses have checksums. BLS is checked where the engine is opened.
        check_keccak()
        add_plugins()
        code = app(standalone_mode=False)
    except EngineError as error:
        return _report(error)
    except (MissingLibrary, ModuleNotFoundError) as error:
        return _say("missing_library", f"{error}; install the pinned packages (`make setup`)", EXIT_FAILED)
    except TyperException as error:
        # Without any argument the message is empty and the help stands on the screen already.
        if said := error.format_message():
            _say("usage", f"{said} (see --help)", EXIT_USAGE)
        return EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = _TYPER_INTERRUPTED
    except MemoryError:
        return _say(*OUT_OF_MEMORY)
    except Exception as error:
        return _report_unexpected(error)
    if code == _TYPER_INTERRUPTED:
        return _say(*INTERRUPTED)
    return code if isinstance(code, int) else 0


def _report(error: EngineError) -> int:
    if "--json" not in sys.argv:
        with suppress(Exception):
            for document in error.done_before:
                print_facts(f"Day {document['day_id']}", {name: document[name] for name in ("status", "run_hash")})
    findings = error.findings if isinstance(error, InvariantBroken) else ()
    return _say(error.code, error.message, error.exit_code, findings=findings, days=error.done_before)


def _say(
    code: str, message: str, exit_code: int, *, findings: Sequence[str] = (), days: Sequence[dict[str, Any]] = ()
) -> int:
    """One line on stderr, its findings below it; with --json one object on stdout as well. Returns the exit code."""
    try:
        message, *findings = (_one_line(text) for text in (message, *findings))
    except Exception:
        # Better without its words than with a secret in them.
        message, findings = "no details could be told", ()
    # A line that cannot be written (a full disk, a closed terminal, no memory left) changes no exit code.
    with suppress(Exception):
        sys.stderr.write("\n".join((f"bo-engine: {code}: {message}", *(f"  - {text}" for text in findings))) + "\n")
        sys.stderr.flush()
    if "--json" in sys.argv:
        with suppress(Exception):
            answer = {"error": code, "message": message, "findings": findings, "exit_code": exit_code}
            print_json({**answer, "days": days} if days else answer)
            sys.stdout.flush()
    return exit_code


def _report_unexpected(error: Exception) -> int:
    """No traceback reaches an operator: it goes to a file, blotted, and the line names the file."""
    try:
        record = logging.LogRecord("bo", logging.ERROR, "", 0, "unexpected_error", None, (type(error), error, None))
        record.exc_info = (type(error), error, error.__traceback__)
        line = JsonLines().format(record)
        # Named as the logs of jobs are: `prune` removes it in time.
        path = _logs_dir() / "engine" / f"unexpected-{datetime.fromtimestamp(record.created, UTC):%Y-%m-%d}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line + "\n")
        where = f"details are in {path}"
    except Exception:
        # Whatever keeps the trace from being written, the operator is told of the first error.
        where = "no details could be written"
    return _say("unexpected_error", f"{type(error).__name__}, a bug of the engine; {where}", EXIT_FAILED)


def _logs_dir() -> Path:
    try:
        return load_settings(os.environ).logs_dir
    except EngineError:
        return Path("logs")


def _one_line(text: str) -> str:
    # A hostile name must not start a line, colour a terminal or turn its writing direction.
    return plain(" ".join(blot(text).split()))


if __name__ == "__main__":
    main()
