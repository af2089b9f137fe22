"""Logs: one event name plus facts, as JSON lines on stderr, with every known secret blotted out at the sink."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO
from urllib.parse import parse_qsl, unquote, urlsplit

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON line: time (UTC, ISO 8601), level, event, then the facts given in ``extra``.

    JSON escapes control characters, so a hostile name cannot break out of its line.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._blots = sorted({part for secret in secrets for part in _parts_of(secret)}, key=len, reverse=True)

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
        return self.blot(json.dumps(line, default=str, ensure_ascii=True))

    def blot(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._blots:
            text = text.replace(secret, "***")
        return text


def _parts_of(secret: str) -> list[str]:
    # A key leaks without its 0x as well; a URL by its password, raw or decoded. The path of a database's URL is only a
    # name, that of an RPC endpoint is often the key itself, whole or as one of its parts.
    parts = [secret, secret.removeprefix("0x")]
    if "://" in secret:
        try:
            url = urlsplit(secret)
        except ValueError:
            # No URL that Python can read; whatever stands between its marks may be the secret.
            return [part for part in (*parts, *re.split(r"[/@:?&=#\[\]]", secret)) if len(part) >= 6]
        parts += [
            url.query,
            *(value for _, value in parse_qsl(url.query)),
            url.password or "",
            unquote(url.password or ""),
        ]
        if url.scheme in ("http", "https"):
            parts += [url.path, *url.path.split("/"), url.username or ""]
    return [part for part in parts if len(part) >= 8]


class _Sink(logging.StreamHandler[TextIO]):
    """A line that cannot be written is lost, and says so if it can: a log must never stop what it tells of, nor put a
    trace where people read."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        with suppress(Exception):
            self.stream.write(json.dumps({"level": "error", "event": "log_line_lost"}) + "\n")
            self.flush()


def start_logging(secrets: Iterable[str], *, stream: TextIO | None = None, verbose: bool = False) -> None:
    """Send all logs of the process to ``stream`` (default stderr) as JSON lines."""
    handler = _Sink(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bo").setLevel(logging.INFO if verbose else logging.WARNING)


def get_logger(name: str) -> logging.Logger:
    """The engine's logger of that name; all of them hang below ``bo``."""
    return logging.getLogger(f"bo.{name}")
