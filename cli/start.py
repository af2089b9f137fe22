"""How a command starts: settings, logs, progress, cancellation, the name of the person."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.log import start_logging
from bo_engine.settings import Settings, load_settings
from bo_engine.units import Wallet, parse_typed_wallet

if TYPE_CHECKING:
    from services.running.cancel import Stop

# A deploy or the machine's own end, Ctrl-C, a terminal that was closed.
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def loaded_settings() -> Settings:
    """Settings of this process; logs know its secrets from here on."""
    settings = load_settings(os.environ)
    start_logging(settings.secrets(), verbose=not sys.stderr.isatty())
    return settings


@contextmanager
def watched() -> Iterator[tuple[Callable[[str], None], "Stop"]]:
    """Where a command's progress goes, and its cancellation by a signal."""
    with _stoppable() as cancel, _story() as report:
        yield report, cancel


@contextmanager
def _stoppable() -> Iterator["Stop"]:
    """Signals that end a process ask the work to end instead. One that the process was started to ignore (nohup, a job
    in the background) stays ignored."""
    from services.running.cancel import Stop

    stop = Stop()

    def ask(number: int, frame: Any) -> None:
        if sys.stderr.isatty():
            with suppress(OSError):
                os.write(2, b"\nstops at the next safe point; once more ends it at once, which is safe too\n")
        stop.ask(signal.Signals(number).name)

    heard = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_wallet(text: str) -> Wallet:
    """The wallet of a flag; mixed case must be a right checksum. Raises: UsageError ``bad_wallet``."""
    try:
        return parse_typed_wallet(text)
    except InvalidInput as error:
        raise UsageError(error.code, f"--wallet: {error.message}") from None


def ask_by_name(by: str | None) -> str:
    """The person's name for the audit log. Raises: UsageError ``missing_name``."""
    name = " ".join((by or "").split())
    if not name or len(name) > 80 or not name.isprintable():
        raise UsageError("missing_name", "say who you are with --by NAME (up to 80 printable characters)")
    return name


@contextmanager
def _story() -> Iterator[Callable[[str], None]]:
    """Where the engine tells what it does: a moving bar for a person who watches; cron gets the log lines."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.start()
    try:
        task = progress.add_task("connecting", total=None)
        yield lambda text: progress.update(task, description=text)
    finally:
        # A terminal that was closed meanwhile must not hide how the work ended.
        with suppress(OSError):
            progress.stop()
