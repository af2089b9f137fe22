"""Gate G13: the second opinion equals core on any day, and shows an error planted in either."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from bo_engine.errors import InvalidInput
from bo_engine.units import Atoms
from core.lottery.documents.merkle_dumps import affiliate_tree, winner_tree
from core.lottery.model import DayResult
from core.lottery.ruleset import Ruleset
from io_layer.lottery.recount.day import Recount, RecountRules, recount_day
from io_layer.postgres.connection import Conn, connect
from tests.io_layer.lottery.stores.builders import crowded_day, store_day
from tests.support.days import DAY, DEPLOYMENT, Day, days


def rules_of(ruleset: Ruleset) -> RecountRules:
    """The plain values that gate G13 hands over."""
    return RecountRules(
        prices=ruleset.prices_atoms,
        fee_bps=ruleset.fee_bps,
        rollover_bps=ruleset.rollover_bps,
        jackpot_bps=ruleset.jackpot_bps,
        tier_bps=dict(ruleset.tier_bps),
        jackpot_payout_bps=ruleset.jackpot_payout_bps,
        jackpot_streak_days=ruleset.jackpot_streak_days,
        affiliate_default_bps=ruleset.affiliate_default_bps,
        charity_bps=ruleset.charity_bps,
        chain_id=DEPLOYMENT.chain_id,
        prize_vault=DEPLOYMENT.prize_vault,
        affiliate_vault=DEPLOYMENT.affiliate_vault,
    )


def recount(conn: Conn, day: Day, numbers: Sequence[Sequence[int]]) -> Recount:
    """The second opinion on a stored day."""
    rates = {one.affiliate: one.rate_bps for one in day.referred}
    return recount_day(conn, DAY, rules_of(day.ruleset), numbers, rates)


def expected(result: DayResult) -> Recount:
    """What core says, in the words of the recount."""
    return Recount(
        total_payout=result.total_payout_atoms,
        affiliate_total=result.affiliate_total_atoms,
        charity_total=result.charity_total_atoms,
        pool_payout=tuple(pool.payout_atoms for pool in result.pools),
        pool_jackpot_payout=tuple(pool.jackpot_payout_atoms for pool in result.pools),
        winner_rows=tuple((one.wallet, one.amount_atoms) for one in result.payouts),
        affiliate_rows=tuple((one.wallet, one.amount_atoms) for one in result.affiliate_payouts),
        winner_root=winner_tree(DEPLOYMENT, DAY, result.payouts).root,
        affiliate_root=affiliate_tree(DEPLOYMENT, DAY, result.affiliate_payouts).root,
    )


def numbers_of(result: DayResult) -> list[tuple[int, ...]]:
    return [pool.winning_numbers for pool in result.pools]


def test_any_day_recounts_to_what_core_settled(postgres_url: str) -> None:
    with connect(postgres_url, application_name="test") as conn:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(day=days())
        def check(day: Day) -> None:
            result = day.settle()
            with conn.transaction(force_rollback=True):
                store_day(conn, day)
                assert recount(conn, day, numbers_of(result)) == expected(result)

        check()


@pytest.mark.parametrize("seed", range(4))
def test_a_crowded_day_recounts_to_what_core_settled(conn: Conn, seed: int) -> None:
    day = crowded_day(200, seed)
    result = day.settle()
    store_day(conn, day)
    found = recount(conn, day, numbers_of(result))
    assert found == expected(result)
    assert found.total_payout > 0
    assert found.affiliate_total > 0


@pytest.mark.parametrize("streak", [88, 89])
def test_the_jackpot_rolls_down_from_the_ninetieth_day_on(conn: Conn, streak: int) -> None:
    day = crowded_day(6, seed=3)
    rolling = replace(day, opening=tuple(replace(state, streak=streak) for state in day.opening))
    result = rolling.settle()
    store_day(conn, rolling)
    assert recount(conn, rolling, numbers_of(result)) == expected(result)
    assert any(pool.jackpot_matches in (4, 5) for pool in result.pools) == (streak == 89)


def test_an_error_planted_in_a_result_shows(conn: Conn, any_day: Day) -> None:
    result = any_day.settle()
    store_day(conn, any_day)
    found = recount(conn, any_day, numbers_of(result))
    first, *rest = result.payouts
    richer = replace(first, amount_atoms=Atoms(first.amount_atoms + 1))
    planted = expected(
        replace(result, payouts=(richer, *rest), total_payout_atoms=Atoms(result.total_payout_atoms + 1))
    )
    assert found.total_payout != planted.total_payout
    assert found.winner_root != planted.winner_root
    assert found.affiliate_root == planted.affiliate_root


def test_a_ticket_changed_behind_the_seal_shows(conn: Conn, any_day: Day) -> None:
    result = any_day.settle()
    store_day(conn, any_day)
    conn.execute("SET LOCAL session_replication_role = replica")
    winner = result.payouts[0].wallet
    conn.execute("UPDATE tickets SET buyer = '0x' || repeat('f', 40) WHERE buyer = %(winner)s", {"winner": winner})
    found = recount(conn, any_day, numbers_of(result))
    assert found.total_payout == result.total_payout_atoms
    assert found.winner_root != expected(result).winner_root


def test_a_day_that_is_not_sealed_is_not_recounted(conn: Conn, any_day: Day) -> None:
    with pytest.raises(InvalidInput, match="recount_not_sealed"):
        recount(conn, any_day, [])
