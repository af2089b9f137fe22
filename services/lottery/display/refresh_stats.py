"""Step 6: dashboard statistics of what is settled (rule 4.6). Derived, never a source of money."""

from typing import Any

from io_layer.lottery.stores.pipeline import finish_step
from io_layer.lottery.stores.stats import refresh_global_stats, upsert_pot_sizes
from services.lottery.display.update_pot_sizes import read_pot_sizes
from services.lottery.engine import Engine
from services.lottery.settlement.day import Opened
from services.running.lease import Lease


def refresh_stats(engine: Engine, lease: Lease, opened: Opened) -> dict[str, Any]:
    """Recompute the totals over all settled days and show what each pool could pay next."""
    pots = read_pot_sizes(engine)
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
