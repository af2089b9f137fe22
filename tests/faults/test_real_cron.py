"""Debian's own cron reads what `cron install` wrote and starts the jobs; nobody else does anything."""

import json
import sys
import time
from pathlib import Path

import pytest

from services.jobs.job import Job
from tests.invariants.checker import check_invariants
from tests.support.commands import wait_until
from tests.support.debian_cron import find_cron, running_cron
from tests.support.observed import event_count, rows
from tests.support.played_world import PlayedWorld
from workers.all_jobs import all_jobs

pytestmark = [pytest.mark.world, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
MINE = "# mine\n17 3 * * 1 /bin/true\n"
_WAIT_S = 200.0


def ended(played: PlayedWorld, job: Job) -> list[int]:
    """The exit codes of the job's runs that have ended."""
    found = rows(played, "SELECT job, exit_code FROM job_runs WHERE finished_at IS NOT NULL")
    return [code for name, code in found if name == job.name]


def at_work(played: PlayedWorld) -> bool:
    """Whether a run has not ended yet."""
    return bool(rows(played, "SELECT FROM job_runs WHERE finished_at IS NULL"))


def test_cron_of_debian_starts_the_jobs_and_they_settle_the_day(played: PlayedWorld, tmp_path: Path) -> None:
    found = find_cron(tmp_path)
    if isinstance(found, str):
        pytest.xfail(f"Debian's cron cannot be had here, so it is NOT shown that it starts our jobs: {found}")
    settings = tmp_path / "settings.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in played.env.items()))
    settings.chmod(0o600)
    env = {"PATH": "/usr/bin:/bin", "BO_ENV_FILE": str(settings)}
    with running_cron(*found) as cron:

        def engine(*arguments: str) -> tuple[int, dict[str, object]]:
            command = (sys.executable, "-m", "cli.main", *arguments, "--json")
            done = cron.run(*command, env={**env, "PYTHONPATH": str(ROOT)})
            return done.returncode, json.loads(done.stdout)

        assert cron.run("crontab", "-", env=env, given=MINE).returncode == 0
        assert engine("cron", "show")[0] == 1
        code, answer = engine("cron", "install", "--dry-run")
        assert (code, answer["changed"]) == (0, False)
        assert cron.run("crontab", "-l", env=env).stdout == MINE
        assert engine("cron", "install")[1]["changed"] is True
        assert engine("cron", "install")[1]["changed"] is False
        assert engine("cron", "show")[0] == 0
        table = cron.run("crontab", "-l", env=env).stdout
        assert table.startswith(MINE)
        # Ten minutes are long: the same lines, each minute.
        often = table
        for job in all_jobs().values():
            often = often.replace(f"\n{job.schedule:<13} ", "\n* * * * * ")
        assert cron.run("crontab", "-", env=env, given=often).returncode == 0
        deadline = time.monotonic() + _WAIT_S
        while not all(ended(played, job) for job in all_jobs().values()):
            assert time.monotonic() < deadline, [(job.name, ended(played, job)) for job in all_jobs().values()]
            time.sleep(1)
        assert engine("cron", "remove")[1]["changed"] is True
        assert cron.run("crontab", "-l", env=env).stdout == MINE
        wait_until(lambda: not at_work(played), "the jobs that cron has started to end")
    assert all(set(ended(played, job)) <= {0, 75} for job in all_jobs().values())
    assert event_count(played, "DayCommitted") == 1
    logs = Path(played.env["LOGS_DIR"])
    assert {path.parent.name for path in logs.rglob("*.jsonl")} == {job.area for job in all_jobs().values()}
    played.pass_challenge()
    assert played.settle()[0].status == "DONE"
    check_invariants(played)
