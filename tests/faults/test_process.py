"""Whatever ends a process, or keeps it from ending well: signals, no memory, a failure that comes again and again, a
failure while a failure is written down, a host that is away for days (faults P06 to P09, P12). P01 to P05: see
test_kill_points.py.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import services.lottery.settlement.day
from bo_engine.units import DayId, day_end
from core.lottery.draw import drand_round_of
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.commands import hear_signals, killed_at, started, wait_until
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.kill_world import Runner
from tests.support.meddling import resume
from tests.support.observed import attempts, event_count, pipeline, rows, run_steps, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

SEND = "eth_sendRawTransaction"
_REPOSITORY = Path(__file__).resolve().parents[2]


def state(played: PlayedWorld) -> tuple[str, str | None]:
    """Status and error code of the first day."""
    row = pipeline(played)
    assert row is not None
    return row.status, row.error_code


def settled_in_the_end(played: PlayedWorld) -> None:
    """The fault has ended: cron's next ticks settle the day, once, as if nothing had been."""
    run_hash = true_run_hash(played)
    outcome = played.settle_through()
    assert (outcome.status, outcome.run_hash) == ("DONE", run_hash)
    assert event_count(played, "DayCommitted") == event_count(played, "DayReleased") == 1
    check_at_rest(played, played.day)
    check_invariants(played)


# -- P06: somebody asks the process to end ---------------------------------------------------------------------------


def test_a_run_that_waits_for_the_chain_ends_soon_when_it_is_asked_to(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("down", SEND)
    with started(played, "settle", "--json", RPC_URL=proxy.url) as process:
        wait_until(lambda: proxy.calls().get(SEND) == 2, "both endpoints asked to broadcast")
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)  # it would wait for a minute
    assert (process.returncode, json.loads(stdout)["error"]) == (75, "stopped"), stderr
    assert "SIGTERM asked" in stderr and "Traceback" not in stderr and stderr.count("bo-engine:") == 1
    assert state(played) == ("WAITING", "stopped")
    check_at_rest(played)
    ((_, tx_hash),) = attempts(played)
    proxy.heal()
    settled_in_the_end(played)
    assert [tx for _, tx in attempts(played)] == [tx_hash]


def test_what_is_signed_is_sent_before_a_run_ends_that_is_asked_to(played: PlayedWorld, runner: Runner) -> None:
    listed = runner.run(played.env)
    at = max(one.number for one in listed.boundaries if "journal.insert_attempt" in one.label)
    played.restore()
    nonce = settler_nonce(played)
    ended = runner.run(played.env, flavour="term_after", at=at)
    assert (ended.code, json.loads(ended.stdout)["error"]) == (75, "stopped"), ended.told
    assert ([one for one, _ in attempts(played)], settler_nonce(played)) == (["BROADCAST"], nonce + 1)
    check_at_rest(played)
    settled_in_the_end(played)


def test_a_second_signal_ends_a_run_at_once_and_costs_nothing(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("hang", SEND)
    with started(played, "settle", "--json", RPC_URL=proxy.url) as process:
        wait_until(lambda: SEND in proxy.calls(), "the broadcast that hangs")
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)  # what is under way goes on
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=5)  # less than the deadline of one broadcast
    assert (process.returncode, json.loads(stdout)["error"]) == (75, "interrupted"), stderr
    assert "Traceback" not in stderr
    assert state(played) == ("WAITING", "interrupted")
    check_at_rest(played)
    proxy.heal()
    settled_in_the_end(played)


def test_a_terminal_that_is_closed_ends_a_run_tidily(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("down", SEND)
    ours, theirs = os.openpty()

    def become_leader() -> None:
        hear_signals()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "settle"],
        env=played.command_env(RPC_URL=proxy.url),
        cwd=played.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=become_leader,
    )
    try:
        os.close(theirs)
        wait_until(lambda: proxy.calls().get(SEND) == 2, "both endpoints asked to broadcast")
        os.close(ours)  # the kernel tells the session with SIGHUP
        assert process.wait(timeout=30) == 75
    finally:
        process.kill()
        process.wait()
    assert state(played) == ("WAITING", "stopped")
    check_at_rest(played)


