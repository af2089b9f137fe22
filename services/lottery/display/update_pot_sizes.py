"""Shows players what the next draw is worth: budget, reserve and streak of each pool. For display, never for paying."""

from typing import Any

from io_layer.lottery.stores.stats import upsert_pot_sizes
from services.lottery.context import LotteryContext
from services.lottery.days.pots import read_pot_sizes


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
