"""The guard: collects what to end until the pipe closes, then ends it.

Run as ``python -m local_world.guard_process``.
"""

import contextlib
import importlib
import json
import shutil
import signal
import sys
from pathlib import Path

from bo_engine.errors import EngineError
from local_world.processes import Started, end


def main() -> None:
    """Worlds first, as a whole; then single processes, the latest first; then folders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watched: dict[str, dict[str, object]] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "watch" in message:
            watched[message["key"]] = message
        else:
            watched.pop(message["forget"], None)
    by_kind = {
        kind: [message for message in reversed(watched.values()) if message["watch"] == kind]
        for kind in ("world", "process", "folder")
    }
    for message in by_kind["world"]:
        _stop_world(Path(str(message["key"])), str(message["value"]))
    for message in by_kind["process"]:
        end(Started(**message["value"]))  # type: ignore[arg-type]
    for message in by_kind["folder"]:
        shutil.rmtree(str(message["key"]), ignore_errors=True)


def _stop_world(root: Path, stopper: str) -> None:
    # Imported late: most owners have no world, and a guard should cost next to nothing.
    with contextlib.suppress(EngineError, OSError, ValueError, KeyError):
        importlib.import_module(stopper).stop_world(root)


if __name__ == "__main__":
    main()
