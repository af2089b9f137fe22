"""Logs: one event name plus facts, as JSON lines on stderr, with every known secret blotted out at the sink."""

import json
import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

from bo_engine.redaction import blot, each_text, know_secrets

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON line: time (UTC, ISO 8601), level, event, then the facts given in ``extra``.

    JSON escapes control characters, so a hostile name cannot break out of its line.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _OWN}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # Before JSON escapes them too: a password with a quotation mark in it reads otherwise afterwards.
        return blot(json.dumps(each_text(line, blot), default=lambda odd: blot(str(odd)), ensure_ascii=True))


class _Sink(logging.StreamHandler[TextIO]):
    """A line that cannot be written is lost, and says so if it can: a log must never stop what it tells of, nor put a
    trace where people read."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        with suppress(Exception):
            self.stream.write(json.dumps({"level": "error", "event": "log_line_lost"}) + "\n")
            self.flush()


def start_logging(secrets: Iterable[str], *, stream: TextIO | None = None, verbose: bool = False) -> None:
    """Send all logs of the process to ``stream`` (default stderr) as JSON lines without these secrets."""
    know_secrets(secrets)
    handler = _Sink(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bo").setLevel(logging.INFO if verbose else logging.WARNING)


def get_logger(name: str) -> logging.Logger:
    """The engine's logger of that name; all of them hang below ``bo``."""
    return logging.getLogger(f"bo.{name}")