def test_a_rebuild_of_tickets_that_is_asked_to_end_has_changed_nothing(played: PlayedWorld, runner: Runner) -> None:
    played.tamper("DELETE FROM tickets WHERE ticket_id = 1")
    before = fingerprint(played)
    command = ("db", "rebuild-tickets", "--day", str(played.day), "--json")
    ended = runner.run(played.env, command, flavour="term_after", at=1)
    assert (ended.code, json.loads(ended.stdout)["error"]) == (75, "stopped"), ended.told
    assert before.differences(fingerprint(played)) == []
    check_at_rest(played)
    assert json.loads(played.cli(*command).stdout)["inserted"] == 1


# -- P07: no memory ----------------------------------------------------------------------------------------------------


def starved(played: PlayedWorld, whose: str) -> "subprocess.CompletedProcess[str]":
    """A settle run that has no memory left when it computes the day."""
    return subprocess.run(
        [sys.executable, "-m", "tests.support.starved", whose, "settle", "--json"],
        env=played.command_env(PYTHONPATH=str(_REPOSITORY)),
        cwd=played.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_day_that_does_not_fit_into_memory_fails_and_after_three_times_stops(played: PlayedWorld) -> None:
    wanted = [("FAILED", "out_of_memory"), ("FAILED", "out_of_memory"), ("HALTED", "poison")]
    for status in wanted:
        done = starved(played, "work")
        assert (done.returncode, json.loads(done.stdout)["error"]) == (1, "out_of_memory"), done
        assert "Traceback" not in done.stderr
        assert state(played) == status
        assert rows(played, "SELECT count(*) FROM settlement_runs") == [(0,)]  # nothing of the result, not even a part
        check_at_rest(played)
    resume(played)
    settled_in_the_end(played)


def test_a_process_without_memory_even_for_its_last_words_ends_with_a_code_and_no_trace(played: PlayedWorld) -> None:
    done = starved(played, "process")
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr and "bo-engine: " in done.stderr
    assert rows(played, "SELECT count(*) FROM settlement_runs") == [(0,)]
    settled_in_the_end(played)


# -- P08: an error while an error is handled -----------------------------------------------------------------------


def plant(played: PlayedWorld) -> Path:
    """A file of somebody else where the day's inputs belong: the day fails until it is gone."""
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "inputs.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return path


def test_a_failure_that_cannot_be_written_down_is_told_all_the_same(played: PlayedWorld) -> None:
    path = plant(played)
    played.tamper(
        """CREATE FUNCTION deaf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               RAISE EXCEPTION 'the state cannot be written'; END $$"""
    )
    played.tamper(
        """CREATE TRIGGER deaf BEFORE UPDATE ON settlement_pipeline_runs FOR EACH ROW WHEN (NEW.status = 'FAILED')
           EXECUTE FUNCTION deaf()"""
    )
    done = played.cli("settle", "--json")
    assert (done.code, json.loads(done.stdout)["error"]) == (1, "artifact_tampered"), done
    assert "state_not_written" in done.stderr and "Traceback" not in done.stderr
    assert state(played) == ("RUNNING", None)
    assert rows(played, "SELECT holder FROM job_leases WHERE job = 'settle'") == [(None,)]
    played.tamper("DROP FUNCTION deaf CASCADE")
    path.unlink()
    settled_in_the_end(played)


def test_a_log_and_an_answer_that_cannot_be_written_change_neither_state_nor_exit_code(played: PlayedWorld) -> None:
    run_steps(played, "export")
    played.tamper("UPDATE day_seeds SET vrf_word = NULL")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "settle", "--json"],
            env=played.command_env(),
            cwd=played.folder,
            stdout=full,
            stderr=full,
            check=False,
            timeout=120,
        )
    assert done.returncode == 75
    assert state(played) == ("WAITING", "seeds_missing")
    check_at_rest(played)


def test_a_bug_while_tickets_are_half_read_is_written_down(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*, tickets: object, **named: object) -> None:
        next(iter(tickets))  # type: ignore[call-overload]
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(services.lottery.settlement.day, "settle_day", broken)
        with pytest.raises(RuntimeError):
            played.settle()
    assert state(played) == ("FAILED", "unexpected_error")
    check_at_rest(played)
    settled_in_the_end(played)


