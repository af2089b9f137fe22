"""Every refund of a voided day becomes one row, whatever is repeated, killed, dropped or hidden (faults K01, K02; N05,
N06, R09 to R12 as for claims)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId, parse_wallet
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from local_world.lottery.chain_view import ChainView
from services.lottery.claims.index import Backfilled
from tests.invariants.checker import check_invariants
from tests.services.lottery.claims.test_index import LIMITS, backfill, backfill_when_all_is_final, fail_both
from tests.support.claiming import Claimant, claimed_logs, invented_claims, opened_app, stored_claims
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld
from tests.support.refunding import (
    Refunder,
    by_buyer,
    impersonate,
    purchases,
    refunded_logs,
    stored_refunds,
    void_day,
)
from tests.support.reorgs import drop_blocks_above, mark

pytestmark = pytest.mark.world

#: A refund that the chain does not have, of the day before.
PLANT_SURPLUS = """
    INSERT INTO refunds (tx_hash, log_index, kind, day_id, account, nonce, paid_to, amount, block_number, block_hash,
                         is_final)
    SELECT tx_hash, 999, kind, day_id - 1, account, substring(sha256(nonce) FOR 16), paid_to, amount, block_number,
           block_hash, true FROM refunds WHERE kind = 'stake' LIMIT 1
