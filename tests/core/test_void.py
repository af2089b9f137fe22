"""A voided day: every atom of stake goes back to who paid it, and nothing else moves (rule 2.12)."""

import json
import random
from collections import defaultdict
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import MAX_UINT256, ZERO_HASH, ZERO_WALLET, Atoms, PoolId, TicketId
from core.bundle import bundle_bytes
from core.documents.merkle_dumps import winner_domain, winner_tree
from core.documents.void import render_void_affiliates, render_void_result, void_bundle
from core.fold import fold_day
from core.model import PoolState, StakeSplit, VoidedDay
from core.ruleset import RULESET_1
from core.void import ANNOUNCED_AGE_S, MISSING_WORD_AGE_S, NOTICE_S, VOID_REASONS, void_day, void_reason
from merkle.leaf import leaf_hash
from merkle.proof import verify_proof
from tests.support.days import DAY, DEPLOYMENT, EMPTY_STATE, Day, days, quick, ticket, wallet

PROMOTIONS = wallet(0x9999)
SIX = (1, 2, 3, 4, 5, 6)
CLOSE = (DAY + 1) * 86_400


def voided(day: Day, promotions: str = PROMOTIONS) -> VoidedDay:
    """The day, refunded."""
    return void_day(
        day_id=DAY, ruleset=day.ruleset, opening=day.opening, tickets=day.tickets, promotions=promotions
    )  # fmt: skip


def test_a_void_computed_by_hand() -> None:
    # Pool 2, 1 USDT a tip: Alice paid 5 of 7 tips that cost something (3 more are bonus), pool 0: Bob paid 2.
    alice = ticket(1, 2, wallet(0xA), [SIX] * 10, paid=5, vouchers=2, affiliate=wallet(0xF))
    bob = ticket(2, 0, wallet(0xB), [SIX] * 2, paid=2)
    again = ticket(3, 2, wallet(0xA), [SIX], paid=1)
    state = PoolState(Atoms(70), Atoms(80), Atoms(9), 12)
    void = void_day(
        day_id=DAY, ruleset=RULESET_1, opening=(state,) * 5, tickets=[alice, bob, again], promotions=PROMOTIONS
    )
    refunds = {payout.wallet: payout.amount_atoms for payout in void.result.payouts}
    assert refunds == {wallet(0xA): 6_000_000, wallet(0xB): 500_000, PROMOTIONS: 2_000_000}
    assert void.result.total_payout_atoms == 8_500_000
    assert (void.promotions, void.voucher_refund_atoms) == (PROMOTIONS, 2_000_000)
    assert [pool.refund_atoms for pool in void.result.pools] == [500_000, 0, 8_000_000, 0, 0]
    assert {pool.closing for pool in void.result.pools} == {PoolState(Atoms(79), Atoms(80), Atoms(0), 12)}
    assert void.result.affiliate_payouts == ()
    nothing = StakeSplit(Atoms(0), Atoms(0), Atoms(0), Atoms(0))
    assert {(pool.split, pool.jackpot_matches, pool.jackpot_hit) for pool in void.result.pools} == {(nothing, 0, False)}


def test_the_limits_are_the_contracts_three_thirty_and_seven_days() -> None:
    assert (MISSING_WORD_AGE_S, ANNOUNCED_AGE_S, NOTICE_S) == (259_200, 2_592_000, 604_800)


@quick
@given(days())
def test_no_atom_is_created_or_lost_by_a_void(day: Day) -> None:
    result = voided(day).result
    stake = sum(one.stake_atoms for one in day.tickets)
    assert sum(payout.amount_atoms for payout in result.payouts) == result.total_payout_atoms == stake
    for before, pool in zip(day.opening, result.pools, strict=True):
        after = pool.closing
        assert after.carry_atoms == before.carry_atoms + before.last_rollover_atoms
        assert (after.reserve_atoms, after.last_rollover_atoms, after.streak) == (
            before.reserve_atoms,
            0,
            before.streak,
        )
    assert result.pools == tuple(
        replace(pool, sold=sold)
        for pool, sold in zip(result.pools, fold_day(DAY, day.ruleset, day.tickets).sold(), strict=True)
    )
    assert (result.fee_atoms, result.affiliate_total_atoms, result.charity_total_atoms, result.net_fee_atoms) == (
        0,
    ) * 4
    assert result.seeds is None


@quick
@given(days())
def test_each_player_gets_his_own_stake_and_promotions_the_vouchers(day: Day) -> None:
    expected: dict[str, int] = defaultdict(int)
    for one in day.tickets:
        price = day.ruleset.prices_atoms[one.pool_id]
        expected[one.buyer] += price * one.paid_tips
        expected[PROMOTIONS] += price * one.voucher_tips
    found = voided(day).result.payouts
    assert {payout.wallet: payout.amount_atoms for payout in found} == {w: a for w, a in expected.items() if a}
    assert [payout.wallet for payout in found] == sorted(payout.wallet for payout in found)


@quick
@given(days(), st.integers(100, 105))
def test_a_promotions_account_that_also_bought_gets_one_refund(day: Day, player: int) -> None:
    apart, merged = voided(day), voided(day, wallet(player))
    assert merged.result.total_payout_atoms == apart.result.total_payout_atoms
    assert len({payout.wallet for payout in merged.result.payouts}) == len(merged.result.payouts)
    amounts = {payout.wallet: payout.amount_atoms for payout in apart.result.payouts}
    amounts[wallet(player)] = amounts.get(wallet(player), 0) + amounts.pop(PROMOTIONS, 0)
    assert {p.wallet: p.amount_atoms for p in merged.result.payouts} == {w: a for w, a in amounts.items() if a}


