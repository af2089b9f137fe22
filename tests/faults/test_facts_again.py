"""What both endpoints told while a day was computed is read again at every look and before its release (rule 4.5)."""

import pytest
from eth_abi.abi import encode

from io_layer.contracts.codec import codec
from io_layer.lottery.stores.tickets import select_affiliates
from local_world.faults.rules import Rule
from services.lottery.settlement.settle_days import DayOutcome, run_one_step
from tests.support.fault_modes import set_fault
from tests.support.meddling import resume, send_as, veto
from tests.support.observed import audit_actions, event_count, halts, rows, settlement_of, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world


def settle(played: PlayedWorld) -> DayOutcome:
    """One tick, through both endpoints that can lie."""
    (outcome,) = played.settle(RPC_URL=played.world.primary_proxy.url)
    return outcome


def both_tell_doubled_rates(played: PlayedWorld) -> None:
    """Both endpoints tell each affiliate's rate twice as high."""
    with played.context() as context:
        affiliates = select_affiliates(context.conn, played.day)
        rates = context.game.read_affiliate_rates(context.chain.read_final_block(), affiliates, played.day)
    assert affiliates and any(rates.values())
    doubled = "0x" + encode(["uint16[]"], [[2 * rates[one] for one in affiliates]]).hex()
    selector = "0x" + codec("GameManager").selector("affiliateRatesOf").hex()
    set_fault(played, "both", Rule("wrong_call", args={"selector": selector, "value": doubled}))


def affiliate_total(played: PlayedWorld) -> list[tuple[object, ...]]:
    """Status and commissions of the day's runs."""
    return rows(played, "SELECT status, affiliate_total FROM settlement_runs ORDER BY run_id")


def test_rates_that_both_told_falsely_until_the_commit_are_not_released(played: PlayedWorld) -> None:
    true_hash = true_run_hash(played)
    both_tell_doubled_rates(played)
    assert settle(played).run_status == "committed"
    ((_, doubled),) = affiliate_total(played)
    assert settle(played).run_status == "committed"  # as long as the lie is told
    set_fault(played, "none")
    alarm = halts(played, "facts_differ")  # at the next look, while the guardian still can veto
    assert "the affiliates' rates" in alarm.message
    played.pass_challenge()
    assert settle(played).status == "HALTED"
    assert event_count(played, "DayReleased") == 0
    veto(played)
    resume(played)
    outcome = settle(played)
    assert (outcome.run_status, outcome.run_hash) == ("committed", true_hash)
    assert affiliate_total(played)[-1] == ("committed", doubled / 2)  # type: ignore[operator]
    played.pass_challenge()
    assert settle(played).status == "DONE"


@pytest.mark.slow
def test_a_lie_that_ends_after_the_challenge_period_is_met_before_the_release(played: PlayedWorld) -> None:
    both_tell_doubled_rates(played)
    assert settle(played).run_status == "committed"
    played.pass_challenge()
    set_fault(played, "none")
    halts(played, "facts_differ")
    assert event_count(played, "DayReleased") == 0


@pytest.mark.slow
def test_rates_that_both_told_falsely_until_the_approval_are_not_committed(played: PlayedWorld) -> None:
    true_hash = true_run_hash(played)
    both_tell_doubled_rates(played)
    with played.context(RPC_URL=played.world.primary_proxy.url) as context:
        for step in ("export", "affiliates", "compute", "approve"):
            run_one_step(context, step, played.day)
    set_fault(played, "none")
    halts(played, "facts_differ")
    assert event_count(played, "DayCommitted") == 0
    resume(played)
    assert settle(played).run_hash == true_hash


@pytest.mark.slow
def test_rates_that_both_tell_falsely_later_halt_the_day_and_change_nothing(played: PlayedWorld) -> None:
    true_hash = true_run_hash(played)
    assert settle(played).run_hash == true_hash
    both_tell_doubled_rates(played)
    played.pass_challenge()
    halts(played, "facts_differ", RPC_URL=played.world.primary_proxy.url)
    assert event_count(played, "DayReleased") == 0
    set_fault(played, "none")
    resume(played)
    outcome = settle(played)
    assert (outcome.status, outcome.run_hash) == ("DONE", true_hash)


def test_a_ruleset_that_is_another_one_after_the_commit_halts_the_day(played: PlayedWorld) -> None:
    assert settle(played).run_status == "committed"
    played.tamper("UPDATE settlement_runs SET ruleset_hash = sha256('other')")
    assert "the ruleset" in halts(played, "facts_differ").message


def test_a_day_that_somebody_has_released_with_the_lie_ends_and_the_difference_is_recorded(played: PlayedWorld) -> None:
    both_tell_doubled_rates(played)
    assert settle(played).run_status == "committed"
    played.pass_challenge()
    send_as(played, "relayer", "release", tuple(settlement_of(played)))
    played.chain.finalize()
    set_fault(played, "none")
    assert settle(played).status == "DONE"  # nothing is left to stop, and later days must go on
    assert "facts_differ" in audit_actions(played)
