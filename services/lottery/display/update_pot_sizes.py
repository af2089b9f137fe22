"""Shows players what the next draw is worth: budget, reserve and streak of each pool. For display, never for paying."""

from typing import Any

from bo_engine.units import POOL_IDS
from core.lottery.fold import splits_of
from core.lottery.prizes import budget_of, reserve_of
from io_layer.lottery.stores.stats import PotSize, upsert_pot_sizes
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


def update_pot_sizes(context: LotteryContext, *, dry_run: bool) -> dict[str, Any]:
    """Read them and show them; a dry run only reads. Another run that read a later block is not overwritten."""
    pots = read_pot_sizes(context)
    shown = 0
    if not dry_run:
        with context.transaction():
            shown = upsert_pot_sizes(context.conn, pots)
    return {
        "day_id": pots[0].day_id,
        "block_number": pots[0].block_number,
        "shown": shown,
        "pools": [
            {
                "pool_id": pot.pool_id,
                "budget": str(pot.budget_atoms),
                "reserve": str(pot.reserve_atoms),
                "streak": pot.streak,
            }
            for pot in pots
        ],
    }
