"""Asks the guard, a small process at the other end of a pipe, to end what ours started and did not end itself.

The pipe closes when this process ends, by SIGKILL too; then the guard (``guard_process``) tidies up. What is meant to
live on is taken from it again by ``forget``.
"""

import json
import subprocess
import sys
import threading
from typing import Any, Final


class _Guard:
    """The guard of this process. It is started with the first message, and anew if it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, message: dict[str, Any], *, start: bool = True) -> None:
        """Send a message; one that needs no guard (``start`` false) is dropped where there is none."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if not start:
                    return
                # A session of its own: a Ctrl-C that ends the owner must not end the guard before its work. No output
                # of ours either, or whoever reads it would wait for the guard to end.
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "local_world.guard_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd="/",
                )
            pipe = self._process.stdin
            if pipe is not None:
                pipe.write(json.dumps(message).encode() + b"\n")
                pipe.flush()


_GUARD: Final = _Guard()  # one: what ends with this process is told to one guard, at the end of one pipe


def watch_process(key: str, document: dict[str, Any]) -> None:
    """End this process when ours ends. Key and document are those of ``processes.Started``."""
    _GUARD.tell({"watch": "process", "key": key, "value": document})


def watch_folder(folder: str) -> None:
    """Remove this folder, with all that is in it, when our process ends."""
    _GUARD.tell({"watch": "folder", "key": folder})


def watch_world(root: str, stopper: str) -> None:
    """Stop the world in this folder when our process ends: by ``stop_world(root)`` of the module ``stopper``."""
    _GUARD.tell({"watch": "world", "key": root, "value": stopper})


def forget(key: str) -> None:
    """This process, folder or world has been ended properly, or is to live on."""
    _GUARD.tell({"forget": key}, start=False)
