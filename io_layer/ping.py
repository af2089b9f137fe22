"""Tells a monitor outside that a job has started, succeeded or failed, so that silence is noticed (healthchecks style).

Whatever the monitor does, the job never waits for it longer than a moment, and never fails because of it.
"""

import threading
import time
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from bo_engine.log import get_logger

START: Final = "/start"
SUCCESS: Final = ""
FAIL: Final = "/fail"
_TIMEOUT_S: Final = 3
_LOG = get_logger("ping")


class Pinger:
    """The pings of one run, each on a thread of its own, in order. Without a URL nothing is told."""

    def __init__(self, url: str | None, job: str) -> None:
        self._url = None if url is None else url.replace("{job}", job)
        self._job = job
        self._last: threading.Thread | None = None

    def tell(self, event: str) -> None:
        """Say START, SUCCESS or FAIL, without waiting for the answer."""
        if self._url is None:
            return
        parts = urlsplit(self._url)
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + event))
        # A daemon: a server that trickles its answer for ever does not keep the process alive.
        thread = threading.Thread(target=self._send, args=(url, self._last), daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # a host that is full starts no thread any more
            _LOG.warning("ping_failed", extra={"job": self._job, "reason": type(error).__name__})
        else:
            self._last = thread

    def finish(self) -> None:
        """Wait until all is told, but not for long."""
        if self._last is not None:
            self._last.join(2 * _TIMEOUT_S)
            if self._last.is_alive():
                _LOG.warning("ping_failed", extra={"job": self._job, "reason": "no answer in time"})

    def _send(self, url: str, before: threading.Thread | None) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        if before is not None:
            before.join(_TIMEOUT_S)
        try:
            # Imported here, beside the work that has begun: a job without a monitor need not pay for it.
            import requests

            with requests.get(
                url, timeout=max(deadline - time.monotonic(), 1), allow_redirects=False, stream=True
            ) as answer:
                if answer.status_code >= requests.codes.multiple_choices:
                    _LOG.warning("ping_failed", extra={"job": self._job, "reason": f"HTTP {answer.status_code}"})
        except Exception as error:
            # Whatever it is: Python would print it with its words, which repeat the whole address, a secret.
            _LOG.warning("ping_failed", extra={"job": self._job, "reason": type(error).__name__})