"""


def suspense(played: PlayedWorld) -> list[str]:
    """The reasons of open rows."""
    found = rows(
        played,
        """SELECT reason FROM suspense_events WHERE kind = 'refund' AND resolved_at IS NULL
            ORDER BY block_number, log_index""",
    )
    return [reason for (reason,) in found]


def stake_of(played: PlayedWorld, day: DayId | None = None) -> int:
    """What the chain has sold on the day."""
    pools = ChainView(played.chain, played.world.contracts).ask("GameManager", "poolDays", day or played.day)
    return sum(stake for _, _, stake, _ in pools)


def refundable(played: PlayedWorld, day: DayId | None = None) -> int:
    """What of the day is not refunded yet."""
    return int(ChainView(played.chain, played.world.contracts).ask("ReserveVault", "refundable", day or played.day))


def refund_all(played: PlayedWorld, day: DayId | None = None) -> None:
    """Everyone has his stake back, the promotions account its vouchers; all is final."""
    Refunder(played).refund_many(purchases(played, day or played.day))
    Refunder(played).refund_vouchers(day or played.day)
    played.chain.finalize()


# -- exactly once ------------------------------------------------------------------------------------------------------


def test_every_refund_of_a_voided_day_is_stored_once_and_explained(voided: PlayedWorld) -> None:
    played, refunder = voided, Refunder(voided)
    bought = purchases(played, played.day)
    buyers = by_buyer(bought)
    assert len(buyers) > 4 and any(len(each) > 1 for each in buyers.values())
    first, *others = buyers.values()
    refunder.refund(first)
    refunder.refund_many([one for each in others for one in each[:1]])
    refunder.refund_many(bought)  # through ClaimRouter: what is refunded already is skipped
    refunder.refund_vouchers(played.day)
    played.chain.finalize()

    planned = json.loads(played.cli("backfill-claim-events", "--dry-run", "--json").stdout)
    assert (planned["refunds_found"], planned["claims_found"]) == (len(bought) + 1, 0)
    assert stored_refunds(played) == []
    done = json.loads(played.cli("backfill-claim-events", "--json").stdout)
    assert (done["refunds_final"], done["claims_final"], done["suspended"], done["exit_code"]) == (
        len(bought) + 1,
        0,
        0,
        0,
    )
    stored = stored_refunds(played)
    assert stored == refunded_logs(played)
    assert sum(row[7] for row in stored) == stake_of(played)
    assert refundable(played) == 0
    before = fingerprint(played)
    for _ in range(2):
        assert backfill(played) == Backfilled()
    assert set(before.differences(fingerprint(played))) <= {"table event_cursors"}
    assert "I8" in check_invariants(played)


def test_a_day_voided_by_anyone_is_followed_though_its_word_was_asked_for(closed: PlayedWorld) -> None:
    played = closed
    request = codec("VRFReceiver").call_data("requestSeed", (played.day,))
    ChainAccount(played.chain, played.world.account("relayer")).execute(played.world.contracts.vrf_receiver, request)
    void_day(played, played.day, by="relayer", after_days=7)
    refund_all(played)
    assert backfill(played).suspended == 0
    assert stored_refunds(played) == refunded_logs(played)
    assert len(stored_refunds(played)) == len(purchases(played, played.day)) + 1


@pytest.mark.parametrize("limit", LIMITS, ids=lambda rule: rule.fault)
def test_refunds_come_once_whatever_the_pages_are(voided: PlayedWorld, limit: Rule) -> None:
    played, refunder = voided, Refunder(voided)
    buyers = by_buyer(purchases(played, played.day))
    for each in buyers.values():
        refunder.refund(each)
        played.chain.mine(5)
    refunder.refund_vouchers(played.day)
    played.chain.finalize()
    changed = fail_both(played, limit)
    done = backfill(played, **changed, FIRST_BLOCK=str(played.chain.height() - 70))
    assert (done.refunds_final, done.suspended) == (len(refunded_logs(played)), 0)
    assert stored_refunds(played) == refunded_logs(played)
    # Backfilled from the beginning once more, and over what is there already.
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    played.world.primary_proxy.heal()
    assert backfill(played).suspended == 0
    assert stored_refunds(played) == refunded_logs(played)


@pytest.mark.parametrize("place", ["claims stored, cursor not moved", "claims stored, head not looked at"])
def test_a_killed_backfill_is_repeated_without_a_second_row(voided: PlayedWorld, place: str) -> None:
    refund_all(voided)
    killed_at(voided, place, "backfill-claim-events")
    backfill(voided)
    assert stored_refunds(voided) == refunded_logs(voided)
    assert len(stored_refunds(voided)) == len(purchases(voided, voided.day)) + 1


def test_claims_and_refunds_are_read_in_one_scan_with_one_cursor(voided: PlayedWorld) -> None:
    played = voided
    # The day is settled in our rows, so that its claims are explained, and voided on the chain all the same.
    claims = invented_claims(played, 4)
    bought = purchases(played, played.day)
    Claimant(played).claim(claims[:2])
    Refunder(played).refund_many(bought[:3])
    Claimant(played).claim(claims[2:])
    played.chain.finalize()
    done = backfill(played)
    assert (done.claims_final, done.refunds_final, done.suspended) == (4, 3, 0)
    assert (stored_claims(played), stored_refunds(played)) == (claimed_logs(played), refunded_logs(played))
    assert rows(played, "SELECT name FROM event_cursors WHERE name NOT IN ('final block', 'tickets')") == [("claims",)]
    # Lost is found though our rows call the day settled: what is refundable is not where we would look for it.
    played.tamper("DELETE FROM refunds")
    assert backfill(played).refunds_final == 3
    assert stored_refunds(played) == refunded_logs(played)


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_a_row_that_was_lost_after_it_was_stored_is_read_again(voided: PlayedWorld) -> None:
    played = voided
    refund_all(played)
    backfill(played)
    for lost in ("kind = 'vouchers'", "amount = (SELECT min(amount) FROM refunds WHERE kind = 'stake')"):
        played.tamper(f"DELETE FROM refunds WHERE {lost}")  # noqa: S608
        done = backfill(played)
        assert (done.refunds_final > 0, done.read_again_from) == (True, played.day)
        assert stored_refunds(played) == refunded_logs(played)


def test_a_row_that_the_chain_does_not_have_is_an_alarm_until_a_person_has_all_read_again(voided: PlayedWorld) -> None:
    played = voided
    refund_all(played)
    backfill(played)
    played.tamper("UPDATE refunds SET amount = amount + 1 WHERE kind = 'vouchers'")
    for _ in range(2):
        with pytest.raises(InvariantBroken) as caught:
            backfill(played)
        assert caught.value.code == "logs_incomplete"
        assert f"ReserveVault has refunded less than refunds has, of day(s) {played.day}, " in caught.value.message
        assert "more than" not in caught.value.message
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    done = backfill(played)
    assert (done.refunds_final, done.dropped) == (len(refunded_logs(played)), 1)
    assert stored_refunds(played) == refunded_logs(played)


def test_a_day_with_too_much_keeps_no_later_day_from_what_it_lacks(voided: PlayedWorld) -> None:
    played = voided
    refund_all(played)
    backfill(played)
    played.tamper("DELETE FROM refunds WHERE kind = 'vouchers'")
    played.tamper(PLANT_SURPLUS)
    with pytest.raises(InvariantBroken) as caught:
        backfill(played)
    assert f"refunded less than refunds has, of day(s) {played.day - 1}, " in caught.value.message
    assert "more than" not in caught.value.message
    played.tamper("DELETE FROM refunds WHERE log_index = 999")
    assert stored_refunds(played) == refunded_logs(played)
    assert backfill(played).read_again_from is None


def test_refunds_that_both_endpoints_hide_are_missed_by_what_is_refundable(voided: PlayedWorld) -> None:
    played, refunder = voided, Refunder(voided)
    first, second, *others = by_buyer(purchases(played, played.day)).values()
    refunder.refund(first)
    played.chain.finalize()
    backfill(played)
    refunder.refund(second)
    refunder.refund_many([one for each in others for one in each])
    refunder.refund_vouchers(played.day)
    played.chain.finalize()
    for fault in ("empty_logs", "truncated_logs"):
        changed = fail_both(played, Rule(fault, "eth_getLogs"))
        with pytest.raises(InvariantBroken) as caught:
            backfill(played, **changed)
        assert caught.value.code == "logs_incomplete"
        assert f"ReserveVault has refunded more than refunds has, of day(s) {played.day}, " in caught.value.message
        assert "less than" not in caught.value.message
        assert len(stored_refunds(played)) >= len(first)  # what was known is not forgotten for it
    played.world.proxy.heal()
    assert backfill(played).read_again_from == played.day
    assert stored_refunds(played) == refunded_logs(played)


def test_of_two_voided_days_the_one_that_lacks_refunds_is_named(closed: PlayedWorld) -> None:
    played, later = closed, DayId(closed.day + 1)
    played.sell(later, buyers=3, seed=4)
    played.close(later, has_tips=False)
    void_day(played, played.day)
    void_day(played, later)
    refund_all(played)
    backfill(played)
    refund_all(played, later)
    changed = fail_both(played, Rule("empty_logs", "eth_getLogs"))
    with pytest.raises(InvariantBroken, match=rf"refunded more than refunds has, of day\(s\) {later}, "):
        backfill(played, **changed)
    done = backfill_when_all_is_final(played)
    assert done.read_again_from == later
    assert stored_refunds(played) == refunded_logs(played)
    assert sum(row[7] for row in stored_refunds(played)) == stake_of(played) + stake_of(played, later)


def test_refunds_that_one_endpoint_hides_are_a_disagreement(voided: PlayedWorld) -> None:
    refund_all(voided)
    voided.world.proxy.fail("empty_logs", "eth_getLogs")
    with pytest.raises(InvariantBroken) as caught:
        backfill(voided)
    assert caught.value.code == "rpc_disagreement"
    assert stored_refunds(voided) == []


# -- forks -------------------------------------------------------------------------------------------------------------


def test_a_fork_rolls_back_to_the_common_ancestor_and_no_further(voided: PlayedWorld) -> None:
    played, refunder = voided, Refunder(voided)
    first, second, third, *_ = by_buyer(purchases(played, played.day)).values()
    refunder.refund(first)
    played.chain.finalize()
    changed = fail_both(played, Rule("frozen_finality"))
    assert backfill(played, **changed).refunds_final == len(first)
    refunder.refund(second)
    ancestor = mark(played)
    dropped = [refunder.refund(third), refunder.refund_vouchers(played.day)]
    assert backfill(played, **changed).shown == len(second) + len(third) + 1
    kept = [row for row in stored_refunds(played, is_final=False) if row[8] <= ancestor.height]
    assert len(kept) == len(second)

    drop_blocks_above(played, ancestor)
    for tx_hash in dropped:
        played.chain.call("anvil_dropTransaction", tx_hash)
    done = backfill(played, **changed)
    assert (done.dropped, done.shown) == (len(third) + 1, len(second))
    assert stored_refunds(played, is_final=False) == kept
    assert len(stored_refunds(played)) == len(first)

    # On the new chain the vouchers come first, and to another account.
    refunder.forget_nonce()
    payee = "0x" + "7e" * 20
    promotions = Refunder(played, by="promotions")
    promotions.set_payee(payee)
    refunder.refund_vouchers(played.day)
    assert backfill(played, **changed).shown == len(second) + 1
    refunder.refund(third)
    done = backfill_when_all_is_final(played)
    assert (done.refunds_final, done.dropped, done.suspended) == (len(second) + len(third) + 1, 0, 0)
    assert stored_refunds(played) == refunded_logs(played)
    assert [row[6] for row in stored_refunds(played) if row[2] == "vouchers"] == [payee]


def test_a_shown_refund_gives_way_to_what_became_final_in_its_place(voided: PlayedWorld) -> None:
    played, refunder = voided, Refunder(voided)
    bought = purchases(played, played.day)
    changed = fail_both(played, Rule("frozen_finality"))
    backfill(played, **changed)
    before = mark(played)
    dropped = [refunder.refund_many(bought), refunder.refund_vouchers(played.day)]
    assert backfill(played, **changed).shown == len(bought) + 1
    drop_blocks_above(played, before)
    for tx_hash in dropped:
        played.chain.call("anvil_dropTransaction", tx_hash)
    refunder.forget_nonce()
    refunder.refund_vouchers(played.day)
    refunder.refund_many(list(reversed(bought)))
    done = backfill_when_all_is_final(played)
    assert (done.refunds_final, done.dropped, done.suspended) == (len(bought) + 1, len(bought) + 1, 0)
    assert stored_refunds(played) == refunded_logs(played)


# -- what nothing of ours explains -------------------------------------------------------------------------------------


def test_a_refund_that_no_ticket_of_ours_explains_is_kept_aside_and_closes_by_itself(voided: PlayedWorld) -> None:
    played = voided
    bought = purchases(played, played.day)
    lost, other_stake, other_day = bought[0], bought[1], bought[2]
    played.tamper("CREATE TABLE kept AS SELECT * FROM tickets")
    played.tamper("DELETE FROM tickets WHERE ticket_id = %(id)s", id=lost.ticket_id)
    played.tamper(
        "UPDATE tickets SET stake = stake + paid_tips + voucher_tips WHERE ticket_id = %(id)s", id=other_stake.ticket_id
    )
    played.tamper("UPDATE tickets SET day_id = day_id + 1 WHERE ticket_id = %(id)s", id=other_day.ticket_id)
    Refunder(played).refund_many(bought[:4])
    played.chain.finalize()
    done = played.cli("backfill-claim-events", "--json")
    assert json.loads(done.stdout)["suspended"] == 3
    assert "refunds_unexplained" in done.stderr
    reasons = suspense(played)
    assert {
        f"no final ticket of {lost.buyer} here has the nonce 0x{lost.nonce.hex()}",
        f"ticket {other_day.ticket_id} is of day {played.day + 1}, it was refunded as of day {played.day}",
    } < set(reasons)
    (about_stake,) = (one for one in reasons if one.startswith("the player paid "))
    assert f"for ticket {other_stake.ticket_id}, {other_stake.stake_atoms} were refunded" in about_stake
    assert stored_refunds(played) == refunded_logs(played)  # ReserveVault has paid them: nothing is dropped
    assert backfill(played).suspended == 0
    assert len(suspense(played)) == 3

    played.tamper("DELETE FROM tickets")
    played.tamper("INSERT INTO tickets SELECT * FROM kept")
    assert backfill(played).explained == 3
    assert suspense(played) == []
    assert rows(played, "SELECT DISTINCT resolved_by FROM suspense_events") == [("engine",)]


def test_a_refund_of_vouchers_that_our_tickets_do_not_add_up_to_is_kept_aside(voided: PlayedWorld) -> None:
    played = voided
    played.tamper("CREATE TABLE kept AS SELECT * FROM tickets")
    played.tamper("DELETE FROM tickets WHERE voucher_tips > 0")
    Refunder(played).refund_vouchers(played.day)
    played.chain.finalize()
    assert backfill(played).suspended == 1
    ((amount,),) = rows(played, "SELECT amount::text FROM refunds")
    assert suspense(played) == [f"the vouchers of day {played.day} cost 0 atoms here, {amount} were refunded"]
    played.tamper("INSERT INTO tickets SELECT * FROM kept WHERE voucher_tips > 0")
    assert backfill(played).explained == 1


def test_a_refund_of_a_day_that_is_not_voided_is_kept_aside_and_an_alarm(closed: PlayedWorld) -> None:
    played = closed
    bought = purchases(played, played.day)
    impersonate(played, played.world.contracts.settlement, "ReserveVault", "bookRefund", played.day, stake_of(played))
    Refunder(played).refund_many(bought[:2])
    played.chain.finalize()
    with pytest.raises(InvariantBroken) as caught:
        backfill(played)
    assert f"ReserveVault has refunded less than refunds has, of day(s) {played.day}, " in caught.value.message
    assert set(suspense(played)) == {f"day {played.day} is not voided on the chain, so nothing of it can be refunded"}
    assert stored_refunds(played) == refunded_logs(played)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("amount = amount - 1", "our stored row of this event has other facts"),
        (
            "log_index = 999, amount = amount - 1",
            "an earlier refund of the same ticket or vouchers stands in its place",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["stake", "vouchers"])
@pytest.mark.sampled(1)
def test_a_refund_that_is_not_stored_is_kept_aside_with_what_stands_in_its_way(
    voided: PlayedWorld, kind: str, change: str, reason: str
) -> None:
    played = voided
    refund_all(played)
    backfill(played)
    one = f"kind = '{kind}' AND amount = (SELECT min(amount) FROM refunds WHERE kind = '{kind}')"  # noqa: S608
    played.tamper(f"UPDATE refunds SET {change} WHERE ctid = (SELECT min(ctid) FROM refunds WHERE {one})")  # noqa: S608
    with pytest.raises(InvariantBroken, match="refunded more than refunds has"):
        backfill(played)
    assert suspense(played) == [reason]
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    backfill(played)
    assert (stored_refunds(played), suspense(played)) == (refunded_logs(played), [])


# -- refused on the chain (K02) ----------------------------------------------------------------------------------------


def test_what_the_contract_refuses_leaves_no_row_and_loses_nothing(closed: PlayedWorld) -> None:
    played, refunder = closed, Refunder(closed)
    first, second, *_ = by_buyer(purchases(played, played.day)).values()
    assert "NotRefundable" in str(refunder.refusal(first[0].buyer, [first[0].nonce]))
    void_day(played, played.day)
    assert "UnknownNonce" in str(refunder.refusal(second[0].buyer, [first[0].nonce]))
    assert "UnknownNonce" in str(refunder.refusal(first[0].buyer, [b"\x01" * 16]))
    refunder.refund(first)
    assert "NothingToRefund" in str(refunder.refusal(first[0].buyer, [one.nonce for one in first]))
    played.chain.finalize()
    assert backfill(played).refunds_final == len(first)
    assert sum(row[7] for row in stored_refunds(played)) == stake_of(played) - refundable(played)


def test_a_buyer_whom_the_token_blocks_is_refunded_to_his_payee(voided: PlayedWorld) -> None:
    played, refunder, view = voided, Refunder(voided), ChainView(voided.chain, voided.world.contracts)
    first, *_ = by_buyer(purchases(played, played.day)).values()
    buyer, payee = first[0].buyer, parse_wallet("0x" + "9a" * 20)
    impersonate(played, parse_wallet(played.world.account("owner").address), "TestUSDT", "setBlocked", buyer, True)
    assert "BlockedByToken" in str(refunder.refusal(buyer, [one.nonce for one in first]))
    refunder.refund_many(purchases(played, played.day))  # he is skipped, all others are paid
    impersonate(played, buyer, "ReserveVault", "setPayee", payee)
    refunder.refund(first)
    played.chain.finalize()
    assert backfill(played).suspended == 0
    assert stored_refunds(played) == refunded_logs(played)
    paid: dict[Any, set[Any]] = {}
    for row in stored_refunds(played):
        paid.setdefault(row[4], set()).add(row[6])
    assert paid.pop(buyer) == {payee}
    assert all({account} == to for account, to in paid.items())
    assert view.balance_of(payee) == sum(one.stake_atoms for one in first)


def test_the_query_of_the_apps_page_shows_a_buyer_what_he_has_back(voided: PlayedWorld) -> None:
    played = voided
    mine = max(by_buyer(purchases(played, played.day)).values(), key=len)
    Refunder(played).refund(mine[:1])
    played.chain.finalize()
    backfill(played)
    assert played.settle()[0].status == "VOIDED"
    page = (Path(__file__).parents[4] / "docs" / "app.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(SELECT t\.ticket_id.*?;)\n```", page, re.DOTALL)
    with opened_app(played) as app:
        found = app.execute(query.replace("$1", "%s").encode(), (mine[0].buyer,)).fetchall()
    assert [(row[0], row[1], row[2]) for row in found] == [(one.ticket_id, one.nonce, one.stake_atoms) for one in mine]
    assert [row[4] for row in found] == [mine[0].buyer] + [None] * (len(mine) - 1)


def test_a_sum_of_the_contract_that_no_day_explains_is_an_alarm(voided: PlayedWorld) -> None:
    played = voided
    far = played.day + 1_000
    impersonate(played, played.world.contracts.settlement, "ReserveVault", "bookRefund", far, 7)
    refund_all(played)
    with pytest.raises(InvariantBroken, match="ReserveVault calls 7 atoms more refundable than its days") as caught:
        backfill(played)
    assert caught.value.code == "refundable_differs"
    assert stored_refunds(played) == refunded_logs(played)  # what is known is stored all the same