# -- P09: poison -------------------------------------------------------------------------------------------------------


def test_three_equal_failures_stop_a_day_until_a_person_resumes_it(played: PlayedWorld, runner: Runner) -> None:
    path = plant(played)

    def fails() -> None:
        done = played.cli("settle", "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (1, "artifact_tampered"), done

    fails()
    assert runner.run(played.env, flavour="kill_before", at=2).code == -9
    fails()
    assert state(played) == ("FAILED", "artifact_tampered")
    played.tamper("UPDATE day_seeds SET vrf_word = NULL")
    assert played.cli("settle").code == 75  # has to wait: neither a failure nor a success
    with played.context() as context:
        assert refresh_seeds(context).words == [played.day]
    fails()
    assert state(played) == ("HALTED", "poison")
    row = pipeline(played)
    assert row is not None and row.reason is not None
    times = rows(played, "SELECT unnest(failed_at)::timestamp(0)::text FROM settlement_pipeline_runs")
    assert len(times) == 3
    assert "3 times in a row with artifact_tampered" in row.reason and "bo-engine resume --day" in row.reason

    before = fingerprint(played)
    again = played.cli("settle")
    assert again.code == 1 and "poison" in again.stderr
    assert before.differences(fingerprint(played)) == []  # nothing was tried
    with played.context() as context:
        recover_intents(context)
        refresh_seeds(context)

    resume(played)
    fails()
    fails()
    assert state(played) == ("FAILED", "artifact_tampered")  # counted anew
    path.unlink()
    settled_in_the_end(played)


# -- P12: the host is away ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_host_that_dies_for_three_days_settles_all_of_them_in_order(played: PlayedWorld) -> None:
    days = [DayId(played.day + n) for n in range(3)]
    killed_at(played, "signed, not broadcast", "settle")  # and nothing runs any more
    for day in days[1:]:
        played.sell(day, buyers=3, min_tips=10, seed=day)
    played.chain.advance_to(day_end(days[-1]))
    played.chain.mine(2)
    ticked(played, days)

    bundles = [bundle(played, day) for day in days]
    for earlier, later in pairwise(bundles):
        assert earlier["closing_state"] == later["opening_state"]
    seeds = [one["seeds"] for one in bundles]
    assert len({one["vrf_word"] for one in seeds}) == 3
    network = played.world.ruleset.drand
    for day, one in zip(days, seeds, strict=True):
        assert one["drand_round"] == drand_round_of(network, day, one["vrf_requested_at"])
    sold = rows(played, "SELECT day_id, count(*) FROM tickets WHERE is_final GROUP BY day_id ORDER BY day_id")
    assert sold == [
        (day, sum(pool["ticket_count"] for pool in one["pools"])) for day, one in zip(days, bundles, strict=True)
    ]
    done = rows(played, "SELECT day_id FROM audit_log WHERE action = 'run_approved' ORDER BY audit_id")
    assert done == [(day,) for day in days]
    for day in days:
        assert event_count(played, "DayCommitted", day) == event_count(played, "DayReleased", day) == 1
    check_at_rest(played, *days)
    check_invariants(played)


def ticked(played: PlayedWorld, days: list[DayId]) -> None:
    """Cron again, with all jobs, while Chainlink answers and time passes."""
    drand = played.world.ruleset.drand
    for _ in range(10):
        codes = [played.cli(job).code for job in ("refresh-seeds", "recover-intents", "settle")]
        assert set(codes) <= {0, 75}, codes
        for day in days:
            is_asked = event_count(played, "SeedRequested", day, contract="VRFReceiver") == 1
            if is_asked and event_count(played, "SeedFulfilled", day, contract="VRFReceiver") == 0:
                played.world.fulfil_vrf(day)
                played.chain.advance_to(played.chain.now() + drand.delay_s + 2 * drand.period_s)
        if rows(played, "SELECT count(*) FROM settlement_pipeline_runs WHERE status = 'DONE'") == [(len(days),)]:
            return
        played.pass_challenge()
    raise AssertionError(codes)


def bundle(played: PlayedWorld, day: DayId) -> dict[str, Any]:
    """What the day was committed with."""
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}" / "commit_bundle.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
