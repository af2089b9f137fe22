"""The log of jobs: one line of canonical JSON per run, a file per job and day, in a folder per area."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final

from bo_engine.redaction import each_text, told

#: `settle-2026-11-22.jsonl` is ours, `settle-2026-11-22.log` is what the wrapper kept of its output.
_DATED: Final = re.compile(r"[a-z][a-z-]*-([0-9]{4}-[0-9]{2}-[0-9]{2})\.(?:jsonl|log)")


def append_line(logs_dir: Path, area: str, job: str, day: date, document: Mapping[str, Any]) -> None:
    """Add a line, in one write, so that two processes never mix theirs. Raises: OSError."""
    folder = logs_dir / area
    folder.mkdir(parents=True, exist_ok=True)
    # Sorted and without blanks: the same facts are the same line. ASCII, so that no name can steer a terminal.
    text = json.dumps(each_text(document, told), sort_keys=True, separators=(",", ":"))
    path = folder / f"{job}-{day.isoformat()}.jsonl"
    # A pipe under that name would hold the run for ever: without a reader it is an error.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
    try:
        os.write(fd, text.encode("ascii") + b"\n")
    finally:
        os.close(fd)


def dated_files(folder: Path) -> Iterator[tuple[Path, date]]:
    """The log files of a folder, each with the day in its name. Whatever else lies there is none of ours."""
    # A link is not followed: what it leads to is none of ours either.
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.iterdir()):
        found = _DATED.fullmatch(path.name)
        if found and path.is_file() and not path.is_symlink():
            with suppress(ValueError):  # the 30th of February
                yield path, date.fromisoformat(found[1])
