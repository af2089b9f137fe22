"""Loop jobs: steps under a short lease, one run after the other, without a gap and never two at once."""

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

import services.jobs.run_job
from bo_engine.errors import Halted, InvariantBroken, Stopped, Unavailable
from bo_engine.settings import Settings
from io_layer.postgres.connection import connect
from services.jobs.job import Done, Job, Loop
from services.jobs.run_job import run_job
from services.running.cancel import Stop
from services.running.context import RunContext
from services.running.lease import this_machine
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world
TTL_S = Loop(step_s=1).ttl_s
EXPIRES = "SELECT expires_at, expires_at <= clock_timestamp() + interval '5 s' FROM job_leases WHERE job = 'toy'"
NOBODY_PID = 2**22 + 1  # above what Linux gives


def toy(work: Callable[[RunContext], Done], **times: float) -> Job:
    """A job whose steps do this."""
    return Job("toy", "maintenance", "* * * * *", "", work, loop=Loop(**{"step_s": 0.1, "lasts_s": 1, **times}))  # type: ignore[arg-type]


def run(played: PlayedWorld, job: Job, cancel: Stop | None = None) -> Done | None:
    """One run of it, as cron would start it."""
    return run_job(job, Settings(played.env), cancel=cancel or Stop(), report=lambda _: None)


def hold(played: PlayedWorld, *, host: str, expires_in_s: int) -> None:
    """Somebody has the toy's lease."""
    played.tamper(
        "INSERT INTO job_leases (job, holder, token, expires_at, host, pid, pid_started) VALUES ('toy', 'before', 7,"
        " clock_timestamp() + make_interval(secs => %(secs)s), %(host)s, %(pid)s, 1)",
        secs=expires_in_s,
        host=host,
        pid=NOBODY_PID,
    )


def test_a_run_takes_steps_under_one_lease_and_is_one_row_with_the_sum_of_their_counts(played: PlayedWorld) -> None:
    tokens = []

    def work(context: RunContext) -> Done:
        with context.transaction():
            tokens.append(context.held.token)
        return Done({"step": len(tokens)}, counts={"steps": 1})

    done = run(played, toy(work))
    assert done is not None
    assert len(tokens) > 3
    assert (set(tokens), done.document, done.counts) == ({1}, {"step": len(tokens)}, {"steps": len(tokens)})
    assert rows(played, "SELECT exit_code, counts ->> 'steps' FROM job_runs") == [(0, str(len(tokens)))]


def test_the_lease_is_short_and_renewed_with_each_step(played: PlayedWorld) -> None:
    found = []

    def work(context: RunContext) -> Done:
        found.extend(context.conn.execute(EXPIRES).fetchall())
        return Done()

    run(played, toy(work, ttl_s=5))
    assert len(found) > 2
    assert all(is_short for _, is_short in found)
    assert all(later > earlier for (earlier, _), (later, _) in pairwise(found))


def test_a_successor_waits_and_goes_on_where_the_run_before_it_ends(
    played: PlayedWorld, record_property: Callable[[str, object], None]
) -> None:
    active: list[str] = []
    steps: list[tuple[str, float]] = []

    def work_of(name: str) -> Callable[[RunContext], Done]:
        def work(context: RunContext) -> Done:
            assert active == []
            active.append(name)
            steps.append((name, time.monotonic()))
            time.sleep(0.05)
            active.remove(name)
            return Done()

        return work

    first = threading.Thread(target=run, args=(played, toy(work_of("first"), lasts_s=2)))
    first.start()
    while not steps:
        time.sleep(0.01)
    run(played, toy(work_of("second"), wait_s=30))
    first.join()
    names = [name for name, _ in steps]
    assert names == sorted(names)
    last_of_first = max(at for name, at in steps if name == "first")
    begins = min(at for name, at in steps if name == "second")
    record_property("taken over after", f"{begins - last_of_first:.2f} s")
    assert begins - last_of_first < TTL_S  # it did not have to expire
    assert rows(played, "SELECT exit_code, error_code FROM job_runs") == [(0, None), (0, None)]


def test_it_takes_over_at_once_from_a_run_that_died_on_this_machine(played: PlayedWorld) -> None:
    hold(played, host=this_machine(), expires_in_s=600)
    assert run(played, toy(lambda _: Done(), wait_s=0)) == Done()


def test_it_takes_over_from_another_machines_run_when_that_ones_lease_is_over(played: PlayedWorld) -> None:
    hold(played, host="far away", expires_in_s=1)
    assert run(played, toy(lambda _: Done(), wait_s=30)) == Done()


def test_a_run_that_waits_in_vain_says_who_has_the_lease_and_counts_as_no_overrun(
    played: PlayedWorld, tmp_path: Path
) -> None:
    hold(played, host="far away", expires_in_s=600)
    settings = Settings({**played.env, "METRICS_DIR": str(tmp_path)})
    with pytest.raises(Unavailable) as caught:
        run_job(toy(lambda _: Done(), wait_s=1), settings, cancel=Stop(), report=lambda _: None)
    assert caught.value.code == "lease_held"
    assert "before" in caught.value.message
    lines = (tmp_path / "bo_toy.prom").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines if line.startswith("bo_job_overruns")] == ["0"]


def test_a_step_that_fails_ends_the_run(played: PlayedWorld) -> None:
    asked = []

    def work(context: RunContext) -> Done:
        asked.append(1)
        return Done(exit_code=1 if len(asked) == 2 else 0, counts={"steps": 1}, error_code="odd", message="odd")

    done = run(played, toy(work, lasts_s=30))
    assert done is not None
    assert (done.exit_code, done.counts) == (1, {"steps": 2})


def test_a_run_that_is_asked_to_end_does_so_between_two_steps(played: PlayedWorld) -> None:
    cancel, asked = Stop(), []

    def work(context: RunContext) -> Done:
        asked.append(1)
        cancel.ask("SIGTERM")
        return Done()

    with pytest.raises(Stopped):
        run(played, toy(work, lasts_s=30), cancel)
    assert len(asked) == 1
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        assert conn.execute("SELECT holder FROM job_leases WHERE job = 'toy'").fetchall() == [(None,)]


def test_a_successor_waits_for_a_step_that_stays_in_one_transaction_longer_than_a_lock_is_waited_for(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def long_step(context: RunContext) -> Done:
        with context.transaction():
            began.set()
            time.sleep(3)
        return Done()

    real = services.jobs.run_job.connect
    monkeypatch.setattr(services.jobs.run_job, "connect", partial(real, lock_timeout_ms=300))
    first = threading.Thread(target=run, args=(played, toy(long_step, lasts_s=0)))
    first.start()
    assert began.wait(60)
    assert run(played, toy(lambda _: Done(), wait_s=60)) == Done()
    first.join()


def test_a_halt_ends_a_loop_whose_steps_write_nothing(played: PlayedWorld) -> None:
    asked = []

    def work(context: RunContext) -> Done:
        asked.append(1)
        played.tamper("INSERT INTO job_halts (job, reason, halted_by) VALUES ('toy', 'upgrade', 'Ann')")
        return Done()

    with pytest.raises(Halted, match="upgrade"):
        run(played, toy(work, lasts_s=30))
    assert len(asked) == 1


def test_a_loop_whose_step_outlasts_its_lease_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="bad_loop"):
        Loop(step_s=15)
