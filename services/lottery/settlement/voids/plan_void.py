"""Who may void a day, from when, and the call that does it. Asks the chain only; reads no tickets, sends nothing."""

from typing import Any

from bo_engine.errors import InvalidInput, require_invariant
from bo_engine.units import DayId, hex_of
from core.lottery.void import void_times, why_not_voidable
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED, VOIDED
from io_layer.lottery.contracts.game import DayOnChain
from io_layer.lottery.contracts.voids import read_void_terms
from services.lottery.context import LotteryContext


def plan_void(context: LotteryContext, day_id: DayId) -> dict[str, Any]:
    """The call ``voidDay(day_id)`` and its conditions, at a final block. ``allowed_to`` is None while there is a
    ``why_not``; times are unix seconds of the chain.

    Raises: InvalidInput ``day_not_closed``, ``day_before_first``, ``day_settled``, ``day_voided``; InvariantBroken
    ``void_rules_differ`` when the contract says other times than rule 7.4.
    """
    facts = context.read_closed_day(day_id)
    _require_open(facts)
    terms = read_void_terms(context.game, facts.block, day_id)
    times = void_times(
        day_id=day_id,
        has_tips=facts.tip_count > 0,
        has_word=facts.vrf_word is not None,
        requested_at_s=terms.requested_at_s,
    )
    require_invariant(
        times == terms.times,
        "void_rules_differ",
        f"day {day_id}: by our rules it may be voided from {times}, the contract says {terms.times}: planned nothing",
    )
    why_not = why_not_voidable(
        times,
        day_id=day_id,
        next_day=facts.next_day,
        at_s=facts.block.timestamp_s,
        is_committed=facts.record.status == COMMITTED,
        is_finished=terms.is_finished,
    )
    return {
        "day_id": day_id,
        "allowed_to": None if why_not else times.allowed_to(facts.block.timestamp_s),
        "why_not": why_not,
        "owner_from_s": times.owner_s,
        "anyone_from_s": times.anyone_s,
        "owner": terms.owner,
        "to": context.game.contracts.settlement,
        "function": "voidDay(uint256)",
        "calldata": hex_of(codec("SettlementV4").call_data("voidDay", (day_id,))),
        "stake": str(sum(pool.stake_atoms for pool in facts.pools)),
        "observed_block": facts.block.number,
        "observed_at_s": facts.block.timestamp_s,
    }


def _require_open(facts: DayOnChain) -> None:
    day_id, status = facts.day_id, facts.record.status
    if status == RELEASED:
        raise InvalidInput(
            "day_settled", f"day {day_id} is released: its money has moved, it cannot be voided any more"
        )
    if status == VOIDED:
        raise InvalidInput("day_voided", f"day {day_id} is voided already")
