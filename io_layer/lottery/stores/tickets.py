"""Tickets: one row per purchase event. A final row never changes; see the triggers of migration 0002."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from psycopg import BaseConnection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import args_row

from bo_engine.errors import InvariantBroken
from bo_engine.units import ZERO_HASH, Atoms, DayId, Hash32, TicketId, Wallet
from core.lottery.model import PoolDay, PurchasedTicket, Ticket
from io_layer.postgres.connection import Conn

BATCH_ROWS = 20_000  # rows a round trip of a stream: about 4 MB


class Inserted(NamedTuple):
    """What an insert changed: the ids that were new, and those that became final now."""

    new_ids: tuple[TicketId, ...]
    finalized_ids: tuple[TicketId, ...]


# A twin by ticket id, by event or by nonce makes a row "not new"; whether it is the same ticket is checked below.
INSERT_TICKETS = """
    INSERT INTO tickets (ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest,
                         nonce, gas_cost, tx_hash, log_index, block_number, block_hash, is_final)
    SELECT ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest,
           nonce, gas_cost, tx_hash, log_index, block_number, block_hash, is_final
      FROM unnest(%(ticket_id)s::bigint[], %(day_id)s::integer[], %(pool_id)s::smallint[], %(buyer)s::text[],
                  %(paid_tips)s::smallint[], %(voucher_tips)s::smallint[], %(affiliate)s::text[],
                  %(stake)s::numeric[], %(tips)b::bytea[], %(digest)b::bytea[], %(nonce)b::bytea[],
                  %(gas_cost)s::numeric[], %(tx_hash)b::bytea[], %(log_index)s::integer[],
                  %(block_number)s::bigint[], %(block_hash)b::bytea[], %(is_final)s::boolean[])
           AS t (ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest,
                 nonce, gas_cost, tx_hash, log_index, block_number, block_hash, is_final)
     ORDER BY ticket_id
        ON CONFLICT DO NOTHING
    RETURNING ticket_id
"""
SELECT_ROWS = """
    SELECT ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest, nonce, gas_cost,
           tx_hash, log_index, block_number, block_hash, is_final
      FROM tickets WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) ORDER BY ticket_id
"""
SET_FINAL_IDS = """
    UPDATE tickets SET is_final = true WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) AND NOT is_final
    RETURNING ticket_id
"""


def insert_tickets(conn: Conn, rows: Sequence[PurchasedTicket]) -> Inserted:
    """Store what is new and recognise what is there already; a row seen as final now becomes final.

    Run it inside a transaction. Repeating it changes nothing.
    Raises: InvariantBroken ``ticket_conflict`` when a stored ticket differs in any fact from the one given,
    ``day_sealed`` when the day is sealed with fewer tickets.
    """
    new: set[int] = set()
    finalized: list[TicketId] = []
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        inserted = {row[0] for row in conn.execute(INSERT_TICKETS, ticket_columns(batch)).fetchall()}
        new |= inserted
        known = [row for row in batch if row.ticket.ticket_id not in inserted]
        if known:
            _check_equal(conn, known)
            ids = [row.ticket.ticket_id for row in known if row.is_final]
            done = conn.execute(SET_FINAL_IDS, {"ticket_ids": ids}).fetchall() if ids else []
            finalized.extend(TicketId(row[0]) for row in done)
    return Inserted(tuple(TicketId(one) for one in sorted(new)), tuple(sorted(finalized)))


def select_ticket_rows(conn: Conn, ticket_ids: Sequence[int]) -> list[PurchasedTicket]:
    """The rows with these ids, ascending; ids without a row are left out."""
    with conn.cursor(row_factory=args_row(_ticket_row)) as cur:
        return cur.execute(SELECT_ROWS, {"ticket_ids": list(ticket_ids)}, binary=True).fetchall()


STREAM_TICKETS = """
    SELECT ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake::bigint, tips
      FROM tickets WHERE day_id = %(day_id)s ORDER BY ticket_id
"""


def stream_tickets(conn: Conn, day_id: DayId) -> Iterator[Ticket]:
    """The day's tickets, ascending by ticket id, from one snapshot and in bounded memory.

    Other statements may run on the same connection between two rows. Outside a transaction it opens one of its own,
    which ends with the iterator.
    """
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    name = f"tickets_{day_id}_{_next_cursor()}"
    with (
        conn.transaction() if idle else nullcontext(),
        conn.cursor(name=name, row_factory=_as_ticket) as cur,
    ):
        cur.itersize = BATCH_ROWS
        cur.execute(STREAM_TICKETS, {"day_id": day_id}, binary=True)
        yield from cur


class PurchasePlace(NamedTuple):
    """Where a ticket's event stands on the chain."""

    ticket_id: TicketId
    tx_hash: Hash32
    log_index: int
    block_number: int


