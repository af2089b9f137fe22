"""Cron as far as a world needs it: at a minute of the chain's clock, the jobs whose lines in the crontab match are
started, all at once, each by the shell with cron's bare surroundings. What they did is read from their own logs."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import EXIT_DONE, EXIT_LATER, InvariantBroken, UsageError
from cli.cron import job_lines
from io_layer.files.job_log import dated_files
from services.jobs.schedule import next_start
from workers.all_jobs import all_jobs

_ROOT: Final = Path(__file__).resolve().parent.parent
_TIMEOUT_S: Final = 300.0
_LOOK_EVERY_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class JobRun:
    """One start of a job: the minute, how the process ended and how long it took, what its log line says."""

    at: str  # UTC, by the chain's clock
    job: str
    exit_code: int
    took_ms: int  # of the whole process, its start included
    error: str | None
    counts: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """As `demo --json` prints it."""
        return asdict(self)


class Cron:
    """The schedule of one world, and everything it has started."""

    def __init__(self, env_file: Path, logs_dir: Path) -> None:
        if not (_ROOT / ".venv" / "bin" / "bo-engine").is_file():
            raise UsageError(
                "no_cron", f"cron's wrapper starts {_ROOT}/.venv/bin/bo-engine, which is missing: make setup"
            )
        self._logs_dir = logs_dir
        environment = {"BO_ENV_FILE": str(env_file), "BO_CRON_LOGS": str(logs_dir / "cron")}
        # The very lines that `cron install` writes.
        self._lines = dict(zip(all_jobs(), job_lines(_ROOT, environment), strict=True))
        self.runs: list[JobRun] = []

    def tick(self, at_s: int) -> list[JobRun]:
        """What cron does in the minute that begins then: it starts all jobs that are due, and they end.

        Raises: InvariantBroken ``command_failed`` with what cron would have mailed.
        """
        minute = datetime.fromtimestamp(at_s, UTC)
        due = [job for job in all_jobs().values() if next_start(job.schedule, minute - timedelta(minutes=1)) == minute]
        told_before = {job.name: len(self._told(job.name)) for job in due}
        ended = self._run_all([job.name for job in due])
        for job in due:
            (code, took_ms, said), told = ended[job.name], self._told(job.name)
            if code not in (EXIT_DONE, EXIT_LATER) or len(told) != told_before[job.name] + 1:
                raise InvariantBroken("command_failed", f"cron's {job.name} ended with {code}", said.splitlines())
            line = told[-1]
            error, counts = line["error_code"], line["counts"]
            self.runs.append(JobRun(f"{minute:%Y-%m-%dT%H:%M}", job.name, code, took_ms, error, counts))
        return self.runs[-len(due) :] if due else []

    def _run_all(self, names: Sequence[str]) -> dict[str, tuple[int, int, str]]:
        """Exit code, milliseconds and output of each."""
        home = os.environ.get("HOME", "/")
        bare = {"HOME": home, "LOGNAME": os.environ.get("LOGNAME", ""), "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
        started_at = time.monotonic()
        running: dict[str, subprocess.Popen[str]] = {}
        ended: dict[str, tuple[int, int, str]] = {}
        try:
            for name in names:
                # To cron the percent sign is escaped, to its shell it is not any more.
                command = self._lines[name].split(None, 5)[5].replace(r"\%", "%")
                running[name] = subprocess.Popen(
                    ["/bin/sh", "-c", command],
                    env=bare,
                    cwd=home if Path(home).is_dir() else "/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            while len(ended) < len(running):
                for name, process in running.items():
                    if name not in ended and process.poll() is not None:
                        took_ms = round((time.monotonic() - started_at) * 1000)
                        ended[name] = (process.returncode, took_ms, process.stdout.read() if process.stdout else "")
                if time.monotonic() - started_at > _TIMEOUT_S:
                    late = ", ".join(name for name in running if name not in ended)
                    raise InvariantBroken("command_failed", f"not ended after {_TIMEOUT_S:.0f} s: {late}")
                time.sleep(_LOOK_EVERY_S)
        finally:
            for name, process in running.items():
                if name not in ended:
                    # The wrapper and the job that it has started: a job may be killed anywhere.
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if process.stdout:
                    process.stdout.close()
        return ended

    def _told(self, name: str) -> list[dict[str, Any]]:
        """The log lines of a job, oldest first."""
        files = [path for path, _ in dated_files(self._logs_dir / all_jobs()[name].area)]
        own = [path for path in files if path.name.removeprefix(f"{name}-")[:1].isdigit() and path.suffix == ".jsonl"]
        return [json.loads(line) for path in own for line in path.read_text(encoding="utf-8").splitlines()]
