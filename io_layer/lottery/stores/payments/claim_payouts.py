"""Claims beside the payouts that explain them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg.rows import args_row

from bo_engine.units import Atoms
from io_layer.lottery.stores.payments.claim_events import ClaimEvent
from io_layer.postgres.connection import Conn


class Unexplained(NamedTuple):
    """A claim, the live run of its day if there is one, and what that run pays the account from this vault."""

    event: ClaimEvent
    run_id: int | None
    amount_atoms: Atoms | None


SELECT_UNEXPLAINED = """
    SELECT e.tx_hash, e.log_index, e.vault, e.day_id, e.account, e.paid_to, e.amount, e.block_number, e.block_hash,
           r.run_id, coalesce(w.amount, a.amount)
      FROM unnest(%(tx_hash)b::bytea[], %(log_index)s::integer[]) AS t (tx_hash, log_index)
      JOIN claim_events AS e ON e.tx_hash = t.tx_hash AND e.log_index = t.log_index AND e.is_final
      LEFT JOIN settlement_runs AS r ON r.day_id = e.day_id AND r.status IN ('approved', 'committed', 'settled')
      LEFT JOIN settlement_winner_payouts AS w
             ON w.run_id = r.run_id AND w.wallet = e.account AND e.vault = %(prize_vault)s
      LEFT JOIN settlement_affiliate_payouts AS a
             ON a.run_id = r.run_id AND a.wallet = e.account AND e.vault <> %(prize_vault)s
     WHERE coalesce(w.amount, a.amount) IS DISTINCT FROM e.amount
     ORDER BY e.block_number, e.log_index
"""


def select_unexplained(conn: Conn, events: Sequence[ClaimEvent], prize_vault: str) -> list[Unexplained]:
    """Of these stored final events those that no payout equals."""
    given: dict[str, Any] = {
        "tx_hash": [one.tx_hash for one in events],
        "log_index": [one.log_index for one in events],
        "prize_vault": prize_vault,
    }
    with conn.cursor(row_factory=args_row(_unexplained)) as cur:
        return cur.execute(SELECT_UNEXPLAINED, given).fetchall()


SELECT_EXPLAINED = """
    SELECT e.tx_hash, e.log_index, e.vault, e.day_id, e.account, e.paid_to, e.amount, e.block_number, e.block_hash
      FROM suspense_events AS s
      JOIN claim_events AS e ON e.tx_hash = s.tx_hash AND e.log_index = s.log_index AND e.is_final
      JOIN settlement_runs AS r ON r.day_id = e.day_id AND r.status IN ('approved', 'committed', 'settled')
      LEFT JOIN settlement_winner_payouts AS w
             ON w.run_id = r.run_id AND w.wallet = e.account AND e.vault = %(prize_vault)s
      LEFT JOIN settlement_affiliate_payouts AS a
             ON a.run_id = r.run_id AND a.wallet = e.account AND e.vault <> %(prize_vault)s
     WHERE s.kind = 'claim' AND s.resolved_at IS NULL AND coalesce(w.amount, a.amount) = e.amount
     ORDER BY e.block_number, e.log_index
"""


def select_explained(conn: Conn, prize_vault: str) -> list[ClaimEvent]:
    """Of the events in suspense those that a payout equals by now."""
    with conn.cursor(row_factory=args_row(ClaimEvent)) as cur:
        return cur.execute(SELECT_EXPLAINED, {"prize_vault": prize_vault}).fetchall()


def _unexplained(*values: Any) -> Unexplained:
    return Unexplained(ClaimEvent(*values[:9]), *values[9:])
