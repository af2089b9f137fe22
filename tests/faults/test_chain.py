"""The chain stands still, does not become final, is one endpoint or both tell less than
there is, or another value (faults C04, C05, C08, R07, R10, R14, R16)."""

from collections.abc import Iterator

import pytest

from io_layer.contracts.codec import codec
from local_world.faults.rules import Rule
from tests.support.fault_modes import (
    forget_the_chain,
    impatient,
    require_sane,
    require_true,
    rule_of,
    set_fault,
    settle_after,
    standing,
    tick,
)
from tests.support.fees import SEND
from tests.support.observed import attempts, audit_actions, event_count, halts, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld, opened_sold_world

pytestmark = pytest.mark.world
RECEIPT = "eth_getTransactionReceipt"


@pytest.fixture(scope="module")
def sold_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """A young world: after some thousand blocks anvil forgets states, and an endpoint that lags asks for old ones."""
    with opened_sold_world(tmp_path_factory.mktemp("young")) as sold:
        yield sold


@pytest.fixture(autouse=True)
def _impatient(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    true_run_hash(played)


def waits(played: PlayedWorld, ticks: int = 3) -> None:
    """Cron's ticks end with 75, the day waits, and nothing is sent twice."""
    for _ in range(ticks):
        told = tick(played)
        require_sane(played, told)
        assert {exit_code for _, exit_code, _ in told.ends} == {75}, told.ends
    found = standing(played)
    assert (found.status, found.not_before) == ("WAITING", None), found


# -- C04, C05, C08 -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sequencer_that_stands_still_for_three_hours_defers_the_day_and_nothing_is_sent_twice(
    played: PlayedWorld,
) -> None:
    nonce = settler_nonce(played)
    set_fault(played, "both", rule_of("frozen_head"))
    waits(played)
    ((state, tx_hash),) = attempts(played)
    assert (state, settler_nonce(played)) == ("BROADCAST", nonce + 1)
    played.chain.advance_to(played.chain.now() + 3 * 3_600)
    settle_after(played)
    assert attempts(played) == [("FINAL", tx_hash)]
    assert settler_nonce(played) == nonce + 2  # and the release


@pytest.mark.slow
def test_while_no_block_becomes_final_a_mined_commit_stays_mined_and_the_day_waits(played: PlayedWorld) -> None:
    set_fault(played, "both", rule_of("frozen_finality"))
    waits(played)
    assert event_count(played, "DayCommitted") == 1
    assert [state for state, _ in attempts(played)] == ["MINED"]
    assert rows(played, "SELECT status FROM settlement_runs") == [("approved",)]
    assert "not final yet" in str(standing(played).reason)
    settle_after(played)


@pytest.mark.slow
def test_a_chain_that_stops_when_one_endpoint_has_taken_the_broadcast_gets_no_second_transaction(
    played: PlayedWorld,
) -> None:
    nonce, frozen = settler_nonce(played), rule_of("frozen_head")
    played.world.primary_proxy.set_rules(Rule("down", SEND), frozen)
    played.world.proxy.set_rules(frozen)
    waits(played, 2)
    ((_, tx_hash),) = attempts(played)
    settle_after(played)
    assert attempts(played) == [("FINAL", tx_hash)]
    assert settler_nonce(played) == nonce + 2


# -- R07, R10, R14, R16 ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [8, 40, 500])
def test_an_endpoint_that_lags_decides_how_far_the_chain_is_final(played: PlayedWorld, blocks: int) -> None:
    played.chain.mine(blocks)  # so that it has seen the day close, and nothing since
    set_fault(played, "fallback", Rule("stale_head", args={"blocks": blocks}))
    waits(played, 1)
    assert event_count(played, "DayCommitted") == 1
    assert rows(played, "SELECT status FROM settlement_runs") == [("approved",)]
    settle_after(played)


@pytest.mark.slow
def test_logs_that_both_endpoints_cut_in_the_same_way_are_missed_and_no_day_is_settled(played: PlayedWorld) -> None:
    forget_the_chain(played)
    set_fault(played, "both", rule_of("truncated_logs"))
    told = tick(played)
    assert ("recover-intents", 1, "logs_incomplete") in told.ends
    assert ("settle", 75, "tickets_missing") in told.ends
    require_true(played)
    assert event_count(played, "DayCommitted") == 0
    settle_after(played)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["primary", "fallback"])
def test_a_pot_that_one_endpoint_tells_otherwise_halts_the_day_with_both_values_and_no_signature(
    played: PlayedWorld, place: str
) -> None:
    selector = "0x" + codec("GameManager").selector("poolDays").hex()
    set_fault(played, place, Rule("wrong_call", args={"selector": selector}))
    alarm = halts(played, "rpc_disagreement", RPC_URL=played.world.primary_proxy.url)
    assert "primary 0x" in alarm.message and "fallback 0x" in alarm.message
    assert attempts(played) == []
    settle_after(played)


@pytest.mark.slow
def test_a_receipt_that_one_endpoint_does_not_know_decides_nothing(played: PlayedWorld) -> None:
    set_fault(played, "fallback", Rule("null_result", RECEIPT))
    waits(played, 2)
    assert [state for state, _ in attempts(played)] == ["BROADCAST"]
    assert rows(played, "SELECT status FROM settlement_runs") == [("approved",)]
    settle_after(played)


@pytest.mark.slow
def test_a_final_block_on_which_the_endpoints_differ_is_waited_for_and_no_alarm(played: PlayedWorld) -> None:
    played.settle()
    set_fault(played, "fallback", rule_of("wrong_blocks"))
    told = tick(played)
    assert {end[1:] for end in told.ends} == {(75, "rpc_out_of_step")}, told.ends
    assert "final_block_changed" not in audit_actions(played)
    settle_after(played)
