"""Starts processes that outlive a call, and ends exactly those: a process is its pid *and* its start time."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import Unavailable
from local_world import guard


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that a process runs under."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Started:
    """A process that we started. A pid alone may meanwhile belong to somebody else."""

    name: str
    pid: int
    started: str  # as the kernel counts it; only compared, never computed with
    stop_signal: int = signal.SIGTERM

    @property
    def key(self) -> str:
        """Names the process for good."""
        return f"{self.pid}@{self.started}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class _Children:
    """The children of this very process: they must be reaped, or they stay behind as zombies."""

    def __init__(self) -> None:
        self._by_key: dict[str, subprocess.Popen[bytes]] = {}

    def add(self, process: Started, child: "subprocess.Popen[bytes]") -> None:
        self._by_key[process.key] = child

    def reap(self, process: Started) -> None:
        """Take its exit status if it is ours and has ended."""
        child = self._by_key.get(process.key)
        if child is not None:
            child.poll()

    def forget(self, process: Started) -> None:
        self._by_key.pop(process.key, None)


_CHILDREN: Final = _Children()  # one: the kernel keeps one set of children for a process


def start(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Started:
    """Start a process in a session of its own, so that a Ctrl-C in the terminal does not reach it.

    It ends when ours ends, unless ``let_live`` is called.
    """
    with log.open("ab") as sink:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd="/",
            env=dict(env) if env is not None else None,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    process = Started(name, child.pid, start_time_of(child.pid) or "", stop_signal)
    _CHILDREN.add(process, child)
    guard.watch_process(process.key, process.document())
    return process


def let_live(process: Started) -> None:
    """The process is to outlive ours."""
    guard.forget(process.key)


def start_time_of(pid: int) -> str | None:
    """When the process started; None if there is none of that pid (a zombie counts as none)."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name may hold spaces and brackets, so the fields are counted after its closing bracket.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def is_running(process: Started) -> bool:
    """Whether that very process still runs."""
    _CHILDREN.reap(process)
    return start_time_of(process.pid) == process.started


def end(process: Started, *, wait_s: float = 10.0) -> None:
    """End the process by its stop signal, and by SIGKILL when it does not obey within ``wait_s``."""
    send(process, process.stop_signal)
    if not wait_until_ended(process, wait_s):
        send(process, signal.SIGKILL)
        wait_until_ended(process, wait_s)
    _CHILDREN.forget(process)
    guard.forget(process.key)


def send(process: Started, number: int) -> None:
    """Send a signal if that very process still runs."""
    if is_running(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def wait_until_ended(process: Started, wait_s: float) -> bool:
    """Wait until the process has ended; False if it has not within ``wait_s``."""
    deadline = time.monotonic() + wait_s
    while is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def wait_for_line(process: Started, log: Path, pattern: re.Pattern[str], wait_s: float) -> str:
    """First group of the first match in the process' log.

    Raises: Unavailable ``start_failed`` with its last line when the process ends or says nothing in time.
    """
    deadline = time.monotonic() + wait_s
    while True:
        runs = is_running(process)
        text = log.read_text(encoding="utf-8", errors="replace")
        found = pattern.search(text)
        if found and runs:
            return found[1]
        if not runs or time.monotonic() > deadline:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            said = lines[-1] if lines else "it said nothing"
            raise Unavailable("start_failed", f"{process.name} did not start: {said}")
        time.sleep(0.005)
