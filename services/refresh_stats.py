"""Step 6: dashboard statistics of what is settled (rule 4.6). Derived, never a source of money."""

from typing import Any

from bo_engine.units import POOL_IDS
from core.prizes import budget_of, reserve_of
from io_layer.pipeline_store import finish_step
from io_layer.stats_store import PotSize, refresh_global_stats, upsert_pot_sizes
from services.day_work import Opened
from services.engine import Engine
from services.lease import Lease


def refresh_stats(engine: Engine, lease: Lease, opened: Opened) -> dict[str, Any]:
    """Recompute the totals over all settled days and show what each pool could pay next."""
    game = engine.game
    block = game.chain.read_final_block()
    splits = game.read_day(block, game.read_next_day(block)).splits
    pots = [
        PotSize(pool_id, budget_of(state, split), reserve_of(state, split), state.streak, block.number)
        for pool_id, state, split in zip(POOL_IDS, game.read_opening_state(block), splits, strict=True)
    ]
    with lease.transaction():
        totals = refresh_global_stats(engine.conn)
        upsert_pot_sizes(engine.conn, pots)
        finish_step(engine.conn, opened.day_id, "stats")
    return {
        "settled_days": totals.day_count,
        "tickets": totals.ticket_count,
        "stake": str(totals.stake_atoms),
        "payout": str(totals.payout_atoms),
    }
