"""Ends what a process started and did not end itself, even when that process was killed by SIGKILL.

The guard is a small process at the other end of a pipe. It learns what to end and which folders to remove; when the
pipe closes, its owner is gone and it tidies up. Run as ``python -m local_world.guard``.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from local_world.processes import Started, end

_PIPES: Final[dict[str, "subprocess.Popen[bytes]"]] = {}


def guard_process(process: Started) -> None:
    """End this process when ours ends."""
    _tell({"process": process.document()})


def guard_folder(folder: Path) -> None:
    """Remove this folder, with all that is in it, when our process ends."""
    _tell({"folder": str(folder)})


def forget_process(process: Started) -> None:
    """The process has been ended properly."""
    _tell({"forget_process": process.pid}, only_if_running=True)


def forget_folder(folder: Path) -> None:
    """The folder has been removed, or is to stay."""
    _tell({"forget_folder": str(folder)}, only_if_running=True)


def _tell(message: dict[str, Any], *, only_if_running: bool = False) -> None:
    guard = _PIPES.get("guard")
    if guard is None or guard.poll() is not None:
        if only_if_running:
            return
        # A session of its own: a Ctrl-C that ends the owner must not end the guard before its work.
        guard = subprocess.Popen(
            [sys.executable, "-m", "local_world.guard"], stdin=subprocess.PIPE, start_new_session=True, cwd="/"
        )
        _PIPES["guard"] = guard
    if guard.stdin is not None:
        guard.stdin.write(json.dumps(message).encode() + b"\n")
        guard.stdin.flush()


def main() -> None:
    """Collect until the pipe closes; then end the processes, the latest first, and remove the folders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    processes: dict[int, Started] = {}
    folders: dict[str, None] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "process" in message:
            process = Started(**message["process"])
            processes[process.pid] = process
        elif "folder" in message:
            folders[message["folder"]] = None
        elif "forget_process" in message:
            processes.pop(message["forget_process"], None)
        else:
            folders.pop(message["forget_folder"], None)
    for process in reversed(processes.values()):
        end(process)
    for folder in reversed(folders):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
