"""Step 6: dashboard statistics of what is settled (rule 4.6). Derived, never a source of money."""

from typing import Any

from io_layer.pipeline_store import finish_step
from io_layer.stats_store import refresh_global_stats, upsert_pot_sizes
from services.day_work import Opened
from services.engine import Engine
from services.lease import Lease
from services.update_pot_sizes import read_pot_sizes


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
