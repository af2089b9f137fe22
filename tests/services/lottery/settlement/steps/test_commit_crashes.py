"""A commit or a release that is killed anywhere is finished by the next tick with the same signed bytes: one purpose,
one transaction (rule 4.5; faults P01, P03, P04, T16)."""

import signal

import pytest

from tests.support.commands import killed_at, started, wait_until
from tests.support.meddling import resume
from tests.support.observed import attempts, event_count, halts, pipeline, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld


@pytest.mark.parametrize(
    ("place", "signed"),
    [
        ("before signing", []),
        ("signed, not committed", []),
        ("signed, not broadcast", ["SIGNED"]),
        ("intent recorded, not broadcast", ["BROADCAST"]),
        ("broadcast, not noted", ["BROADCAST"]),
        ("seen on the chain, not noted", ["BROADCAST"]),
    ],
)
@pytest.mark.sampled(1)
def test_a_killed_commit_is_finished_with_the_same_bytes(played: PlayedWorld, place: str, signed: list[str]) -> None:
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    killed_at(played, place, "settle")
    before = attempts(played)
    assert [state for state, _ in before] == signed
    is_sent = place in ("broadcast, not noted", "seen on the chain, not noted")
    assert settler_nonce(played) == nonce + is_sent
    row = pipeline(played)
    assert row is not None
    assert row.status == "RUNNING"  # nobody could tell it that it is dead

    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.run_hash) == ("committed", run_hash)
    after = attempts(played)
    assert [state for state, _ in after] == ["FINAL"]
    assert [tx for _, tx in before] in ([], [tx for _, tx in after])
    assert outcome.commit_tx == "0x" + after[0][1]
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


@pytest.mark.parametrize(
    "place", ["signed, not broadcast", "broadcast, not noted", "released, not noted", "settled, not counted"]
)
@pytest.mark.sampled(1)
def test_a_killed_release_is_finished_with_the_same_bytes(played: PlayedWorld, place: str) -> None:
    played.settle()
    nonce = settler_nonce(played)
    played.pass_challenge()
    killed_at(played, place, "settle")
    before = attempts(played, "release")
    assert len(before) == 1

    (outcome,) = played.settle()
    assert (outcome.status, outcome.run_status) == ("DONE", "settled")
    after = attempts(played, "release")
    assert [state for state, _ in after] == ["FINAL"]
    assert (before[0][1], outcome.release_tx) == (after[0][1], "0x" + after[0][1])
    assert (settler_nonce(played), event_count(played, "DayReleased")) == (nonce + 1, 1)
    assert played.settle() == []


@pytest.mark.slow
def test_a_process_killed_while_its_broadcast_hangs_is_finished_by_the_next_one(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.fail("hang", "eth_sendRawTransaction")
    with started(played, "settle", RPC_URL=proxy.url) as process:
        wait_until(lambda: [state for state, _ in attempts(played)] == ["BROADCAST"], "the journal's attempt")
        wait_until(lambda: "eth_sendRawTransaction" in proxy.calls(), "the broadcast")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    ((_, tx_hash),) = attempts(played)
    assert settler_nonce(played) == nonce  # durable here, unknown there
    proxy.heal()

    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.commit_tx) == ("committed", "0x" + tx_hash)
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


@pytest.mark.slow
def test_a_run_killed_again_and_again_still_sends_one_transaction(played: PlayedWorld) -> None:
    nonce = settler_nonce(played)
    for place in ("signed, not committed", "signed, not broadcast", "broadcast, not noted"):
        killed_at(played, place, "settle")
    (outcome,) = played.settle()
    assert outcome.run_status == "committed"
    assert (len(attempts(played)), settler_nonce(played)) == (1, nonce + 1)
    assert rows(played, "SELECT count(*) FROM chain_nonces WHERE nonce >= (SELECT max(nonce) FROM chain_nonces)") == [
        (1,)
    ]


def test_signed_bytes_that_were_changed_in_the_journal_are_not_sent(played: PlayedWorld) -> None:
    nonce = settler_nonce(played)
    killed_at(played, "signed, not broadcast", "settle")
    ((tx_id, raw),) = rows(
        played, "SELECT tx_id, encode(raw, 'hex') FROM chain_transaction_attempts WHERE state = 'SIGNED'"
    )
    played.tamper(f"UPDATE chain_transaction_attempts SET raw = set_byte(raw, 60, 7) WHERE tx_id = {tx_id}")  # noqa: S608
    halts(played, "journal_damaged")
    assert settler_nonce(played) == nonce

    played.tamper(f"UPDATE chain_transaction_attempts SET raw = '\\x{raw}' WHERE tx_id = {tx_id}")  # noqa: S608
    resume(played)
    assert played.settle()[0].run_status == "committed"
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)
