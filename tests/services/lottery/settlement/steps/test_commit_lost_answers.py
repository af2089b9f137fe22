"""A broadcast whose answer is lost is unknown, not failed: the same bytes go out again, one transaction comes of it
(rule 4.5; faults R04, T01, T04, P04, C07)."""

import pytest

import services.lottery.settlement.steps.commit_day
from bo_engine.errors import Unavailable
from bo_engine.units import ZERO_WALLET
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from tests.support.commands import killed_at
from tests.support.observed import attempts, event_count, pipeline, refuses, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld

SEND = "eth_sendRawTransaction"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine waits a second for the chain, not a minute."""
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 1.0)


@pytest.mark.parametrize("fault", ["down", "lost"])
@pytest.mark.sampled(1)
def test_one_endpoint_that_does_not_answer_a_broadcast_delays_nothing(played: PlayedWorld, fault: str) -> None:
    nonce = settler_nonce(played)
    played.world.proxy.fail(fault, SEND)
    (outcome,) = played.settle()
    assert outcome.run_status == "committed"
    assert played.world.proxy.calls()[SEND] == 1  # a send is never repeated within a run
    assert (len(attempts(played)), settler_nonce(played)) == (1, nonce + 1)


def test_a_hanging_endpoint_delays_a_broadcast_by_its_deadline_only(played: PlayedWorld) -> None:
    played.world.proxy.fail("hang", SEND, seconds=1)
    assert played.settle()[0].run_status == "committed"
    assert event_count(played, "DayCommitted") == 1


def test_a_broadcast_that_arrived_although_both_answers_were_lost_is_found(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.fail("lost", SEND)
    (outcome,) = played.settle(RPC_URL=proxy.url)
    assert (outcome.run_status, outcome.run_hash) == ("committed", true_run_hash(played))
    assert [state for state, _ in attempts(played)] == ["FINAL"]
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


@pytest.mark.usefixtures("impatient")
def test_a_broadcast_that_never_arrived_is_sent_again_with_the_same_bytes(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.fail("down", SEND)
    for _ in range(2):
        error = refuses("waiting_for_chain", played, RPC_URL=proxy.url)
        assert error.exit_code == 75
        row = pipeline(played)
        assert row is not None
        assert (row.status, row.error_code, row.approve_ok) == ("WAITING", "waiting_for_chain", True)
    ((state, tx_hash),) = attempts(played)
    assert (state, settler_nonce(played)) == ("BROADCAST", nonce)
    proxy.heal()
    (outcome,) = played.settle()
    assert outcome.commit_tx == "0x" + tx_hash
    assert [state for state, _ in attempts(played)] == ["FINAL"]
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.slow
def test_a_release_that_never_arrived_is_sent_again_with_the_same_bytes(played: PlayedWorld) -> None:
    played.settle()
    played.pass_challenge()
    proxy = played.world.proxy
    proxy.fail("down", SEND)
    refuses("waiting_for_chain", played, RPC_URL=proxy.url)
    ((_, tx_hash),) = attempts(played, "release")
    proxy.heal()
    (outcome,) = played.settle()
    assert (outcome.status, outcome.release_tx) == ("DONE", "0x" + tx_hash)
    assert event_count(played, "DayReleased") == 1


def test_a_mined_commit_whose_block_is_dropped_is_sent_again_with_the_same_bytes(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce = settler_nonce(played)
    with monkeypatch.context() as patched:
        patched.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 0.0)
        refuses("waiting_for_chain", played)  # mined, which is not done
    ((state, tx_hash),) = attempts(played)
    assert state == "MINED"
    mined_at = int(played.chain.call("eth_getTransactionReceipt", "0x" + tx_hash)["blockNumber"], 16)
    played.chain.call("anvil_reorg", played.chain.height() - mined_at + 1, [])
    played.chain.call("anvil_dropTransaction", "0x" + tx_hash)
    assert played.chain.call("eth_getTransactionReceipt", "0x" + tx_hash) is None
    assert settler_nonce(played) == nonce

    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.commit_tx) == ("committed", "0x" + tx_hash)
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.slow
def test_a_nonce_that_a_manual_transaction_took_is_given_up_only_when_that_is_final(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    ((_, lost),) = attempts(played)
    manual = ChainAccount(played.chain, played.world.account("settler"))
    manual.receipt(manual.send(ZERO_WALLET, b""))
    nonce = settler_nonce(played)
    outcome = None
    for _ in range(6):
        try:
            (outcome,) = played.settle()
            break
        except Unavailable as error:
            assert error.code in ("waiting_for_chain", "nonce_in_flight"), error
            played.chain.mine(1)
    assert outcome is not None
    assert outcome.run_status == "committed"
    states = attempts(played)
    assert [state for state, _ in states] == ["DROPPED", "FINAL"]
    assert states[0][1] == lost
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)


def test_a_settler_without_ether_is_told_before_a_nonce_is_taken(played: PlayedWorld) -> None:
    settler = played.world.account("settler").address
    nonces = rows(played, "SELECT count(*) FROM chain_nonces")
    played.chain.fund(settler, 0)
    error = refuses("settler_unfunded", played)
    assert (error.exit_code, "top it up" in error.message) == (75, True)
    assert attempts(played) == []
    assert rows(played, "SELECT count(*) FROM chain_nonces") == nonces
    played.chain.fund(settler)
    assert played.settle()[0].run_status == "committed"
    assert [state for state, _ in attempts(played)] == ["FINAL"]


@pytest.mark.slow
def test_an_endpoint_that_fails_for_a_while_defers_the_day_and_changes_nothing(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    for fault in ("down", "http", "null_result", "foreign_id"):
        proxy.set_rules(Rule(fault, args={"status": 503} if fault == "http" else {}))
        assert refuses("rpc_unreachable", played).exit_code == 75, fault
    proxy.heal()
    assert (pipeline(played), settler_nonce(played)) == (None, nonce)
    assert played.settle()[0].run_status == "committed"
