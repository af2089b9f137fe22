"""Refunds beside the tickets that explain them."""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import args_row

from bo_engine.units import Atoms, DayId, Hash32, TicketId, Wallet
from io_layer.lottery.stores.payments.refund_events import RefundEvent
from io_layer.postgres.connection import Conn


class Bought(NamedTuple):
    """A final ticket by the nonce of its permit, and what its buyer paid for it himself."""

    buyer: Wallet
    nonce: bytes
    ticket_id: TicketId
    day_id: DayId
    own_stake_atoms: Atoms


# A tip costs the same whoever pays for it, so the division leaves no rest.
SELECT_BOUGHT = """
    SELECT t.buyer, t.nonce, t.ticket_id, t.day_id, div(t.stake * t.paid_tips, (t.paid_tips + t.voucher_tips)::numeric)
      FROM tickets AS t JOIN unnest(%(buyer)s::text[], %(nonce)b::bytea[]) AS n (buyer, nonce)
           ON t.buyer = n.buyer AND t.nonce = n.nonce
     WHERE t.is_final ORDER BY t.ticket_id
"""


def select_bought(conn: Conn, permits: Sequence[tuple[Wallet, bytes]]) -> dict[tuple[Wallet, bytes], Bought]:
    """The final tickets that were bought by these (buyer, nonce)."""
    given = {"buyer": [buyer for buyer, _ in permits], "nonce": [nonce for _, nonce in permits]}
    with conn.cursor(row_factory=args_row(Bought)) as cur:
        return {(one.buyer, one.nonce): one for one in cur.execute(SELECT_BOUGHT, given).fetchall()}


SUM_VOUCHERS = """
    SELECT day_id, sum(stake - div(stake * paid_tips, (paid_tips + voucher_tips)::numeric))
      FROM tickets WHERE day_id = ANY(%(days)s::integer[]) AND is_final GROUP BY day_id
"""


def sum_vouchers(conn: Conn, days: Sequence[DayId]) -> dict[DayId, Atoms]:
    """What the voucher tips of all final tickets of each of these days cost."""
    found = conn.execute(SUM_VOUCHERS, {"days": list(days)}).fetchall()
    return {DayId(day): Atoms(total) for day, total in found}


SUM_OWN_STAKES = """
    SELECT coalesce(sum(div(stake * paid_tips, (paid_tips + voucher_tips)::numeric)), 0)
      FROM tickets WHERE day_id = %(day_id)s AND is_final
"""


def sum_own_stakes(conn: Conn, day_id: DayId) -> Atoms:
    """What the buyers of all final tickets of a day paid themselves."""
    row = conn.execute(SUM_OWN_STAKES, {"day_id": day_id}).fetchone()
    return Atoms(row[0] if row else 0)


SELECT_SUSPENDED = """
    SELECT r.tx_hash, r.log_index, r.kind, r.day_id, r.account, r.nonce, r.paid_to, r.amount, r.block_number,
           r.block_hash
      FROM suspense_events AS s
      JOIN refunds AS r ON r.tx_hash = s.tx_hash AND r.log_index = s.log_index AND r.is_final
     WHERE s.kind = 'refund' AND s.resolved_at IS NULL
     ORDER BY r.block_number, r.log_index
"""


def select_suspended(conn: Conn) -> list[RefundEvent]:
    """Final refunds that stand in suspense and are not explained yet."""
    with conn.cursor(row_factory=args_row(RefundEvent)) as cur:
        return cur.execute(SELECT_SUSPENDED).fetchall()


class TicketRefund(NamedTuple):
    """A ticket of a voided day and its refund; the last five are None while there is none."""

    buyer: Wallet
    ticket_id: TicketId
    nonce: bytes
    own_stake_atoms: Atoms
    amount_atoms: Atoms | None
    paid_to: Wallet | None
    tx_hash: Hash32 | None
    block_number: int | None
    is_final: bool | None


SELECT_OF_DAY = """
    SELECT t.buyer, t.ticket_id, t.nonce, div(t.stake * t.paid_tips, (t.paid_tips + t.voucher_tips)::numeric),
           r.amount, r.paid_to, r.tx_hash, r.block_number, r.is_final
      FROM tickets AS t LEFT JOIN refunds AS r ON r.account = t.buyer AND r.nonce = t.nonce
     WHERE t.day_id = %(day_id)s AND t.is_final AND t.buyer = coalesce(%(buyer)s::text, t.buyer)
     ORDER BY t.buyer COLLATE "C", t.ticket_id
"""


def select_refunds_of_day(conn: Conn, day_id: DayId, buyer: Wallet | None = None) -> list[TicketRefund]:
    """The day's final tickets with their refunds, buyer by buyer; of one buyer if one is named."""
    with conn.cursor(row_factory=args_row(TicketRefund)) as cur:
        return cur.execute(SELECT_OF_DAY, {"day_id": day_id, "buyer": buyer}).fetchall()


SELECT_OTHERS = """
    SELECT r.tx_hash, r.log_index, r.kind, r.day_id, r.account, r.nonce, r.paid_to, r.amount, r.block_number,
           r.block_hash
      FROM refunds AS r
      LEFT JOIN tickets AS t ON t.buyer = r.account AND t.nonce = r.nonce AND t.day_id = r.day_id AND t.is_final
     WHERE r.day_id = %(day_id)s AND r.is_final AND t.ticket_id IS NULL
     ORDER BY r.block_number, r.log_index
"""


def select_refunds_without_ticket(conn: Conn, day_id: DayId) -> list[RefundEvent]:
    """The day's final refunds that belong to no ticket of the day here: that of its vouchers, and unexplained ones."""
    with conn.cursor(row_factory=args_row(RefundEvent)) as cur:
        return cur.execute(SELECT_OTHERS, {"day_id": day_id}).fetchall()
