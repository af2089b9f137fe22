"""Each run of a job is told in four ways, and none of them can change how it ends (issue "Cron takes over")."""

import functools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import services.jobs.run_job
from bo_engine.errors import Halted, InvariantBroken, Unavailable, UsageError
from bo_engine.settings import Settings
from io_layer.files.metrics import write_metrics
from io_layer.postgres.connection import connect
from io_layer.stores.jobs import Ended, count_overruns, insert_ended_run, insert_run
from io_layer.stores.leases import Holder, acquire_lease, release_lease
from services.jobs.job import Done, Job
from services.jobs.run_job import look_at_job, run_job
from services.lottery.days.idle import all_days_ended, all_seeds_known
from services.running.cancel import Stop
from services.running.context import RunContext
from services.running.lease import held_lease
from tests.support.commands import killed_at, started, wait_until
from tests.support.fingerprint import fingerprint
from tests.support.loopback import Loopback, serving
from tests.support.observed import pipeline, rows
from tests.support.played_world import PlayedWorld
from workers.all_jobs import all_jobs

pytestmark = pytest.mark.world
ROOT = Path(__file__).resolve().parents[3]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
KEY = "canary-of-the-monitor-50b1"
HELD = Ended(75, "lease_held", "held", {}, 1)


def told_lines(played: PlayedWorld, area: str, job: str) -> list[str]:
    """The lines that runs of the job have left."""
    (path,) = (Path(played.env["LOGS_DIR"]) / area).glob(f"{job}-*.jsonl")
    return path.read_text(encoding="ascii").splitlines()


def metric(folder: Path, job: str, name: str) -> int | None:
    """A value of the job's metrics."""
    for line in (folder / f"bo_{job.replace('-', '_')}.prom").read_text().splitlines():
        if line.startswith(name + "{"):
            return int(line.rpartition(" ")[2])
    return None


def monitor(asked: Loopback) -> str:
    """The address of a monitor, with a key in it."""
    return f"{asked.url}/{KEY}/{{job}}"


def test_a_run_leaves_a_row_a_line_metrics_and_two_pings(played: PlayedWorld, tmp_path: Path) -> None:
    with serving(lambda path, body: iter([OK])) as asked:
        changed = {"METRICS_DIR": str(tmp_path), "JOB_PING_URL": monitor(asked)}
        assert played.cli("settle", "--json", **changed).code == 0
        assert asked.asked == [f"/{KEY}/settle/start", f"/{KEY}/settle"]
        # Refused: the day is not closed. A ping says so.
        assert played.cli("settle", "--day", str(played.day + 1), "--json", **changed).code == 1
        assert asked.asked[2:] == [f"/{KEY}/settle/start", f"/{KEY}/settle/fail"]
        # 75 is neither a success nor a failure.
        played.tamper("UPDATE job_leases SET holder = 'far', host = 'far', expires_at = clock_timestamp() + '9 min'")
        assert played.cli("settle", "--json", **changed).code == 75
        assert len(asked.asked) == 4
    found = rows(
        played,
        "SELECT exit_code, error_code, token, finished_at >= started_at, took_ms > 0, counts ->> 'waiting'"
        " FROM job_runs WHERE job = 'settle' ORDER BY job_run_id",
    )
    assert found == [
        (0, None, 1, True, True, "1"),
        (1, "day_not_closed", 2, True, True, None),
        (75, "lease_held", None, True, True, None),
    ]
    lines = told_lines(played, "settlement", "settle")
    documents = [json.loads(line) for line in lines]
    assert [one["exit_code"] for one in documents] == [0, 1, 75]
    assert lines == [json.dumps(one, sort_keys=True, separators=(",", ":")) for one in documents]
    assert metric(tmp_path, "settle", "bo_job_last_exit_code") == 75
    assert metric(tmp_path, "settle", "bo_job_overruns") == 1
    last, success = (metric(tmp_path, "settle", f"bo_job_last_{name}_timestamp_seconds") for name in ("run", "success"))
    assert last is not None
    assert success is not None
    assert success <= last
    assert KEY not in "".join(lines) + (tmp_path / "bo_settle.prom").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bo_settle.prom"]


def test_metrics_remember_the_last_success_and_are_replaced_as_a_whole(tmp_path: Path) -> None:
    given: dict[str, Any] = {"took_ms": 5, "overruns": 0}
    write_metrics(tmp_path, "a-job", ended_s=100, exit_code=1, counts={}, **given)
    assert metric(tmp_path, "a-job", "bo_job_last_success_timestamp_seconds") is None
    write_metrics(tmp_path, "a-job", ended_s=200, exit_code=0, counts={"seen": 3}, **given)
    write_metrics(tmp_path, "a-job", ended_s=300, exit_code=75, counts={}, **given)
    assert metric(tmp_path, "a-job", "bo_job_last_success_timestamp_seconds") == 200
    assert metric(tmp_path, "a-job", "bo_job_last_run_timestamp_seconds") == 300
    assert [path.name for path in tmp_path.iterdir()] == ["bo_a_job.prom"]


