"""A circuit breaker: an endpoint that fails again and again is left alone for a while, so that a run ends soon and says
why, and the endpoint is not hammered while it recovers. One per endpoint and process; it knows no network."""

from collections.abc import Callable
from typing import Final

FAILURES_TO_OPEN: Final = 6  # two calls with all their tries
COOL_DOWN_S: Final = 30.0


class Circuit:
    """Closed: the endpoint is asked. Open: it is not. Cooled down: it is probed before it is asked again."""

    def __init__(
        self, clock_s: Callable[[], float], *, failures: int = FAILURES_TO_OPEN, cool_down_s: float = COOL_DOWN_S
    ) -> None:
        self._clock_s = clock_s
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._failures = 0
        self._opens_until_s: float | None = None

    @property
    def open_for_s(self) -> float:
        """Seconds for which the endpoint is not asked; 0 when it may be."""
        return 0.0 if self._opens_until_s is None else max(self._opens_until_s - self._clock_s(), 0.0)

    @property
    def wants_probe(self) -> bool:
        """Whether it was open and has cooled down."""
        return self._opens_until_s is not None and not self.open_for_s

    def failed(self) -> None:
        """An answer was of no use. A failed probe opens at once, because only success forgets the failures."""
        self._failures += 1
        if self._failures >= self._limit:
            self._opens_until_s = self._clock_s() + self._cool_down_s

    def succeeded(self) -> None:
        """The endpoint has answered, be it with a refusal that it understood."""
        self._failures = 0
        self._opens_until_s = None
