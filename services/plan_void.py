"""What the owner's multisig signs to void a day: exact inputs, why it is allowed, since when. Reads only."""

from typing import Any

from bo_engine.errors import InvalidInput, InvariantBroken
from bo_engine.units import DayId, day_end, hex_of
from core.documents.merkle_dumps import winner_tree
from core.void import ANNOUNCED_AGE_S, MISSING_WORD_AGE_S, NOTICE_S, VoidReason, void_reason
from io_layer.contract_codec import codec
from io_layer.database import read_only
from io_layer.game_chain import COMMITTED, RELEASED, VOIDED, DayOnChain
from io_layer.void_chain import VoidTerms, read_void_terms
from services.day_work import check_proofs, open_day
from services.engine import Engine
from services.void_work import refunds_of


def plan_void(engine: Engine, day_id: DayId) -> dict[str, Any]:
    """The call ``voidDay(dayId, refundRoot, refundTotal)`` of the day, from its tickets and the chain at a final block.

    The promotions account is the one in force now: should it change before the void, plan again.
    Raises: InvalidInput ``not_voidable``, ``day_settled``, ``day_voided``, ``commit_pending``, ``day_out_of_order``;
    InvariantBroken ``void_rules_differ`` when the contract says otherwise; as ``day_work.open_day``.
    """
    with read_only(engine.conn):
        facts = engine.read_closed_day(day_id)
        _require_open(facts)
        terms = read_void_terms(engine.game, facts.block, day_id)
        reason = _reason(facts, terms)
        opened = open_day(engine, day_id)
        voided = refunds_of(engine, opened, terms.promotions)
        tree = winner_tree(engine.game.deployment, day_id, voided.result.payouts)
        check_proofs(tree)
    total = voided.result.total_payout_atoms
    calldata = codec("SettlementV4").call_data("voidDay", (day_id, tree.root, int(total)))
    return {
        "day_id": day_id,
        "void_reason": reason,
        "allowed_since_s": _since(facts, terms, reason),
        "observed_block": facts.block.number,
        "from": terms.owner,
        "to": engine.game.contracts.settlement,
        "function": "voidDay(uint256,bytes32,uint256)",
        "refund_root": hex_of(tree.root),
        "refund_total": str(total),
        "calldata": hex_of(calldata),
        "refunds": len(voided.result.payouts),
        "promotions": terms.promotions,
        "voucher_refund": str(voided.voucher_refund_atoms),
    }


def _require_open(facts: DayOnChain) -> None:
    day_id, status = facts.day_id, facts.record.status
    if status == RELEASED:
        raise InvalidInput("day_settled", f"day {day_id} is settled: its money has moved, it cannot be voided any more")
    if status == VOIDED:
        raise InvalidInput("day_voided", f"day {day_id} is voided already; `bo-engine settle` takes its refunds over")
    if facts.next_day != day_id:
        raise InvalidInput("day_out_of_order", f"only day {facts.next_day}, the contract's next, can be voided")
    if status == COMMITTED:
        raise InvalidInput(
            "commit_pending", f"a commit of day {day_id} is pending: the guardian must veto it before a void"
        )


def _reason(facts: DayOnChain, terms: VoidTerms) -> VoidReason:
    now = facts.block.timestamp_s
    reason = void_reason(
        day_end_s=day_end(facts.day_id),
        at_s=now,
        announced_at_s=terms.announced_at_s,
        has_tips=facts.tip_count > 0,
        has_word=facts.vrf_word is not None,
    )
    if (reason is not None) != terms.is_voidable:
        raise InvariantBroken(
            "void_rules_differ",
            f"day {facts.day_id}: by our rules it is {'' if reason else 'not '}voidable at {now}, the contract says "
            "otherwise; nothing is planned",
        )
    if reason is None:
        raise InvalidInput("not_voidable", f"day {facts.day_id} cannot be voided at {now}: {_why_not(facts, terms)}")
    return reason


def _why_not(facts: DayOnChain, terms: VoidTerms) -> str:
    end = day_end(facts.day_id)
    if facts.tip_count == 0:
        word = "it has no tips, so no VRF word is missing"
    elif facts.vrf_word is not None:
        word = "its VRF word is there"
    else:
        word = f"its missing VRF word allows it from {end + MISSING_WORD_AGE_S} on"
    if terms.announced_at_s:
        from_s = max(end + ANNOUNCED_AGE_S, terms.announced_at_s + NOTICE_S)
        return f"{word}; its announcement allows it from {from_s} on"
    return (
        f"{word}; announceVoid(uint256) by the owner would allow it {NOTICE_S} s later, from {end + ANNOUNCED_AGE_S} "
        "on at the earliest"
    )


def _since(facts: DayOnChain, terms: VoidTerms, reason: VoidReason) -> int:
    if reason == "announced":
        return max(day_end(facts.day_id) + ANNOUNCED_AGE_S, terms.announced_at_s + NOTICE_S)
    return day_end(facts.day_id) + MISSING_WORD_AGE_S