@quick
@given(days())
def test_every_refund_has_a_proof_and_an_empty_day_has_no_root(day: Day) -> None:
    payouts = voided(day).result.payouts
    tree = winner_tree(DEPLOYMENT, DAY, payouts)
    assert (tree.root == ZERO_HASH) == (not day.tickets)
    for payout in payouts:
        leaf = leaf_hash(winner_domain(DEPLOYMENT), DAY, payout.wallet, payout.amount_atoms)
        index = tree.tree_index_of(leaf)
        assert index is not None and verify_proof(tree.root, leaf, tree.proof(index))


@quick
@given(days(), st.sampled_from(VOID_REASONS))
def test_the_files_of_a_void_are_canonical_and_say_so(day: Day, reason: str) -> None:
    void = voided(day)
    result = b"".join(render_void_result(voided=void, reason=reason, deployment=DEPLOYMENT))
    affiliates = b"".join(render_void_affiliates(day_id=DAY, chain_id=1))
    bundle = bundle_bytes(
        void_bundle(
            voided=void,
            reason=reason,
            deployment=DEPLOYMENT,
            ruleset_hash=ZERO_HASH,
            inputs_sha256=ZERO_HASH,
            affiliates_sha256=ZERO_HASH,
            refund_root=ZERO_HASH,
        )
    )
    for data in (result, affiliates, bundle):
        document = json.loads(data)
        assert document["mode"] == "void"
        assert rfc8785.dumps(document) == data
    assert json.loads(result)["void_reason"] == json.loads(bundle)["void_reason"] == reason
    assert json.loads(result)["promotions"] == (PROMOTIONS if void.voucher_refund_atoms else None)


def test_the_same_day_gives_the_same_files_whoever_the_promotions_account_is_if_it_paid_nothing() -> None:
    day = Day(RULESET_1, (EMPTY_STATE,) * 5, (ticket(1, 0, wallet(1), [SIX], paid=1),), (), None)
    assert voided(day) == voided(day, wallet(0x7777))


def test_what_no_day_can_be_voided_from_is_refused() -> None:
    day = Day(RULESET_1, (EMPTY_STATE,) * 5, (ticket(1, 0, wallet(1), [SIX], paid=1),), (), None)
    full = PoolState(Atoms(MAX_UINT256), Atoms(0), Atoms(1), 0)
    other_stake = day.tickets[0]._replace(stake_atoms=Atoms(250_001))
    negative = PoolState(Atoms(0), Atoms(-1), Atoms(0), 0)
    cases = [
        ("bad_promotions", day, ZERO_WALLET),
        ("bad_state", replace(day, opening=(EMPTY_STATE,) * 4), PROMOTIONS),
        ("bad_state", replace(day, opening=(EMPTY_STATE,) * 4 + (negative,)), PROMOTIONS),
        ("amount_overflow", replace(day, opening=(EMPTY_STATE,) * 4 + (full,)), PROMOTIONS),
        ("bad_ticket", replace(day, tickets=(other_stake,)), PROMOTIONS),
        ("tickets_unordered", replace(day, tickets=day.tickets * 2), PROMOTIONS),
    ]
    for code, wrong, promotions in cases:
        with pytest.raises(InvalidInput) as caught:
            voided(wrong, promotions)
        assert caught.value.code == code


def test_the_largest_carry_that_the_contract_can_hold_is_kept() -> None:
    largest = PoolState(Atoms(MAX_UINT256 - 1), Atoms(0), Atoms(1), 0)
    void = voided(Day(RULESET_1, (EMPTY_STATE,) * 4 + (largest,), (), (), None))
    assert void.result.pools[4].closing.carry_atoms == MAX_UINT256


def test_a_thousand_tickets_of_one_player_are_one_refund() -> None:
    dice = random.Random(5)
    tickets = tuple(
        ticket(n, dice.randint(0, 4), wallet(3), [SIX], paid=1)._replace(ticket_id=TicketId(n)) for n in range(1, 1001)
    )
    void = voided(Day(RULESET_1, (EMPTY_STATE,) * 5, tickets, (), None))
    (refund,) = void.result.payouts
    assert refund.amount_atoms == sum(RULESET_1.prices_atoms[PoolId(one.pool_id)] for one in tickets)


@pytest.mark.parametrize(
    ("at_s", "announced_at_s", "has_tips", "has_word", "reason"),
    [
        (CLOSE + MISSING_WORD_AGE_S - 1, 0, True, False, None),
        (CLOSE + MISSING_WORD_AGE_S, 0, True, False, "vrf_missing"),
        (CLOSE + MISSING_WORD_AGE_S, 0, True, True, None),
        (CLOSE + MISSING_WORD_AGE_S, 0, False, False, None),
        (CLOSE + ANNOUNCED_AGE_S, 0, True, True, None),
        (CLOSE + ANNOUNCED_AGE_S - 1, CLOSE, True, True, None),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE, True, True, "announced"),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE, False, False, "announced"),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE, True, False, "announced"),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE + ANNOUNCED_AGE_S - NOTICE_S, True, True, "announced"),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE + ANNOUNCED_AGE_S - NOTICE_S + 1, True, True, None),
        (CLOSE + ANNOUNCED_AGE_S, CLOSE + ANNOUNCED_AGE_S - NOTICE_S + 1, True, False, "vrf_missing"),
    ],
)
def test_a_void_is_allowed_as_the_contract_allows_it(
    at_s: int, announced_at_s: int, has_tips: bool, has_word: bool, reason: str | None
) -> None:
    found = void_reason(
        day_end_s=CLOSE, at_s=at_s, announced_at_s=announced_at_s, has_tips=has_tips, has_word=has_word
    )  # fmt: skip
    assert found == reason
