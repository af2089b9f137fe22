"""Gets both seeds of every closed day with tips: requests and collects the VRF word, fetches and verifies drand.

The VRF word is requested as soon as the head lies behind the day's close, long before that is final: each minute
counts for the draw. What counts stands at a final block. Nothing is chosen: an existing VRF request is adopted, the
drand round follows from the day and the block time of that request, each half is stored once.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from bo_engine.errors import EXIT_DONE, EXIT_LATER, InvalidInput, InvariantBroken, Unavailable, require_invariant
from bo_engine.units import DayId
from core.lottery.draw import drand_round_of, draw_due_s
from core.lottery.ruleset import DrandNetwork
from io_layer.lottery.contracts.day_record import RELEASED, VOIDED
from io_layer.lottery.contracts.game import DayOnChain
from io_layer.lottery.drand import fetch_beacon
from io_layer.lottery.stores.seeds import DaySeeds, insert_beacon, insert_vrf_request, insert_vrf_word, select_seeds
from io_layer.rpc.reader import Block
from services.chain.clock_guard import require_right_clock
from services.chain.reorg_guard import remember_final_block, require_final_blocks
from services.lottery.context import LotteryContext
from services.lottery.days.due_days import first_unsettled_day
from services.lottery.wording import subject_of
from services.transactions.follow import Purpose, close_purpose
from services.transactions.send import send_once


@dataclass(slots=True)
class Refreshed:
    """What one run did, by day id."""

    requested: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    beacons: list[int] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """75 while a seed is still missing."""
        return EXIT_LATER if self.waiting else EXIT_DONE

    def document(self) -> dict[str, Any]:
        """The lists and the exit code."""
        return {**asdict(self), "exit_code": self.exit_code}


def refresh_seeds(context: LotteryContext) -> Refreshed:
    """Take every closed day with tips whose seeds are not complete one step further.

    Raises, once all days were looked at: the first refusal of one, as InvalidInput ``settler_suspended``. Unavailable
    ``clock_wrong``.
    """
    done = Refreshed()
    block = require_final_blocks(context)
    refusal: InvariantBroken | InvalidInput | None = None
    for facts, seeds in _days_without_seeds(context, block):
        require_right_clock(context)
        try:
            _refresh_day(context, block, facts, seeds, done)
        except (InvariantBroken, InvalidInput) as error:
            # One day's alarm must not keep the seeds of the others away, nor a suspended key what others requested.
            refusal = refusal or error
    try:
        for day_id in _closed_at_head(context, block):
            _request_at_head(context, day_id, done)
    except (InvariantBroken, InvalidInput) as error:
        refusal = refusal or error
    if refusal is not None:
        raise refusal
    return done


def plan_seeds(context: LotteryContext) -> dict[str, Any]:
    """What a run would do for each day that lacks a seed; writes and sends nothing."""
    block = context.chain.read_final_block()
    days = []
    for facts, seeds in _days_without_seeds(context, block):
        network = context.ruleset_of(facts).drand
        would = []
        if seeds is None or seeds.vrf_word is None:
            is_requested = facts.vrf_requested_block or context.game.is_seed_requested_at_head(facts.day_id)
            deed = "store" if facts.vrf_word is not None else "wait for" if is_requested else "request"
            would.append(f"{deed} the VRF word")
        if seeds is None or seeds.drand_round is None:
            would.append(_plan_beacon(network, block, facts))
        days.append({"day_id": facts.day_id, "would": " and ".join(would)})
    for day_id in _closed_at_head(context, block):
        deed = "wait for" if context.game.is_seed_requested_at_head(day_id) else "request"
        days.append({"day_id": day_id, "would": f"{deed} the VRF word"})
    return {"days": days}


def _plan_beacon(network: DrandNetwork, block: Block, facts: DayOnChain) -> str:
    if not facts.vrf_requested_block:
        return f"wait for the drand round {network.delay_s} s after the request"
    due_s = draw_due_s(network, facts.day_id, facts.vrf_requested_at)
    deed = "fetch" if block.timestamp_s >= due_s else "wait for"
    return f"{deed} drand round {drand_round_of(network, facts.day_id, facts.vrf_requested_at)}"


def _days_without_seeds(context: LotteryContext, block: Block) -> Iterator[tuple[DayOnChain, DaySeeds | None]]:
    """Closed, unsettled days with tips that lack a seed, and what is known of their seeds."""
    for day in range(first_unsettled_day(context, block), context.game.last_closed_day(block) + 1):
        seeds = select_seeds(context.conn, DayId(day))
        if seeds is not None and seeds.complete() is not None:
            continue
        context.cancel.check()
        facts = context.game.read_day(block, DayId(day))
        # A voided day is refunded and never drawn: a word asked for now would be paid for in vain.
        if facts.tip_count and facts.record.status != VOIDED:
            yield facts, seeds


def _closed_at_head(context: LotteryContext, block: Block) -> list[DayId]:
    """Days with tips that the head has closed and the final block has not; none while the heads differ."""
    head = context.chain.read_common_head()
    if head is None:
        return []
    days = range(context.game.last_closed_day(block) + 1, context.game.last_closed_day(head) + 1)
    return [DayId(day) for day in days if context.game.has_tips_at_head(DayId(day))]


def _request_at_head(context: LotteryContext, day_id: DayId, done: Refreshed) -> None:
    """Request the word, or offer the request again: a block that is taken back takes it with it."""
    require_right_clock(context)
    try:
        _send_request(context, day_id)
    except Unavailable as error:
        reason = error.message
    else:
        done.requested.append(day_id)
        reason = "the VRF word is requested at the head; it counts once its block is final"
    done.waiting.append({"day_id": day_id, "reason": reason})


def _send_request(context: LotteryContext, day_id: DayId) -> None:
    send_once(
        context,
        _request_purpose(context, day_id),
        (day_id,),
        is_under_way=lambda: context.game.is_seed_requested_at_head(day_id),
    )


def _request_purpose(context: LotteryContext, day_id: DayId) -> Purpose:
    return Purpose("VRFReceiver", context.game.contracts.vrf_receiver, "requestSeed", subject_of(day_id), 0)


def _refresh_day(
    context: LotteryContext, block: Block, facts: DayOnChain, seeds: DaySeeds | None, done: Refreshed
) -> None:
    day_id = facts.day_id
    if seeds is None or seeds.vrf_word is None:
        try:
            _refresh_word(context, facts, done)
        except Unavailable as error:
            done.waiting.append({"day_id": day_id, "reason": error.message})
    if seeds is None or seeds.drand_round is None:
        try:
            _refresh_beacon(context, block, facts, done)
        except Unavailable as error:
            done.waiting.append({"day_id": day_id, "reason": error.message})


def _refresh_word(context: LotteryContext, facts: DayOnChain, done: Refreshed) -> None:
    day_id = facts.day_id
    if not facts.vrf_requested_block:
        if facts.record.status >= RELEASED:
            raise InvariantBroken("seed_differs", f"day {day_id} is settled on-chain without a VRF request")
        _send_request(context, day_id)
        done.requested.append(day_id)
        raise Unavailable("vrf_requested", "the VRF word is requested and not answered yet")
    # First, because a day whose seeds are complete is not looked at again.
    close_purpose(context, _request_purpose(context, day_id))
    with context.transaction():
        remember_final_block(context)
        _record_request(context, facts)
        if facts.vrf_word is not None:
            insert_vrf_word(context.conn, day_id, facts.vrf_word)
            done.words.append(day_id)
    if facts.vrf_word is None:
        raise Unavailable("vrf_pending", "the VRF word is requested and not answered yet")


def _record_request(context: LotteryContext, facts: DayOnChain) -> None:
    """Raises: InvariantBroken ``seed_differs``: with the word a request is fixed, and a chain that shows another one
    later is not believed."""
    stored, found = select_seeds(context.conn, facts.day_id), (facts.vrf_requested_block, facts.vrf_requested_at)
    if stored is not None and stored.vrf_word is not None:
        require_invariant(
            (stored.vrf_requested_block, stored.vrf_requested_at) == found,
            "seed_differs",
            f"day {facts.day_id}: its stored VRF request stands in block {stored.vrf_requested_block} of time "
            f"{stored.vrf_requested_at}, the chain tells block {found[0]} of time {found[1]}: both endpoints lied "
            "once; ask a third one when, then read the seeds anew as docs/operations.md says",
        )
    insert_vrf_request(
        context.conn,
        facts.day_id,
        facts.vrf_request_id,
        requested_block=facts.vrf_requested_block,
        requested_at=facts.vrf_requested_at,
    )


def _refresh_beacon(context: LotteryContext, block: Block, facts: DayOnChain, done: Refreshed) -> None:
    network = context.ruleset_of(facts).drand
    if not facts.vrf_requested_block:
        # At the head it may still move to another block time, and the round with it.
        raise Unavailable("drand_not_due", "its drand round is known once the VRF request stands at a final block")
    if block.timestamp_s < draw_due_s(network, facts.day_id, facts.vrf_requested_at):
        raise Unavailable("drand_not_due", f"its drand round is due {network.delay_s} s after the VRF request")
    drand_round = drand_round_of(network, facts.day_id, facts.vrf_requested_at)
    signature, randomness = fetch_beacon(context.settings.drand_urls, network, drand_round)
    with context.transaction():
        remember_final_block(context)
        _record_request(context, facts)
        insert_beacon(context.conn, facts.day_id, drand_round, signature, randomness)
    done.beacons.append(facts.day_id)
