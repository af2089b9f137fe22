"""Commands as processes that a test may kill: cold ones, which share nothing with the test."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.played_world import PlayedWorld

_WAIT_S = 60.0


def hear_signals() -> None:
    """In a child before it becomes the command: what nohup or a job in the background ignores is heard again."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def started(played: PlayedWorld, *arguments: str, **changed: str) -> Iterator["subprocess.Popen[str]"]:
    """The command line, left running; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        env=played.command_env(**changed),
        cwd=played.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_signals,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def killed_at(played: PlayedWorld, place: str, *arguments: str, **changed: str) -> None:
    """Run a command that kills itself at a place of ``killed_places``; it must get there."""
    done = played.cli(*arguments, killed_at=place, **changed)
    assert done.code == -signal.SIGKILL, (place, done)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that a process does. Fails after a minute."""
    deadline = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)