def hang(path: str, body: bytes) -> Iterator[bytes | float]:
    """A monitor that takes the question and says a byte now and then: no read of it ever times out."""
    yield b"HTTP/1.1 200 OK\r\n"
    for _ in range(3000):
        yield 0.2
        yield b"X"


@pytest.mark.slow
def test_a_monitor_that_hangs_and_places_that_take_no_line_change_nothing(played: PlayedWorld, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with serving(hang) as asked:
        began = time.monotonic()
        done = played.cli(
            "recover-intents", "--json", JOB_PING_URL=monitor(asked), METRICS_DIR=str(in_the_way), LOGS_DIR="/proc/no"
        )
        assert time.monotonic() - began < 30
        assert asked.asked[0] == f"/{KEY}/recover-intents/start"
    assert done.code == 0, done
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert {"line_not_written", "metrics_not_written", "ping_failed"} <= set(said)
    assert KEY not in done.stderr
    assert rows(played, "SELECT exit_code FROM job_runs") == [(0,)]


def test_a_host_that_starts_no_thread_any_more_runs_its_jobs(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    settings = Settings({**played.env, "JOB_PING_URL": f"http://127.0.0.1:9/{KEY}/{{job}}"})
    assert run_job(all_jobs()["prune"], settings, cancel=Stop(), report=print) is not None
    assert len(told_lines(played, "maintenance", "prune")) == 1


def test_a_wish_to_end_while_the_monitor_is_slow_comes_too_late(played: PlayedWorld) -> None:
    """What has ended is told once, as it has ended."""

    def slow(path: str, body: bytes) -> Iterator[bytes | float]:
        yield 0.0 if path.endswith("/start") else 1.5
        yield OK

    with (
        serving(slow) as asked,
        started(played, "prune", "--json", JOB_PING_URL=monitor(asked)) as process,
    ):
        wait_until(lambda: f"/{KEY}/prune" in asked.asked, "the last ping")
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert [json.loads(line)["exit_code"] for line in told_lines(played, "maintenance", "prune")] == [0]


def test_the_row_of_a_killed_run_says_so_once_the_next_one_has_the_lease(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    unfinished = "SELECT finished_at, exit_code, error_code, token FROM job_runs ORDER BY job_run_id"
    assert rows(played, unfinished) == [(None, None, None, 1)]
    assert played.cli("settle").code == 0
    (lost, good) = rows(played, unfinished)
    assert lost == (None, None, "run_lost", 1)
    assert good[1:] == (0, None, 2)


def test_a_run_that_is_asked_to_end_says_so_in_its_row(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("down", "eth_sendRawTransaction")
    with started(played, "settle", "--json", RPC_URL=proxy.url) as process:
        wait_until(lambda: proxy.calls().get("eth_sendRawTransaction") == 2, "both endpoints asked to broadcast")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 75
    assert rows(played, "SELECT exit_code, error_code FROM job_runs") == [(75, "stopped")]


def test_a_run_that_does_its_work_and_fails_all_the_same_says_why(played: PlayedWorld) -> None:
    why = "SELECT exit_code, error_code, message FROM job_runs WHERE job = "
    played.tamper("DELETE FROM day_seeds")
    assert played.cli("refresh-seeds", DRAND_URLS="http://127.0.0.1:9/").code == 75
    ((code, error, message),) = rows(played, why + "'refresh-seeds'")
    assert (code, error) == (75, "seeds_missing")
    assert message.startswith(f"day {played.day}: ")
    played.tamper(
        "INSERT INTO settlement_pipeline_runs (day_id, status, reason, error_code)"
        " VALUES (%(day)s, 'HALTED', 'odd tickets', 'x')",
        day=played.day,
    )
    assert played.cli("settle").code == 1
    ((code, error, message),) = rows(played, why + "'settle'")
    assert (code, error) == (1, "day_halted")
    assert f"day {played.day} is HALTED: odd tickets; look, then `bo-engine resume --day {played.day}" in message


# -- a start that costs little ----------------------------------------------------------------------------------------

IDLE = """
import sys
from bo_engine.settings import Settings
from services.running.cancel import Stop
from services.running.context import RunContext
from services.jobs.run_job import run_job
from workers.all_jobs import all_jobs
import json, os
settings = Settings(json.loads(sys.stdin.read()))
for name in ("refresh-seeds", "settle"):
    assert run_job(all_jobs()[name], settings, cancel=Stop(), report=print) is None, name
run_job(all_jobs()["prune"], settings, cancel=Stop(), report=print)
heavy = {"web3", "eth_account", "eth_abi", "py_ecc", "numpy", "abi"}
print(sorted(heavy & set(sys.modules)))
"""
DONE_DAY = """
    INSERT INTO settlement_pipeline_runs (day_id, status, export_ok, affiliate_ok, compute_ok, approve_ok, commit_ok,
                                          stats_ok, run_id)
    VALUES (%(day)s, 'DONE', true, true, true, true, true, true, 1) ON CONFLICT (day_id) DO UPDATE SET status = 'DONE'
"""
SEEDED_DAY = """
    INSERT INTO day_seeds (day_id, vrf_request_id, vrf_requested_block, vrf_requested_at, vrf_word, drand_round,
                           drand_signature, drand_randomness)
    SELECT %(day)s, vrf_request_id + 1, vrf_requested_block, vrf_requested_at, vrf_word, drand_round + 1,
           drand_signature, drand_randomness FROM day_seeds LIMIT 1
"""


def test_a_job_with_nothing_due_looks_at_the_head_and_loads_nothing_of_the_chain(played: PlayedWorld) -> None:
    today = int(time.time()) // 86_400
    played.tamper(DONE_DAY, day=today - 1)
    outside = {**played.env, "BO_PROFILE": "production"}
    given = {name: value for name, value in outside.items() if name != "SETTLER_PRIVATE_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", IDLE], input=json.dumps(given), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "[]\n", done
    assert rows(played, "SELECT job, exit_code FROM job_runs ORDER BY job") == [
        ("prune", 0),
        ("refresh-seeds", 0),
        ("settle", 0),
    ]
    # A halt is told all the same.
    played.tamper("INSERT INTO job_halts (job, reason, halted_by) VALUES ('*', 'upgrade', 'Ann')")
    with pytest.raises(Halted, match="upgrade"):
        run_job(all_jobs()["settle"], Settings(given), cancel=Stop(), report=print)


def test_nothing_is_due_only_when_yesterday_is_settled_or_seeded(played: PlayedWorld) -> None:
    today = int(time.time()) // 86_400
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        assert not all_days_ended(conn)
        assert not all_seeds_known(conn)
        played.tamper(DONE_DAY, day=today - 3)
        assert (all_days_ended(conn), all_seeds_known(conn)) == (False, False)
        played.tamper(SEEDED_DAY, day=today - 2)
        played.tamper(SEEDED_DAY, day=today - 1)
        assert (all_days_ended(conn), all_seeds_known(conn)) == (False, True)
        played.tamper("UPDATE day_seeds SET vrf_word = NULL WHERE day_id = %(day)s", day=today - 2)
        assert not all_seeds_known(conn)
        played.tamper(DONE_DAY, day=today - 1)
        assert (all_days_ended(conn), all_seeds_known(conn)) == (True, True)


def test_in_a_local_world_the_chain_is_asked_whatever_the_clock_says(played: PlayedWorld) -> None:
    played.settle_through()
    played.tamper(DONE_DAY, day=int(time.time()) // 86_400 - 1)
    # The chain contradicts the planted row, which is only seen by whoever asks it.
    assert json.loads(played.cli("settle", "--json").stdout).get("error") == "done_not_settled"


def test_starting_the_program_loads_no_driver() -> None:
    check = "import cli.main, sys; print(sorted({'web3', 'psycopg', 'requests', 'numpy', 'abi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_each_job_has_a_name_an_area_and_a_schedule() -> None:
    for name, job in all_jobs().items():
        assert (job.name, len(job.schedule.split())) == (name, 5)
        assert job.area.replace("-", "").isalpha()


def test_overruns_are_counted_from_the_start_of_the_run_that_holds_the_job(played: PlayedWorld) -> None:
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        for times in (3, 1):
            token = acquire_lease(conn, "settle", Holder("a process 1", "a", 1, 1), 900)
            insert_run(conn, "settle", host="a", pid=1, token=token, engine="e")
            for _ in range(times):
                insert_ended_run(conn, "settle", host="a", pid=2, engine="e", ended=HELD)
            assert count_overruns(conn, "settle", "a") == times
            release_lease(conn, "settle", token)


def test_a_run_that_another_host_turns_away_is_no_overrun(played: PlayedWorld) -> None:
    """Two hosts have the same lines: in each minute one of them finds the job held, and nothing took too long."""
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        for winner, loser in (("a", "b"), ("b", "a"), ("a", "b")):
            token = acquire_lease(conn, "settle", Holder(f"{winner} process 1", winner, 1, 1), 900)
            # The loser may be told so before the winner has written its row.
            insert_ended_run(conn, "settle", host=loser, pid=2, engine="e", ended=HELD)
            assert count_overruns(conn, "settle", loser) == 0
            insert_run(conn, "settle", host=winner, pid=1, token=token, engine="e")
            insert_ended_run(conn, "settle", host=loser, pid=2, engine="e", ended=HELD)
            assert count_overruns(conn, "settle", loser) == 0
            release_lease(conn, "settle", token)


# -- dry runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [job.name for job in all_jobs().values() if job.plan is not None])
@pytest.mark.sampled(2)
def test_a_dry_run_that_asks_the_chain_for_longer_than_a_transaction_may_be_idle_comes_to_its_end(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """From FIRST_BLOCK on a chain may be read for many minutes."""
    monkeypatch.setattr(services.jobs.run_job, "connect", functools.partial(connect, idle_timeout_ms=200))
    plan = all_jobs()[name].plan
    assert plan is not None

    def slow(run: RunContext) -> Done:
        plan(run)
        time.sleep(0.6)
        return plan(run)

    before = fingerprint(played, leases=True)
    done = look_at_job(Settings(played.env), cancel=Stop(), report=print, plan=slow)
    assert done.document
    assert before.differences(fingerprint(played, leases=True)) == []


def test_a_dry_run_that_would_write_is_refused_by_the_database(played: PlayedWorld) -> None:
    def write(run: RunContext) -> Done:
        run.conn.execute("DELETE FROM day_seeds")
        return Done()

    def work(run: RunContext) -> Done:
        with held_lease(run, "settle"):
            return Done()

    before = fingerprint(played, leases=True)
    for plan in (write, work):
        with pytest.raises(Unavailable) as caught:
            look_at_job(Settings(played.env), cancel=Stop(), report=print, plan=plan)
        assert caught.value.code == "database_read_only"
    assert before.differences(fingerprint(played, leases=True)) == []


# -- whose database this is (H08) --------------------------------------------------------------------------------------


def test_the_first_job_claims_the_database_and_every_other_installation_is_refused(
    played: PlayedWorld, tmp_path: Path
) -> None:
    assert rows(played, "SELECT count(*) FROM deployment") == [(0,)]
    assert played.cli("recover-intents").code == 0
    ours = (int(played.env["CHAIN_ID"]), played.env["SETTLEMENT_ADDRESS"].lower())
    assert rows(played, "SELECT chain_id, settlement FROM deployment") == [ours]
    played.tamper("UPDATE deployment SET settlement = '0x00000000000000000000000000000000000000aa'")
    day, before = str(played.day), fingerprint(played, leases=True)
    for text in ("settle", "refresh-seeds", "compute --day N", "doctor --day N", "resume --all --by Ann", "jobs"):
        command = text.replace("N", day).split()
        done = played.cli(*command, "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (2, "other_database"), command
    assert pipeline(played) is None
    # Not even the row of a run is left in what belongs to others; log, metrics and ping tell of it as of any other.
    with serving(lambda path, body: iter([OK])) as asked:
        changed = {"METRICS_DIR": str(tmp_path), "JOB_PING_URL": monitor(asked)}
        assert played.cli("settle", **changed).code == 2
        assert asked.asked == [f"/{KEY}/settle/fail"]
    assert metric(tmp_path, "settle", "bo_job_last_exit_code") == 2
    said = [json.loads(line) for line in told_lines(played, "settlement", "settle")]
    assert [(one["exit_code"], one["error_code"]) for one in said] == [(2, "other_database")] * 2
    assert before.differences(fingerprint(played, leases=True)) == []
    with pytest.raises(UsageError, match="belongs to the contracts at 0x00000000000000000000000000000000000000aa"):
        played.settle()


# -- an alarm of the first look ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [None, KeyError("a bug"), MemoryError(), KeyboardInterrupt(), Unavailable("seeds_missing", "no seeds")],
    ids=lambda error: type(error).__name__,
)
def test_an_alarm_of_the_first_look_is_not_lost_whatever_the_work_ends_with(
    played: PlayedWorld, error: BaseException | None
) -> None:
    looks: list[int] = []

    def alarm() -> InvariantBroken:
        looks.append(1)
        if len(looks) > 1:
            raise Unavailable("database_unreachable", "it was there a moment ago")
        return InvariantBroken("foreign_commit", "day 7 is forged")

    def work(run: RunContext) -> Done:
        if error is not None:
            raise error
        return Done()

    job = Job("settle", "settlement", "* * * * *", "", work, look_first=lambda look: alarm)
    with pytest.raises(InvariantBroken) as caught:
        run_job(job, Settings(played.env), cancel=Stop(), report=print)
    assert caught.value.code == "foreign_commit"
    assert any("seeds_missing" in one for one in caught.value.findings) == isinstance(error, Unavailable)
    assert rows(played, "SELECT exit_code, error_code FROM job_runs") == [(1, "foreign_commit")]
