"""Every claim on the chain becomes one row, whatever is repeated, re-ordered, killed, dropped or hidden (faults N05,
N06, R09 to R12)."""

import json
from collections.abc import Iterator

import pytest

import services.lottery.claims.index
from bo_engine.errors import EXIT_LATER, InvariantBroken, Unavailable
from bo_engine.units import day_end
from io_layer.lottery.contracts.game import GameChain
from io_layer.lottery.contracts.payments import read_payment_pages
from io_layer.lottery.stores.payments.events import Payment
from local_world.faults.rules import Rule
from local_world.lottery.claims import COMMISSIONS, PRIZES
from services.lottery.claims.index import Backfilled
from tests.invariants.checker import check_invariants
from tests.support.claiming import Claimant, claimed_logs, invented_claims, settled_claims, stored_claims, write_claim
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.jobs import backfill_claim_events
from tests.support.meddling import CURSOR_MOVES, move_cursor_before
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld
from tests.support.reorgs import drop_blocks_above, mark

pytestmark = pytest.mark.world

#: A claim that the chain does not have, of the day before all others.
PLANT_SURPLUS = """
    INSERT INTO claim_events (tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash,
                              is_final)
    SELECT tx_hash, 999, vault, day_id - 1, account, paid_to, amount, block_number, block_hash, true
      FROM claim_events LIMIT 1
"""


def backfill(played: PlayedWorld, **changed: str) -> Backfilled:
    """Run the job once."""
    with played.context(**changed) as context:
        return backfill_claim_events(context)


def backfill_when_all_is_final(played: PlayedWorld) -> Backfilled:
    """Run the job once more, through healthy endpoints and with every block final."""
    played.world.primary_proxy.heal()
    played.world.proxy.heal()
    played.chain.finalize()
    return backfill(played)


def through_both(played: PlayedWorld) -> dict[str, str]:
    """Settings that lead both endpoints through the proxies."""
    return {"RPC_URL": played.world.primary_proxy.url}


def fail_both(played: PlayedWorld, *rules: Rule) -> dict[str, str]:
    """Both endpoints fail in the same way."""
    played.world.primary_proxy.set_rules(*rules)
    played.world.proxy.set_rules(*rules)
    return through_both(played)


def suspense(played: PlayedWorld) -> list[tuple[str, str]]:
    """Open rows: reason and amount."""
    return rows(
        played,
        """SELECT reason, payload ->> 'amount' FROM suspense_events WHERE kind = 'claim' AND resolved_at IS NULL
            ORDER BY block_number, log_index""",
    )


