"""Runs the command line with no more memory than it holds when the day's computing begins (RLIMIT_AS).

    python -m tests.support.starved work settle --json

``work``: what fills the memory is the work's own data, as in a day that is too large. ``process``: it is not, and
stays when the work is broken off.
"""

import resource
import sys
from pathlib import Path
from typing import Any

_PIECES = (1 << 20, 1 << 16, 1 << 12, 1 << 9)
_kept: list[Any] = []


def main() -> None:
    """Become the engine."""
    from cli.main import main as context
    from services.lottery.settlement import settle_days

    whose = sys.argv[1]
    real = settle_days._WORK["compute"]

    def starved(*arguments: Any) -> Any:
        # Held by this frame, which is one of the work's.
        ballast = _filled()
        if whose == "process":
            _kept.append(ballast)
        return real(*arguments)

    settle_days._WORK["compute"] = starved
    sys.argv = ["bo-engine", *sys.argv[2:]]
    context()


def _filled() -> list[bytes]:
    """All the memory that is left, after no more is to be had from the system."""
    ballast: list[bytes] = []
    _kept.append([])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), hard))
    for size in _PIECES:
        try:
            while True:
                ballast.append(bytes(size))
        except MemoryError:
            continue
    return ballast


if __name__ == "__main__":
    main()
