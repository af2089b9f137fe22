"""The first day that is not settled: as our table says, and only if the contract has settled what lies before it."""

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import DayId
from io_layer.chain_reader import Block
from io_layer.pipeline_store import select_last_done
from services.engine import Engine


def first_unsettled_day(engine: Engine, block: Block) -> DayId:
    """The day after the last one that is DONE. A DONE row that the chain does not confirm would hide every day before
    it for ever, so it is an alarm.

    Raises: InvariantBroken ``done_not_settled``; Unavailable ``release_not_final``.
    """
    last_done = select_last_done(engine.conn)
    if last_done is None:
        return engine.game.first_day
    next_day = engine.game.read_next_day(block)
    if last_done >= next_day:
        if engine.game.is_over_at_a_head(last_done):
            raise Unavailable(
                "release_not_final",
                f"day {last_done} is DONE here, and its release is not final for both RPC endpoints: one of them lags",
            )
        raise InvariantBroken(
            "done_not_settled",
            f"day {last_done} is DONE in the database, but both endpoints say that the contract settles day {next_day} "
            "next: the row was forged, this is the database of another chain, or both endpoints are far behind; "
            "nothing is done until that is cleared up",
        )
    return DayId(last_done + 1)
