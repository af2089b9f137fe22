"""Jobs can be stopped and let go on, by name, with a reason, and both are written down."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from io_layer.postgres.connection import connect
from io_layer.stores.leases import Holder, acquire_lease
from services.jobs.schedule import next_start
from tests.invariants.checker import check_invariants
from tests.support.commands import started, wait_until
from tests.support.fingerprint import fingerprint
from tests.support.observed import attempts, event_count, pipeline, rows, true_run_hash
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished
from workers.all_jobs import all_jobs

SEND = "eth_sendRawTransaction"


def answer(done: Finished) -> tuple[int, str | None]:
    """Exit code and error code."""
    return done.code, json.loads(done.stdout).get("error")


@pytest.mark.world
def test_a_halted_job_does_not_start_until_it_is_resumed_and_others_go_on(played: PlayedWorld) -> None:
    before = fingerprint(played)
    done = played.cli("halt", "--job", "settle", "--reason", "odd tickets", "--by", "Ann", "--json")
    assert (done.code, json.loads(done.stdout)["still_running"]) == (0, [])
    done = played.cli("settle", "--json")
    assert answer(done) == (1, "job_halted")
    assert "odd tickets" in done.stderr
    assert "bo-engine resume --job settle" in done.stderr
    for by_hand in (["compute", "--day", str(played.day)], ["tx", "resume"], ["settle", "--day", str(played.day)]):
        assert played.cli(*by_hand).code == 1, by_hand
    assert set(before.differences(fingerprint(played))) == {"table audit_log", "table job_halts", "table engine_locks"}
    assert played.cli("recover-intents").code == 0
    # The first reason stays; what is not halted cannot be resumed.
    again = played.cli("halt", "--job", "settle", "--reason", "another", "--by", "Bob", "--json")
    assert json.loads(again.stdout)["was_halted"] is True
    assert answer(played.cli("resume", "--job", "prune", "--by", "Ann", "--json")) == (1, "job_not_halted")
    assert answer(played.cli("halt", "--job", "nonsense", "--reason", "x", "--by", "Ann", "--json")) == (
        2,
        "unknown_job",
    )
    shown = {row["job"]: row for row in json.loads(played.cli("jobs", "--json").stdout)["jobs"]}
    assert (shown["settle"]["halted"], shown["settle"]["halted_by"], shown["settle"]["error"]) == (
        "odd tickets",
        "Ann",
        "job_halted",
    )
    assert (shown["settle"]["next_due"], shown["recover-intents"]["halted"]) == (None, None)
    assert shown["recover-intents"]["last_success"] is not None
    assert "Halted: settle" in played.cli("jobs").stdout
    assert played.cli("resume", "--job", "settle", "--by", "Bob").code == 0
    assert played.cli("settle").code == 0
    told = rows(
        played, "SELECT action, actor, details ->> 'reason' FROM audit_log WHERE action LIKE 'jobs%' ORDER BY 1"
    )
    assert told == [("jobs_halted", "Ann", "odd tickets"), ("jobs_resumed", "Bob", "odd tickets")]


@pytest.mark.world
def test_all_jobs_can_be_halted_at_once(played: PlayedWorld) -> None:
    assert played.cli("halt", "--all", "--reason", "upgrade", "--by", "Ann").code == 0
    for job in all_jobs():
        assert answer(played.cli(job, "--json")) == (1, "job_halted"), job
    text = played.cli("jobs").stdout
    assert (text.count("upgrade"), "All jobs are halted" in text) == (1, True)
    done = played.cli("resume", "--job", "settle", "--by", "Ann", "--json")
    assert answer(done) == (1, "job_not_halted")
    assert "not halted by its own name; all jobs are" in done.stderr
    for wrong in (["halt", "--by", "Ann", "--reason", "x"], ["halt", "--all", "--by", "Ann"], ["resume", "--by", "Ann"],
                  ["resume", "--all", "--job", "settle", "--by", "Ann"], ["resume", "--all"]):  # fmt: skip
        assert played.cli(*wrong).code == 2, wrong
    done = played.cli("resume", "--all", "--by", "Ann")
    assert (done.code, "[" in done.stdout) == (0, False)
    assert rows(played, "SELECT count(*) FROM job_halts") == [(0,)]
    assert "upgrade" not in played.cli("jobs").stdout
    assert played.cli("settle", CHAIN_ID="1").code == 2
    assert "settle ended with 2" in (text := played.cli("jobs").stdout)
    assert "wrong_chain" in text
    assert played.cli("settle").code == 0
    assert "ended with" not in played.cli("jobs").stdout


@pytest.mark.world
def test_the_end_of_a_halt_of_all_leaves_alone_what_somebody_halted_by_name(played: PlayedWorld) -> None:
    assert played.cli("halt", "--job", "settle", "--reason", "odd tickets", "--by", "Ann").code == 0
    assert played.cli("halt", "--all", "--reason", "upgrade", "--by", "Bob").code == 0
    done = json.loads(played.cli("resume", "--all", "--by", "Bob", "--json").stdout)
    assert (done["resumed"], done["still_halted"]) == (["*"], ["settle"])
    assert answer(played.cli("settle", "--json")) == (1, "job_halted")
    assert played.cli("prune").code == 0
    done = json.loads(played.cli("resume", "--all", "--by", "Ann", "--json").stdout)
    assert (done["resumed"], done["still_halted"]) == (["settle"], [])
    assert answer(played.cli("resume", "--all", "--by", "Ann", "--json")) == (1, "job_not_halted")


@pytest.mark.world
def test_what_still_runs_is_shown_while_all_is_halted(played: PlayedWorld) -> None:
    """An upgrade waits until nothing runs any more (docs/operations.md)."""
    halt = ("halt", "--all", "--reason", "upgrade", "--by", "Ann", "--json")
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        for job in ("settle", "prune"):
            acquire_lease(conn, job, Holder("far process 7", "far", 7, 7), 900)
    played.tamper("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 s' WHERE job = 'prune'")
    assert json.loads(played.cli(*halt).stdout)["still_running"] == ["settle"]
    (settle, prune) = (
        next(line for line in played.cli("jobs").stdout.splitlines() if line.strip().startswith(job))
        for job in ("settle ", "prune ")
    )
    assert "halted, running" in settle
    assert "halted" in prune
    assert "running" not in prune
    played.tamper("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 s'")
    assert "running" not in played.cli("jobs").stdout


@pytest.mark.world
def test_what_the_last_run_has_said_is_shown_though_another_host_was_turned_away_since(played: PlayedWorld) -> None:
    assert played.cli("settle", "--day", str(played.day + 1)).code == 1
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        for job in ("settle", "prune"):
            acquire_lease(conn, job, Holder("far process 7", "far", 7, 7), 900)
            assert played.cli(job).code == 75
    shown = {row["job"]: row for row in json.loads(played.cli("jobs", "--json").stdout)["jobs"]}
    assert (shown["settle"]["exit_code"], shown["settle"]["error"]) == (1, "day_not_closed")
    assert (shown["prune"]["exit_code"], shown["prune"]["error"]) == (75, "lease_held")  # there is no other
    assert "settle ended with 1" in played.cli("jobs").stdout


@pytest.mark.world
@pytest.mark.slow
def test_a_running_job_ends_at_its_next_safe_point_and_goes_on_after_the_halt(played: PlayedWorld) -> None:
    run_hash, proxy = true_run_hash(played), played.world.proxy
    proxy.fail("hang", SEND)
    with started(played, "settle", "--json", RPC_URL=proxy.url) as process:
        wait_until(lambda: SEND in proxy.calls(), "the run at its broadcast")
        done = played.cli("halt", "--job", "settle", "--reason", "look first", "--by", "Ann", "--json")
        assert json.loads(done.stdout)["still_running"] == ["settle"]
        proxy.heal()
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, json.loads(stdout)["error"]) == (1, "job_halted"), stderr
    row = pipeline(played)
    assert row is not None
    assert (row.status, row.error_code) == ("WAITING", "job_halted")
    assert rows(played, "SELECT exit_code, error_code FROM job_runs") == [(1, "job_halted")]
    assert len(attempts(played)) == 1
    assert played.cli("resume", "--all", "--by", "Ann").code == 0
    outcome = played.settle_through()
    assert (outcome.status, outcome.run_hash, event_count(played, "DayCommitted")) == ("DONE", run_hash, 1)
    check_invariants(played)


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("* * * * *", "2026-11-22 10:00:59", "2026-11-22 10:01"),
        ("*/10 * * * *", "2026-11-22 10:00:00", "2026-11-22 10:10"),
        ("*/10 * * * *", "2026-11-22 23:50:00", "2026-11-23 00:00"),
        ("17 4 * * *", "2026-12-31 04:17:00", "2027-01-01 04:17"),
        ("0 6 * * 1", "2026-11-22 10:00:00", "2026-11-23 06:00"),
        ("0 6 * * 0", "2026-11-22 06:00:00", "2026-11-29 06:00"),
    ],
)
def test_the_next_start_is_crons(schedule: str, now: str, due: str) -> None:
    zone = timezone(timedelta(hours=2))
    found = next_start(schedule, datetime.fromisoformat(now).replace(tzinfo=zone))
    assert found == datetime.fromisoformat(due).replace(tzinfo=zone)


@pytest.mark.parametrize("schedule", ["@daily", "* * * *", "1-5 * * * *", "*/0 * * * *", "0 0 31 2 *"])
def test_a_schedule_of_another_form_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        next_start(schedule, datetime(2026, 1, 1))
