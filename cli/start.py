"""How a command starts: settings, logs, the engine's connections, the name of the person."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bo_engine.errors import UsageError
from bo_engine.log import start_logging
from bo_engine.settings import Settings, load_settings

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
    with open_engine(settings, tell=_tell) as engine:
        yield engine


def ask_by_name(by: str | None) -> str:
    """The person's name for the audit log. Raises: UsageError ``missing_name``."""
    name = " ".join((by or "").split())
    if not name or len(name) > 80 or not name.isprintable():
        raise UsageError("missing_name", "say who you are with --by NAME (up to 80 printable characters)")
    return name


def _tell(text: str) -> None:
    # The story is for a person who watches; cron gets the log lines.
    if sys.stderr.isatty():
        sys.stderr.write(text + "\n")
