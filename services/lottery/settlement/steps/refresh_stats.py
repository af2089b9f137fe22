"""Step 6: dashboard statistics of what is settled (rule 4.6). Derived, never a source of money."""

from typing import Any

from io_layer.lottery.stores.pipeline import Step, finish_step
from io_layer.lottery.stores.stats import refresh_global_stats, upsert_pot_sizes
from services.lottery.context import LotteryContext
from services.lottery.days.pots import read_pot_sizes
from services.lottery.settlement.day import Opened


def refresh_stats(context: LotteryContext, opened: Opened) -> dict[str, Any]:
    """Recompute the totals over all settled days and show what each pool could pay next."""
    pots = read_pot_sizes(context)
    with context.transaction():
        totals = refresh_global_stats(context.conn)
        upsert_pot_sizes(context.conn, pots)
        finish_step(context.conn, opened.day_id, Step.STATS)
    return {
        "settled_days": totals.day_count,
        "tickets": totals.ticket_count,
        "stake": str(totals.stake_atoms),
        "payout": str(totals.payout_atoms),
    }
