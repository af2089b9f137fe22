"""How a command starts: settings, logs, the engine's connections, the name of the person."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.log import start_logging
from bo_engine.settings import Settings, load_settings
from bo_engine.units import Wallet, parse_typed_wallet

if TYPE_CHECKING:
    from services.engine import Engine


def loaded_settings() -> Settings:
    """Settings of this process; logs know its secrets from here on."""
    settings = load_settings(os.environ)
    start_logging(settings.secrets(), verbose=not sys.stderr.isatty())
    return settings


@contextmanager
def opened_engine() -> Iterator["Engine"]:
    """The engine with its database and chain, closed at the end."""
    from services.engine import open_engine

    settings = loaded_settings()
    with _story() as tell, open_engine(settings, tell=tell) as engine:
        yield engine


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
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("connecting", total=None)
        yield lambda text: progress.update(task, description=text)
