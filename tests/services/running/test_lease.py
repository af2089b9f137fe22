"""One holder of a job at a time: the second is told who has it, a dead one loses it at once, a paused one can neither
write nor send when it wakes (faults H01, H02, H03, P01)."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

import services.transactions.send
from bo_engine.errors import Unavailable
from io_layer.postgres.connection import Conn
from io_layer.stores.journal import Attempt
from services.lottery.policy import JOB
from services.running.lease import held_lease, this_machine
from tests.support.commands import killed_at, started, wait_until
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents
from tests.support.observed import attempts, event_count, pipeline, rows, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld

STEAL = "UPDATE job_leases SET holder = 'another host', token = token + 1, host = 'elsewhere' WHERE job = 'settle'"


def lease_is_held(played: PlayedWorld) -> bool:
    """Whether somebody holds the job settle."""
    return rows(played, "SELECT count(*) FROM job_leases WHERE job = 'settle' AND holder IS NOT NULL") == [(1,)]


def process_started(pid: int) -> int:
    """When a process started, as the kernel counts it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def hold_as(played: PlayedWorld, *, host: str, pid: int, pid_started: int, seconds: int = 900) -> None:
    """Let somebody hold the job settle."""
    played.tamper(
        f"""INSERT INTO job_leases (job, holder, token, expires_at, host, pid, pid_started)
            VALUES ('settle', '{host} process {pid}', 100, clock_timestamp() + interval '{seconds} s', '{host}', {pid},
                    {pid_started})
                ON CONFLICT (job) DO UPDATE
               SET holder = excluded.holder, token = job_leases.token + 100, expires_at = excluded.expires_at,
                   host = excluded.host, pid = excluded.pid, pid_started = excluded.pid_started"""  # noqa: S608
    )


