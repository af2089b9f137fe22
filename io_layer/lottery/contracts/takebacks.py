"""How a commit ended before its release, from the events of SettlementV4."""

from dataclasses import dataclass

from bo_engine.units import DayId, hex_of
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.game import GameChain

_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Takeback:
    """A veto with its reason, or a commit that ended because the SETTLER lost office. ``is_veto`` tells which."""

    is_veto: bool
    reason: str


def read_last_takeback(game: GameChain, day_id: DayId, first: int, last: int) -> Takeback | None:
    """The newest takeback of the day in blocks first..last, both final; None if there is none.

    Raises: Unavailable; InvariantBroken ``rpc_disagreement``.
    """
    speaks = codec("SettlementV4")
    vetoed, taken_back = speaks.topic("DayVetoed"), speaks.topic("TakenBack")
    topics: list[object] = [[vetoed, taken_back], hex_of(day_id.to_bytes(32, "big"))]
    pages = game.chain.read_log_pages(game.contracts.settlement, topics, first, last)
    logs = [log for _, page in pages for log in page]
    if not logs:
        return None
    if logs[-1]["topics"][0] == taken_back:
        return Takeback(is_veto=False, reason="")
    reason = str(speaks.event("DayVetoed", logs[-1])["reason"])
    return Takeback(is_veto=True, reason=reason[:_LONGEST_REASON])
