"""The wish that a run should end (SIGTERM at a deploy, Ctrl-C), and the places where it is heard."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bo_engine.errors import Stopped

#: How often a wait looks whether it is over.
POLL_S: Final = 0.25
_ONE_WISH_S: Final = 1.0


class Stop:
    """Hears the wish once and lets the run go on to its next safe point; a second wish ends it where it stands.

    While nothing is under way (outside ``working``) the first wish ends it at once. What a signal handler calls takes
    no lock: the code that it interrupts may hold one.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._asked_by: str | None = None
        self._asked_at_s = clock_s()
        self._working = 0
        self._finishing = 0

    def ask(self, name: str) -> None:
        """The wish, from a signal handler. Raises: KeyboardInterrupt for a second one, or when nothing is under way."""
        now_s = self._clock_s()
        # One wish may come as two signals: `timeout` and systemd send the child's and its group's, or SIGHUP beside.
        is_first = self._asked_by is None or now_s - self._asked_at_s < _ONE_WISH_S
        if self._asked_by is None:
            self._asked_by, self._asked_at_s = name, now_s
        if not (is_first and self._working):
            # Not our own error: the database driver takes this one as the order to cancel its statement.
            raise KeyboardInterrupt

    @property
    def is_heard(self) -> bool:
        """Whether this is a place where a run may end."""
        return not self._finishing

    def check(self) -> None:
        """A safe point: between two transactions. Raises: Stopped ``stopped``."""
        if self._asked_by is not None and not self._finishing:
            raise Stopped(
                "stopped", f"{self._asked_by} asked this run to end; nothing is half done, the next run goes on"
            )

    def wait(self, wait_s: float) -> None:
        """Wait, but end the wait soon after the wish. Raises: Stopped."""
        deadline = time.monotonic() + wait_s
        self.check()
        while (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(left_s, POLL_S))
            self.check()

    @contextmanager
    def working(self) -> Iterator[None]:
        """A job is under way: it ends at its own safe points."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """What begins in here goes to its end before the wish is heard."""
        self._finishing += 1
        try:
            yield
        finally:
            self._finishing -= 1