@pytest.mark.slow
def test_of_two_processes_one_works_and_the_other_names_it_and_exits_75(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("hang", "eth_sendRawTransaction")
    with started(played, "settle", "--json", RPC_URL=proxy.url) as first:
        wait_until(lambda: "eth_sendRawTransaction" in proxy.calls(), "the first process at its broadcast")
        before = fingerprint(played)
        second = played.cli("settle", "--json")
        assert (second.code, json.loads(second.stdout)["error"]) == (75, "lease_held")
        assert f"{socket.gethostname()} process {first.pid}" in second.stderr
        assert before.differences(fingerprint(played)) == []
        proxy.heal()
        stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 0, stderr
    assert json.loads(stdout)["days"][0]["run_status"] == "committed"
    assert (len(attempts(played)), event_count(played, "DayCommitted")) == (1, 1)
    assert not lease_is_held(played)


def test_three_processes_started_at_once_commit_once(played: PlayedWorld) -> None:
    nonce = settler_nonce(played)
    with started(played, "settle") as one, started(played, "settle") as two, started(played, "settle") as three:
        codes = [process.wait(timeout=90) for process in (one, two, three)]
    assert set(codes) <= {0, 75}
    assert 0 in codes
    assert (settler_nonce(played), event_count(played, "DayCommitted"), len(attempts(played))) == (nonce + 1, 1, 1)


def test_the_lease_of_a_dead_process_is_taken_over_at_once(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    assert lease_is_held(played)
    assert rows(
        played, "SELECT expires_at > clock_timestamp() + interval '10 min' FROM job_leases WHERE job = 'settle'"
    ) == [(True,)]
    assert played.settle()[0].run_status == "committed"
    assert not lease_is_held(played)


@pytest.mark.parametrize(
    ("host", "pid", "late", "seconds", "is_held"),
    [
        (this_machine(), os.getpid(), 0, 900, True),
        (this_machine(), os.getpid(), 1, 900, False),
        (this_machine(), 2**22 - 3, 0, 900, False),
        ("another-host", os.getpid(), 1, 900, True),
        (socket.gethostname(), 2**22 - 3, 0, 900, True),
        ("another-host", os.getpid(), 1, -1, False),
    ],
    ids=[
        "living",
        "reused-pid",
        "no-such-process",
        "another-host",
        "another-machine-of-the-same-name",
        "another-host-expired",
    ],
)
def test_who_holds_the_lease_decides(
    played: PlayedWorld, *, host: str, pid: int, late: int, seconds: int, is_held: bool
) -> None:
    hold_as(played, host=host, pid=pid, pid_started=process_started(os.getpid()) + late, seconds=seconds)
    if not is_held:
        run_steps(played, "export")
        return
    before = fingerprint(played, leases=True)
    with pytest.raises(Unavailable) as caught:
        played.settle()
    assert caught.value.code == "lease_held"
    assert f"{host} process {pid}" in caught.value.message
    assert before.differences(fingerprint(played, leases=True)) == []


def test_a_lost_lease_lets_no_transaction_through(played: PlayedWorld) -> None:
    with played.context() as context, held_lease(context, JOB) as context:
        with context.transaction():
            pass
        played.tamper(STEAL)
        for write in (
            "INSERT INTO audit_log (actor, action) VALUES ('late', 'late')",
            "UPDATE tickets SET is_final = is_final",
        ):
            with pytest.raises(Unavailable) as caught, context.transaction():
                context.conn.execute(write.encode())
            assert caught.value.code == "lease_lost"
        with pytest.raises(Unavailable) as caught:
            context.renew_lease()
        assert caught.value.code == "lease_lost"
    assert rows(played, "SELECT count(*) FROM audit_log WHERE actor = 'late'") == [(0,)]
    assert rows(played, "SELECT holder FROM job_leases WHERE job = 'settle'") == [("another host",)]


def test_a_holder_that_loses_its_lease_between_signing_and_broadcast_sends_nothing(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce, real = settler_nonce(played), services.transactions.send.select_attempts

    def steal_once_signed(conn: Conn, tx_id: int) -> list[Attempt]:
        # The moment after the signed bytes are committed, before the intent to broadcast is.
        found = real(conn, tx_id)
        if found and found[-1].state == "SIGNED":
            played.tamper(STEAL)
        return found

    monkeypatch.setattr(services.transactions.send, "select_attempts", steal_once_signed)
    with pytest.raises(Unavailable) as caught:
        played.settle()
    assert caught.value.code == "lease_lost"
    assert [state for state, _ in attempts(played)] == ["SIGNED"]
    assert settler_nonce(played) == nonce


@pytest.mark.slow
def test_a_paused_process_wakes_without_its_lease_and_changes_nothing(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.fail("hang", "eth_sendRawTransaction")
    with started(played, "settle", RPC_URL=proxy.url) as paused:
        wait_until(lambda: "eth_sendRawTransaction" in proxy.calls(), "the process at its broadcast")
        paused.send_signal(signal.SIGSTOP)
        proxy.heal()
        played.tamper("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 s', host = 'paused-host'")
        (outcome,) = played.settle()  # a second host takes over and sends the same bytes
        assert outcome.run_status == "committed"
        before = fingerprint(played)
        paused.send_signal(signal.SIGCONT)
        _, stderr = paused.communicate(timeout=90)
    assert paused.returncode == 75, stderr
    assert "lease_lost" in stderr
    assert before.differences(fingerprint(played)) == []
    assert (settler_nonce(played), event_count(played, "DayCommitted"), len(attempts(played))) == (nonce + 1, 1, 1)


def test_other_jobs_go_on_while_settle_is_held(played: PlayedWorld) -> None:
    hold_as(played, host=this_machine(), pid=os.getpid(), pid_started=process_started(os.getpid()))
    with played.context() as context:
        recover_intents(context)
    assert pipeline(played) is None


def test_the_lease_is_given_back_whatever_happened(computed: PlayedWorld) -> None:
    computed.tamper("UPDATE settlement_runs SET jackpot_hit[1] = NOT jackpot_hit[1]")
    with pytest.raises(Exception, match="gates_failed"):
        computed.settle()
    assert not lease_is_held(computed)
