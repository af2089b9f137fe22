"""Metrics of jobs for the textfile collector of Prometheus' node exporter: one small file per job, replaced as a whole.

Its format is a few lines of text. The client library would write the same ones, as floats, and cost each start of a
job more than most jobs take.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_HELP: Final = {
    "bo_job_last_run_timestamp_seconds": "When the job last ended on this host, however it ended.",
    "bo_job_last_success_timestamp_seconds": "When it last ended with exit code 0.",
    "bo_job_last_duration_milliseconds": "How long the last run took.",
    "bo_job_last_exit_code": "0 done, 1 failed or halted, 2 usage or settings, 75 try again later.",
    "bo_job_overruns": "How often the job was still held by the run that holds it now.",
    "bo_job_last_count": "What the last run did, by kind.",
}
_SUCCESS: Final = "bo_job_last_success_timestamp_seconds"


def write_metrics(
    folder: Path, job: str, *, ended_s: int, took_ms: int, exit_code: int, overruns: int, counts: Mapping[str, int]
) -> None:
    """Write the job's file. The last success is carried over from the file as it was. Raises: OSError."""
    path = folder / f"bo_{job.replace('-', '_')}.prom"
    success_s = ended_s if exit_code == 0 else _known_success(path)
    values = {
        "bo_job_last_run_timestamp_seconds": ended_s,
        _SUCCESS: success_s,
        "bo_job_last_duration_milliseconds": took_ms,
        "bo_job_last_exit_code": exit_code,
        "bo_job_overruns": overruns,
    }
    lines = [
        line
        for name, value in values.items()
        if value is not None
        for line in (*_head(name), f'{name}{{job="{job}"}} {value}')
    ]
    if counts:
        name = "bo_job_last_count"
        lines += [*_head(name), *(f'{name}{{job="{job}",kind="{kind}"}} {n}' for kind, n in sorted(counts.items()))]
    _replace(path, "\n".join(lines) + "\n")


def _head(name: str) -> tuple[str, str]:
    return f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"


def _known_success(path: Path) -> int | None:
    with suppress(OSError, UnicodeDecodeError):
        if found := re.search(rf"^{_SUCCESS}\{{[^}}]*\}} ([0-9]{{1,15}})$", path.read_text(encoding="utf-8"), re.M):
            return int(found[1])
    return None


def _replace(path: Path, text: str) -> None:
    """The collector reads the folder at any moment: it finds the old file or the new one."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)  # another user reads it
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
