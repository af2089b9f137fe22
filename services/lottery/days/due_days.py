"""The first day that is neither settled nor voided: as our table says, and only if the contract has ended what lies
before it."""

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import DayId
from io_layer.lottery.stores.pipeline import select_last_ended
from io_layer.rpc.reader import Block
from services.lottery.context import LotteryContext


def first_unsettled_day(context: LotteryContext, block: Block) -> DayId:
    """The day after the last one that is DONE or VOIDED. A row that the chain does not confirm would hide every day
    before it for ever, so it is an alarm.

    Raises: InvariantBroken ``done_not_settled``; Unavailable ``release_not_final``.
    """
    last_ended = select_last_ended(context.conn)
    if last_ended is None:
        return context.game.first_day
    next_day = context.game.read_next_day(block)
    if last_ended >= next_day:
        if context.game.is_over_at_a_head(last_ended):
            raise Unavailable(
                "release_not_final",
                f"day {last_ended} has ended here, and its release or void is not final for both RPC endpoints: one of "
                "them lags",
            )
        raise InvariantBroken(
            "done_not_settled",
            f"day {last_ended} is DONE or VOIDED in the database, but both endpoints say that the contract settles day "
            f"{next_day} next: the row was forged, this is the database of another chain, or both endpoints are far "
            "behind; nothing is done until that is cleared up",
        )
    return DayId(last_ended + 1)
