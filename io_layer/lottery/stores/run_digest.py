"""One hash over every row that an approved run stands on: what a person or the gates said yes to, to the last bit."""

from bo_engine.units import DayId, Hash32
from io_layer.postgres.connection import Conn

# The columns that tell how far the run is and when are left out: they move on after the approval.
SELECT_RUN_DIGEST = """
    SELECT sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), 'UTF8')) FROM (
        SELECT 'inputs ' || (to_jsonb(i) - 'sealed_at')::text AS line FROM day_inputs AS i WHERE day_id = %(day_id)s
        UNION ALL
        SELECT 'run ' || (to_jsonb(r) - ARRAY['status', 'created_at', 'approved_by', 'approved_at', 'closed_at'])::text
          FROM settlement_runs AS r WHERE run_id = %(run_id)s
        UNION ALL
        SELECT 'pool ' || to_jsonb(p)::text FROM settlement_pool_results AS p WHERE run_id = %(run_id)s
        UNION ALL
        SELECT 'winner ' || wallet || ' ' || amount::text FROM settlement_winner_payouts WHERE run_id = %(run_id)s
        UNION ALL
        SELECT 'affiliate ' || wallet || ' ' || amount::text FROM settlement_affiliate_payouts WHERE run_id = %(run_id)s
        UNION ALL
        SELECT 'tree ' || kind || ' ' || encode(sha256(nodes), 'hex') FROM settlement_trees WHERE run_id = %(run_id)s
    ) AS lines
"""


def select_run_digest(conn: Conn, day_id: DayId, run_id: int) -> Hash32:
    """sha256 over the day's sealed inputs and the run's totals, pools, payouts and trees, as they stand now."""
    row = conn.execute(SELECT_RUN_DIGEST, {"day_id": day_id, "run_id": run_id}).fetchone()
    return Hash32(bytes(row[0]) if row and row[0] is not None else b"")
