"""What the next draw is worth: budget, reserve and streak of each pool, as the chain has them."""

from bo_engine.units import POOL_IDS
from core.lottery.fold import splits_of
from core.lottery.prizes import budget_of, reserve_of
from io_layer.lottery.stores.stats import PotSize
from services.lottery.context import LotteryContext


def read_pot_sizes(context: LotteryContext) -> list[PotSize]:
    """The pots at the newest final block, from both endpoints."""
    game = context.game
    block = game.chain.read_final_block()
    day = game.read_day(block, game.read_next_day(block))
    splits = splits_of(context.ruleset_of(day), day.pools)
    return [
        PotSize(pool_id, day.day_id, budget_of(state, split), reserve_of(state, split), state.streak, block.number)
        for pool_id, state, split in zip(POOL_IDS, game.read_opening_state(block), splits, strict=True)
    ]
