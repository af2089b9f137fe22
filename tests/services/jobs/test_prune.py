"""What is old enough goes, everything else stays, and a dry run says the same and touches nothing."""

import errno
import json
from datetime import timedelta
from pathlib import Path

import pytest

from bo_engine.errors import InvalidInput
from bo_engine.settings import Settings
from io_layer.postgres.connection import connect
from io_layer.stores.jobs import delete_old_runs, select_last_runs, select_now
from services.jobs.run_job import run_job
from services.running.cancel import Stop
from tests.support.fingerprint import fingerprint
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld
from workers.all_jobs import all_jobs

pytestmark = pytest.mark.world

PLANT_RUN = """
    INSERT INTO job_runs (job, host, pid, started_at, finished_at, exit_code, error_code)
    SELECT %(job)s, 'a', 1, t.at, t.at, %(code)s, %(error)s
      FROM (SELECT clock_timestamp() - make_interval(days => %(days)s) AS at) AS t
"""
PLANT_MESSAGE = """
    INSERT INTO outbox (channel, kind, dedupe_key, recipient, payload, status, updated_at)
    VALUES ('mail', 'test', %(key)s, 'somebody', '{"text": "hello"}', %(status)s,
            clock_timestamp() - make_interval(days => %(days)s))
"""


def plant_logs(played: PlayedWorld) -> tuple[set[Path], set[Path]]:
    """Log files of two areas: those to be kept, those to go."""
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        today = select_now(conn).date()
    logs = Path(played.env["LOGS_DIR"])
    keep, go = set(), set()
    for area, job, days in (
        ("settlement", "settle", 30),
        ("seeds", "refresh-seeds", 14),
        ("cron", "settle", 14),
        ("engine", "unexpected", 14),
    ):
        (logs / area).mkdir(parents=True)
        end = "log" if area in ("cron", "engine") else "jsonl"
        for age, files in ((0, keep), (days, keep), (days + 1, go), (400, go)):
            path = logs / area / f"{job}-{today - timedelta(days=age)}.{end}"
            path.write_text("x\n")
            files.add(path)
    for name in ("notes-2020-01-01.txt", "settle-2020-02-30.jsonl", "settle.jsonl", "settle.mailed"):
        (logs / "settlement" / name).write_text("x")
        keep.add(logs / "settlement" / name)
    outside = Path(played.env["ARTIFACTS_DIR"]).parent / "settle-2020-01-01.jsonl"
    outside.write_text("x")
    (logs / "seeds" / "linked-2020-01-01.jsonl").symlink_to(outside)
    (logs / "elsewhere").symlink_to(logs / "seeds", target_is_directory=True)
    keep |= {outside, logs / "seeds" / "linked-2020-01-01.jsonl"}
    return keep, go


def test_prune_removes_what_is_old_enough_and_nothing_else(played: PlayedWorld) -> None:
    keep, go = plant_logs(played)
    for job, code, days in (
        ("settle", 0, 100),  # the last success
        ("settle", 1, 90),
        ("settle", 75, 31),
        ("settle", 1, 29),
        ("away", 0, 500),  # the last run
    ):
        played.tamper(PLANT_RUN, job=job, code=code, days=days, error=None)
    for key, status, days in (
        ("old", "SENT", 31),
        ("young", "SENT", 29),
        ("waiting", "PLANNED", 99),
        ("unsure", "UNCERTAIN", 99),
    ):
        played.tamper(PLANT_MESSAGE, key=key, status=status, days=days)

    before = fingerprint(played)
    planned = json.loads(played.cli("prune", "--dry-run", "--json").stdout)
    assert (planned["dry_run"], len(planned["log_files"]), planned["job_runs"], planned["payloads"]) == (True, 8, 2, 1)
    assert before.differences(fingerprint(played)) == []
    assert all(path.exists() for path in keep | go)
    assert rows(played, "SELECT count(*) FROM job_runs") == [(5,)]

    done = json.loads(played.cli("prune", "--json").stdout)
    assert {name: done[name] for name in ("log_files", "job_runs", "payloads")} == {
        name: planned[name] for name in ("log_files", "job_runs", "payloads")
    }
    assert [path for path in keep if not path.exists()] == []
    assert [path for path in go if path.exists()] == []
    kept = rows(played, "SELECT job, exit_code FROM job_runs WHERE host = 'a' ORDER BY job, started_at")
    assert kept == [("away", 0), ("settle", 0), ("settle", 1)]
    assert rows(played, "SELECT dedupe_key FROM outbox WHERE payload IS NULL") == [("old",)]
    assert set(before.differences(fingerprint(played))) == {"table outbox"}
    again = json.loads(played.cli("prune", "--json").stdout)
    assert (again["log_files"], again["job_runs"], again["payloads"]) == ([], 0, 0)


def test_the_last_run_of_a_job_is_kept_however_often_others_were_turned_away_since(played: PlayedWorld) -> None:
    for job, code, error, days in (
        ("settle", 0, None, 100),  # the last success
        ("settle", 1, "day_halted", 90),  # the last run
        ("settle", 75, "lease_held", 80),
        ("settle", 75, "lease_held", 29),
        ("away", 75, "lease_held", 90),
        ("away", 75, "lease_held", 80),  # there is no other
    ):
        played.tamper(PLANT_RUN, job=job, code=code, days=days, error=error)
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        assert delete_old_runs(conn, 30, dry_run=True) == 2
        assert delete_old_runs(conn, 30, dry_run=False) == 2
        assert {job: run.error_code for job, run in select_last_runs(conn).items()} == {
            "settle": "day_halted",
            "away": "lease_held",
        }
    ages = "SELECT job, error_code, extract(day FROM clock_timestamp() - started_at)::int FROM job_runs ORDER BY 1, 3"
    assert rows(played, ages) == [
        ("away", "lease_held", 80),
        ("settle", "lease_held", 29),
        ("settle", "day_halted", 90),
        ("settle", None, 100),
    ]


def test_a_file_that_cannot_be_removed_keeps_nothing_else(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run by hand as root has made a folder in which the jobs' user may remove nothing."""
    _, go = plant_logs(played)
    played.tamper(PLANT_RUN, job="settle", code=1, days=90, error=None)
    played.tamper(PLANT_RUN, job="settle", code=1, days=1, error=None)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "cron":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InvalidInput, match=r"logs/cron/settle-.*Permission denied") as caught:
        run_job(all_jobs()["prune"], Settings(played.env), cancel=Stop(), report=print)
    assert caught.value.code == "logs_not_removable"
    assert {path.parent.name for path in go if path.exists()} == {"cron"}
    assert rows(played, "SELECT count(*) FROM job_runs WHERE host = 'a'") == [(1,)]


PLANT_BACKLOG = """
    INSERT INTO job_runs (job, host, pid, started_at, finished_at, exit_code)
    SELECT 'settle', 'a', 1, t, t, 1
      FROM generate_series(now() - interval '60 days', now(), interval '3 min') AS t
"""


def test_a_backlog_of_a_job_that_never_succeeds_is_removed_in_one_sweep(played: PlayedWorld) -> None:
    played.tamper(PLANT_BACKLOG)
    with connect(played.env["DATABASE_URL"], application_name="test", statement_timeout_ms=4_000) as conn:
        assert delete_old_runs(conn, 30, dry_run=True) == 14_401
        assert delete_old_runs(conn, 30, dry_run=False) == 14_401
