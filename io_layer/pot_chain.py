"""What the pools of the next draw hold, as the contracts count it."""

from typing import NamedTuple

from bo_engine.units import Atoms, DayId
from core.model import PoolState, StakeSplit
from io_layer.chain_reader import Block
from io_layer.game_chain import GameChain


class OpenPots(NamedTuple):
    """The day that is settled next, what each pool brings into it, and what its tickets have added so far."""

    day_id: DayId
    opening: tuple[PoolState, ...]
    splits: tuple[StakeSplit, ...]


def read_open_pots(game: GameChain, block: Block) -> OpenPots:
    """From both endpoints, at one final block."""
    next_day, states = game.chain.read(
        block, [game.call("SettlementV4", "nextDay"), game.call("SettlementV4", "openingState")]
    )
    (splits,) = game.chain.read(block, [game.call("GameTreasury", "splits", next_day)])
    return OpenPots(
        day_id=DayId(next_day),
        opening=tuple(PoolState(Atoms(c), Atoms(r), Atoms(o), streak) for c, r, o, streak in states),
        splits=tuple(StakeSplit(*(Atoms(part) for part in split)) for split in splits),
    )