STREAM_PLACES = """
    SELECT ticket_id, tx_hash, log_index, block_number FROM tickets WHERE day_id = %(day_id)s ORDER BY ticket_id
"""


def stream_purchase_places(conn: Conn, day_id: DayId) -> Iterator[PurchasePlace]:
    """Where the day's tickets stand on the chain, ascending by ticket id; as ``stream_tickets``."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    name = f"places_{day_id}_{_next_cursor()}"
    with (
        conn.transaction() if idle else nullcontext(),
        conn.cursor(name=name, row_factory=args_row(PurchasePlace)) as cur,
    ):
        cur.itersize = BATCH_ROWS
        cur.execute(STREAM_PLACES, {"day_id": day_id}, binary=True)
        yield from cur


SELECT_POOL_TOTALS = """
    SELECT p.pool_id, count(t.ticket_id), coalesce(sum(octet_length(t.tips) / 8), 0)::bigint, coalesce(sum(t.stake), 0),
           (SELECT l.digest FROM tickets AS l WHERE l.day_id = %(day_id)s AND l.pool_id = p.pool_id AND l.is_final
             ORDER BY l.ticket_id DESC LIMIT 1)
      FROM generate_series(0, 4) AS p (pool_id)
      LEFT JOIN tickets AS t ON t.day_id = %(day_id)s AND t.pool_id = p.pool_id AND t.is_final
     GROUP BY p.pool_id ORDER BY p.pool_id
"""


def select_pool_totals(conn: Conn, day_id: DayId) -> tuple[PoolDay, ...]:
    """What the final tickets add up to, per pool; the digest is that of the last one, zero without any."""
    rows = conn.execute(SELECT_POOL_TOTALS, {"day_id": day_id}).fetchall()
    return tuple(
        PoolDay(count, tips, Atoms(stake), Hash32(digest) if digest is not None else ZERO_HASH)
        for _, count, tips, stake, digest in rows
    )


SET_THESE_FINAL = "UPDATE tickets SET is_final = true WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) AND NOT is_final"


def set_these_final(conn: Conn, ticket_ids: Sequence[int]) -> int:
    """Mark tickets whose facts a final block has confirmed; the count."""
    return conn.execute(SET_THESE_FINAL, {"ticket_ids": list(ticket_ids)}).rowcount


# A row of a dropped block may stand in the way of the same purchase, or of another one with its number, in a later one.
SELECT_OVERTAKEN = """
    SELECT ticket_id FROM tickets
     WHERE NOT is_final
       AND (block_number <= %(up_to_block)s OR ticket_id = ANY(%(ticket_ids)s::bigint[])
            OR tx_hash = ANY(%(tx_hashes)b::bytea[]) OR nonce = ANY(%(nonces)b::bytea[]))
     ORDER BY ticket_id
"""


def select_overtaken(conn: Conn, up_to_block: int, rows: Sequence[PurchasedTicket]) -> list[TicketId]:
    """Tickets seen at the head about which the final blocks up to this one, with these purchases, have decided."""
    given = {
        "up_to_block": up_to_block,
        "ticket_ids": [row.ticket.ticket_id for row in rows],
        "tx_hashes": [row.tx_hash for row in rows],
        "nonces": [row.nonce for row in rows],
    }
    return [TicketId(row[0]) for row in conn.execute(SELECT_OVERTAKEN, given).fetchall()]


HAS_NOT_FINAL = "SELECT EXISTS (SELECT FROM tickets WHERE day_id = %(day_id)s AND NOT is_final)"


def has_not_final(conn: Conn, day_id: DayId) -> bool:
    """Whether a ticket of the day was seen at the head only."""
    row = conn.execute(HAS_NOT_FINAL, {"day_id": day_id}).fetchone()
    return bool(row and row[0])


DELETE_NOT_FINAL = "DELETE FROM tickets WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) AND NOT is_final"


def delete_not_final(conn: Conn, ticket_ids: Sequence[int]) -> int:
    """Remove tickets of dropped blocks. Move their intents back first. Final tickets are left alone."""
    return conn.execute(DELETE_NOT_FINAL, {"ticket_ids": list(ticket_ids)}).rowcount


COUNT_FINAL = "SELECT count(*) FROM tickets WHERE day_id = %(day_id)s AND is_final"


def count_final_tickets(conn: Conn, day_id: DayId) -> int:
    """How many final tickets of the day are stored."""
    row = conn.execute(COUNT_FINAL, {"day_id": day_id}).fetchone()
    return int(row[0]) if row else 0


SELECT_OF_BUYER = """
    SELECT ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips
      FROM tickets WHERE buyer = %(buyer)s AND day_id = %(day_id)s ORDER BY ticket_id