@pytest.fixture
def read_from(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks from which on logs of claims were asked for."""
    found: list[int] = []

    def read(game: GameChain, first: int, last: int) -> Iterator[tuple[int, list[Payment]]]:
        found.append(first)
        return read_payment_pages(game, first, last)

    monkeypatch.setattr(services.lottery.claims.index, "read_payment_pages", read)
    return found


# -- exactly once ------------------------------------------------------------------------------------------------------


def test_every_claim_of_a_settled_day_is_stored_once_and_explained(played: PlayedWorld) -> None:
    played.settle_through()
    claims = settled_claims(played)
    assert {claim.vault for claim in claims} == {PRIZES, COMMISSIONS}
    claimant = Claimant(played)
    claimant.claim(claims[: len(claims) // 2])
    claimant.claim(claims)  # half of them are skipped: a vault pays once
    played.chain.finalize()
    planned = json.loads(played.cli("backfill-claim-events", "--dry-run", "--json").stdout)
    assert planned["claims_found"] == len(claims)
    assert stored_claims(played) == []
    done = json.loads(played.cli("backfill-claim-events", "--json").stdout)
    assert (done["claims_final"], done["suspended"], done["exit_code"]) == (len(claims), 0, 0)
    assert stored_claims(played) == claimed_logs(played)
    before = fingerprint(played)
    for _ in range(2):
        assert backfill(played) == Backfilled()
    assert set(before.differences(fingerprint(played))) <= {"table event_cursors"}
    for claim in claims:
        write_claim(played, claim)
    assert json.loads(played.cli("resolve-pending-claims", "--json").stdout)["paid"] == len(claims)
    assert "I8" in check_invariants(played)


LIMITS = [
    Rule("log_result_limit", args={"results": 5}),
    Rule("log_range_limit", args={"blocks": 7}),
    Rule("duplicate_logs"),
]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda rule: rule.fault)
@pytest.mark.sampled(1)
def test_claims_come_once_whatever_the_pages_are(played: PlayedWorld, limit: Rule) -> None:
    claims = invented_claims(played, 24)
    claimant = Claimant(played)
    for start in range(0, len(claims), 4):
        claimant.claim(claims[start : start + 4])
        played.chain.mine(5)
    changed = fail_both(played, limit)
    done = backfill(played, **changed, FIRST_BLOCK=str(played.chain.height() - 60))
    assert (done.claims_final, done.suspended) == (24, 0)
    assert stored_claims(played) == claimed_logs(played)
    # Backfilled from the beginning once more, and over what is there already.
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    played.world.primary_proxy.heal()
    assert backfill(played).suspended == 0
    assert stored_claims(played) == claimed_logs(played)


@pytest.mark.parametrize("place", ["claims stored, cursor not moved", "claims stored, head not looked at"])
def test_a_killed_backfill_is_repeated_without_a_second_row(played: PlayedWorld, place: str) -> None:
    claims = invented_claims(played, 6)
    Claimant(played).claim(claims)
    played.chain.finalize()
    killed_at(played, place, "backfill-claim-events")
    backfill(played)
    assert stored_claims(played) == claimed_logs(played)
    assert len(stored_claims(played)) == 6


@pytest.mark.parametrize("move", CURSOR_MOVES)
@pytest.mark.sampled(1)
def test_a_page_is_not_stored_when_the_cursor_was_moved_while_it_was_read(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    backfill(played)  # so that there is a cursor
    Claimant(played).claim(invented_claims(played, 6))
    played.chain.finalize()
    before = fingerprint(played)
    with monkeypatch.context() as patch:
        module = services.lottery.claims.index
        move_cursor_before(patch, played, module, "insert_payments", name="claims", move=move)
        with pytest.raises(Unavailable) as caught:
            backfill(played)
    assert (caught.value.code, caught.value.exit_code) == ("cursor_moved", EXIT_LATER)
    assert before.differences(fingerprint(played)) == ["table event_cursors"]
    played.tamper("DELETE FROM event_cursors")  # as `resume --chain` does, once a person has looked
    assert backfill(played).claims_final == 6
    assert stored_claims(played) == claimed_logs(played)


def test_a_row_that_was_lost_after_it_was_stored_is_read_again(played: PlayedWorld) -> None:
    Claimant(played).claim(invented_claims(played, 6))
    played.chain.finalize()
    backfill(played)
    played.tamper("DELETE FROM claim_events WHERE amount = (SELECT min(amount) FROM claim_events)")
    done = backfill(played)
    assert (done.claims_final, done.read_again_from) == (1, played.day)
    assert stored_claims(played) == claimed_logs(played)


def test_a_row_that_the_chain_does_not_have_is_an_alarm_until_a_person_has_all_read_again(
    played: PlayedWorld, read_from: list[int]
) -> None:
    Claimant(played).claim(invented_claims(played, 3))
    played.chain.finalize()
    backfill(played)
    ((final,),) = rows(played, "SELECT block_number FROM event_cursors WHERE name = 'claims'")
    played.tamper("UPDATE claim_events SET amount = amount + 1 WHERE amount = (SELECT min(amount) FROM claim_events)")
    read_from.clear()
    for _ in range(2):
        with pytest.raises(InvariantBroken, match=rf"paid out less than .*, of day\(s\) {played.day}, ") as caught:
            backfill(played)
        assert (caught.value.code, "more than" in caught.value.message) == ("logs_incomplete", False)
    # What is too much here cannot be found on the chain: nothing is read again for it.
    assert min(read_from) > final
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    done = backfill(played)
    assert (done.claims_final, done.dropped) == (3, 1)
    assert stored_claims(played) == claimed_logs(played)


def test_while_the_alarm_stands_the_head_is_shown_and_what_is_explained_is_closed(played: PlayedWorld) -> None:
    claims = invented_claims(played, 5)
    claimant = Claimant(played)
    played.tamper("UPDATE settlement_runs SET status = 'dry_run', approved_by = NULL, approved_at = NULL")
    claimant.claim(claims[:3])
    played.chain.finalize()
    changed = fail_both(played, Rule("frozen_finality"))
    assert backfill(played, **changed).suspended == 3
    played.tamper("UPDATE settlement_runs SET status = 'settled', approved_by = 'a test', approved_at = now()")
    played.tamper(PLANT_SURPLUS)
    claimant.claim(claims[3:])
    with pytest.raises(InvariantBroken, match="paid out less than claim_events has") as caught:
        backfill(played, **changed)
    assert caught.value.code == "logs_incomplete"
    assert len(stored_claims(played, is_final=False)) == 2
    assert suspense(played) == []


def test_a_day_with_too_much_keeps_no_later_day_from_what_it_lacks(played: PlayedWorld, read_from: list[int]) -> None:
    Claimant(played).claim(invented_claims(played, 3))
    played.chain.finalize()
    backfill(played)
    read_from.clear()
    played.tamper("DELETE FROM claim_events WHERE amount = (SELECT min(amount) FROM claim_events)")
    played.tamper(PLANT_SURPLUS)
    with pytest.raises(InvariantBroken, match="paid out less than") as caught:
        backfill(played)
    assert (f"of day(s) {played.day - 1}, " in caught.value.message, "more than" in caught.value.message) == (
        True,
        False,
    )
    with played.context() as context:
        # From the day on that lacks some, not from the other one's.
        assert context.chain.read_block(min(read_from)).timestamp_s >= day_end(played.day)
    played.tamper("DELETE FROM claim_events WHERE log_index = 999")
    assert stored_claims(played) == claimed_logs(played)
    assert backfill(played).read_again_from is None


# -- hidden ------------------------------------------------------------------------------------------------------------


def test_claims_that_both_endpoints_hide_are_missed_by_the_vaults_counters(played: PlayedWorld) -> None:
    claims = invented_claims(played, 6)
    claimant = Claimant(played)
    claimant.claim(claims[:3])
    played.chain.finalize()
    backfill(played)
    claimant.claim(claims[3:])
    played.chain.finalize()
    for fault in ("empty_logs", "truncated_logs"):
        changed = fail_both(played, Rule(fault, "eth_getLogs"))
        with pytest.raises(InvariantBroken) as caught:
            backfill(played, **changed)
        assert caught.value.code == "logs_incomplete"
        assert f"paid out more than claim_events has, of day(s) {played.day}, " in caught.value.message
        assert "less than" not in caught.value.message
        assert len(stored_claims(played)) >= 3  # what was known is not forgotten for it
    played.world.proxy.heal()
    assert backfill(played).read_again_from == played.day
    assert stored_claims(played) == claimed_logs(played)


def test_claims_that_one_endpoint_hides_are_a_disagreement(played: PlayedWorld) -> None:
    Claimant(played).claim(invented_claims(played, 3))
    played.chain.finalize()
    played.world.proxy.fail("empty_logs", "eth_getLogs")
    with pytest.raises(InvariantBroken) as caught:
        backfill(played)
    assert caught.value.code == "rpc_disagreement"
    assert stored_claims(played) == []


# -- forks -------------------------------------------------------------------------------------------------------------


def test_a_fork_rolls_back_to_the_common_ancestor_and_no_further(played: PlayedWorld) -> None:
    claims = invented_claims(played, 9)
    claimant = Claimant(played)
    claimant.claim(claims[:3])
    played.chain.finalize()
    changed = fail_both(played, Rule("frozen_finality"))
    assert backfill(played, **changed).claims_final == 3
    claimant.claim(claims[3:6])
    ancestor = mark(played)
    dropped = claimant.claim(claims[6:])
    assert backfill(played, **changed).shown == 6
    kept = [row for row in stored_claims(played, is_final=False) if row[7] <= ancestor.height]
    assert len(kept) == 3

    drop_blocks_above(played, ancestor)
    played.chain.call("anvil_dropTransaction", dropped)
    done = backfill(played, **changed)
    assert (done.dropped, done.shown) == (3, 3)
    assert stored_claims(played, is_final=False) == kept
    assert len(stored_claims(played)) == 3

    # On the new chain others come first, in another order, in one transaction.
    claimant.forget_nonce()
    claimant.claim([claims[8], claims[6]])
    assert backfill(played, **changed).shown == 5
    claimant.claim([claims[7]])
    done = backfill_when_all_is_final(played)
    assert (done.claims_final, done.dropped, done.suspended) == (6, 0, 0)
    assert stored_claims(played) == claimed_logs(played)
    assert len(stored_claims(played)) == 9


def test_a_shown_claim_gives_way_to_what_became_final_in_its_place(played: PlayedWorld) -> None:
    claims = invented_claims(played, 4)
    claimant = Claimant(played)
    changed = fail_both(played, Rule("frozen_finality"))
    backfill(played, **changed)
    before = mark(played)
    dropped = claimant.claim(claims)
    assert backfill(played, **changed).shown == 4
    drop_blocks_above(played, before)
    played.chain.call("anvil_dropTransaction", dropped)
    claimant.forget_nonce()
    claimant.claim(list(reversed(claims)))
    done = backfill_when_all_is_final(played)
    assert (done.claims_final, done.dropped, done.suspended) == (4, 4, 0)
    assert stored_claims(played) == claimed_logs(played)


# -- not ours ----------------------------------------------------------------------------------------------------------


def test_a_claim_that_is_no_payout_of_ours_is_kept_aside_with_its_reason_and_told(played: PlayedWorld) -> None:
    claims = invented_claims(played, 4)
    played.tamper(
        """DELETE FROM settlement_winner_payouts WHERE amount = (SELECT min(amount) FROM settlement_winner_payouts)"""
    )
    played.tamper("UPDATE settlement_winner_payouts SET amount = amount - 1 WHERE wallet = %(w)s", w=claims[1].wallet)
    Claimant(played).claim(claims)
    played.chain.finalize()
    done = played.cli("backfill-claim-events", "--json")
    assert json.loads(done.stdout)["suspended"] == 2
    assert "claims_unexplained" in done.stderr
    (no_payout, amount), (other_amount, more) = suspense(played)
    assert f"no such payout of {claims[0].wallet}" in no_payout
    assert f"our payout is {claims[1].amount_atoms - 1} atoms, {claims[1].amount_atoms} were claimed" in other_amount
    assert (int(amount), int(more)) == (claims[0].amount_atoms, claims[1].amount_atoms)
    assert stored_claims(played) == claimed_logs(played)  # the vault has paid them: nothing is dropped
    assert backfill(played).suspended == 0
    assert len(suspense(played)) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("amount = amount - 1", "our stored row of this event has other facts"),
        ("log_index = 999, amount = amount - 1", "an earlier claim of the same payout stands in its place"),
    ],
)
def test_a_claim_that_is_not_stored_is_kept_aside_with_what_stands_in_its_way(
    played: PlayedWorld, change: str, reason: str
) -> None:
    claims = invented_claims(played, 3)
    Claimant(played).claim(claims)
    played.chain.finalize()
    backfill(played)
    played.tamper(f"UPDATE claim_events SET {change} WHERE amount = (SELECT min(amount) FROM claim_events)")  # noqa: S608
    with pytest.raises(InvariantBroken, match="paid out more than claim_events has"):
        backfill(played)
    assert suspense(played) == [(reason, str(claims[0].amount_atoms))]
    played.tamper("DELETE FROM event_cursors WHERE name = 'claims'")
    backfill(played)
    assert (stored_claims(played), suspense(played)) == (claimed_logs(played), [])


def test_a_claim_of_a_day_that_is_settled_here_only_later_is_explained_then(played: PlayedWorld) -> None:
    claims = invented_claims(played, 3)
    played.tamper("UPDATE settlement_runs SET status = 'dry_run', approved_by = NULL, approved_at = NULL")
    Claimant(played).claim(claims)
    played.chain.finalize()
    assert backfill(played).suspended == 3
    assert "is approved here" in suspense(played)[0][0]
    played.tamper("UPDATE settlement_runs SET status = 'settled', approved_by = 'a test', approved_at = now()")
    assert backfill(played).explained == 3
    assert suspense(played) == []
    assert rows(played, "SELECT DISTINCT resolved_by FROM suspense_events") == [("engine",)]