"""


def select_tickets_of(conn: Conn, day_id: DayId, buyer: Wallet) -> list[Ticket]:
    """One wallet's tickets of a day, ascending by ticket id."""
    with conn.cursor(row_factory=args_row(Ticket)) as cur:
        return cur.execute(SELECT_OF_BUYER, {"buyer": buyer, "day_id": day_id}, binary=True).fetchall()


SELECT_HIGHEST = "SELECT coalesce(max(ticket_id), 0) FROM tickets WHERE is_final"


def select_highest_ticket(conn: Conn) -> int:
    """The highest id of a final ticket, 0 without any; the contract counts them from 1."""
    row = conn.execute(SELECT_HIGHEST).fetchone()
    return int(row[0]) if row else 0


SELECT_AFFILIATES = """
    SELECT DISTINCT affiliate FROM tickets WHERE day_id = %(day_id)s AND affiliate IS NOT NULL ORDER BY affiliate
"""


def select_affiliates(conn: Conn, day_id: DayId) -> list[Wallet]:
    """The affiliates of the day's tickets, each once, ascending."""
    return [Wallet(row[0]) for row in conn.execute(SELECT_AFFILIATES, {"day_id": day_id}).fetchall()]


SELECT_LAST_BLOCK = "SELECT max(block_number) FROM tickets WHERE day_id = %(day_id)s"


def select_last_block(conn: Conn, day_id: DayId) -> int | None:
    """The block of the day's last purchase, or None without any."""
    row = conn.execute(SELECT_LAST_BLOCK, {"day_id": day_id}).fetchone()
    return int(row[0]) if row and row[0] is not None else None


_cursor_count = 0


def _next_cursor() -> int:
    # Two streams on one connection need two names.
    global _cursor_count
    _cursor_count += 1
    return _cursor_count


def _as_ticket(cursor: Cursor[Any] | BaseConnection[Any]) -> Callable[[Sequence[Any]], Ticket]:
    return Ticket._make


def _ticket_row(*values: Any) -> PurchasedTicket:
    return PurchasedTicket(Ticket(*values[:9]), *values[9:])


def ticket_columns(rows: Sequence[PurchasedTicket]) -> dict[str, list[Any]]:
    """The rows as one array per column, named as the table names them."""
    tickets = [row.ticket for row in rows]
    return {
        "ticket_id": [one.ticket_id for one in tickets],
        "day_id": [one.day_id for one in tickets],
        "pool_id": [one.pool_id for one in tickets],
        "buyer": [one.buyer for one in tickets],
        "paid_tips": [one.paid_tips for one in tickets],
        "voucher_tips": [one.voucher_tips for one in tickets],
        "affiliate": [one.affiliate for one in tickets],
        "stake": [one.stake_atoms for one in tickets],
        "tips": [one.tips for one in tickets],
        "digest": [row.digest for row in rows],
        "nonce": [row.nonce for row in rows],
        "gas_cost": [row.gas_cost_atoms for row in rows],
        "tx_hash": [row.tx_hash for row in rows],
        "log_index": [row.log_index for row in rows],
        "block_number": [row.block_number for row in rows],
        "block_hash": [row.block_hash for row in rows],
        "is_final": [row.is_final for row in rows],
    }


def _check_equal(conn: Conn, rows: Sequence[PurchasedTicket]) -> None:
    stored = {row.ticket.ticket_id: row for row in select_ticket_rows(conn, [row.ticket.ticket_id for row in rows])}
    for row in rows:
        twin = stored.get(row.ticket.ticket_id)
        if twin is None or twin._replace(is_final=row.is_final) != row:
            day_id = row.ticket.day_id if twin is None else twin.ticket.day_id
            raise InvariantBroken(
                "ticket_conflict",
                f"ticket {row.ticket.ticket_id} of day {day_id} is stored with other facts than the chain's: "
                f"`bo-engine db rebuild-tickets --day {day_id}` sets the tickets of that day right",
            )
