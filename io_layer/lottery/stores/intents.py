"""Buy intents: what a player wants to buy, from the click to the final ticket. docs/app.md has the states."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import args_row

from bo_engine.redaction import told
from bo_engine.units import Atoms, DayId, Hash32, PoolId, TicketId, Wallet
from io_layer.postgres.connection import Conn


class IntentStatus(StrEnum):
    """Where an intent stands; docs/app.md has the moves between them."""

    CREATED = "CREATED"
    SIGNED = "SIGNED"
    SUBMITTED = "SUBMITTED"
    SEEN = "SEEN"
    FINAL = "FINAL"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class Permit(NamedTuple):
    """The purchase that a player signs, with the tips themselves."""

    buyer: Wallet
    day_id: DayId
    pool_id: PoolId
    paid_tips: int
    voucher_tips: int
    affiliate: Wallet | None
    gas_cost_atoms: Atoms
    deadline: int  # unix seconds
    nonce: bytes  # 16
    tips: bytes


class Intent(NamedTuple):
    """One row of buy_intents."""

    intent_id: UUID
    status: IntentStatus
    buyer: Wallet
    day_id: DayId
    pool_id: PoolId
    paid_tips: int
    voucher_tips: int
    affiliate: Wallet | None
    gas_cost_atoms: Atoms
    deadline: int
    nonce: bytes
    tips: bytes
    signature: bytes | None
    tx_hash: Hash32 | None
    ticket_id: TicketId | None
    failure_reason: str | None


def _intent(intent_id: UUID, status: str, *rest: Any) -> Intent:
    return Intent(intent_id, IntentStatus(status), *rest)


INSERT_INTENT = """
    INSERT INTO buy_intents (buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline, nonce,
                             tips)
    VALUES (%(buyer)s, %(day_id)s, %(pool_id)s, %(paid_tips)s, %(voucher_tips)s, %(affiliate)s, %(gas_cost_atoms)s,
            %(deadline)s, %(nonce)s, %(tips)s)
    RETURNING intent_id
"""


def insert_intent(conn: Conn, permit: Permit) -> UUID:
    """A new intent, CREATED. Raises: InvariantBroken ``buy_intents_one_per_nonce``."""
    row = conn.execute(INSERT_INTENT, permit._asdict()).fetchone()
    return UUID(str(row[0])) if row else UUID(int=0)


SELECT_INTENT = """
    SELECT intent_id, status, buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline, nonce,
           tips, signature, tx_hash, ticket_id, failure_reason
      FROM buy_intents WHERE intent_id = %(intent_id)s
"""


def select_intent(conn: Conn, intent_id: UUID) -> Intent | None:
    """One intent by its id."""
    with conn.cursor(row_factory=args_row(_intent)) as cur:
        return cur.execute(SELECT_INTENT, {"intent_id": intent_id}).fetchone()


SELECT_BY_STATUS = """
    SELECT intent_id, status, buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline, nonce,
           tips, signature, tx_hash, ticket_id, failure_reason
      FROM buy_intents WHERE status = ANY(%(statuses)s) ORDER BY updated_at, intent_id LIMIT %(limit)s
"""


def select_intents(conn: Conn, statuses: Sequence[IntentStatus], limit: int = 1000) -> list[Intent]:
    """Intents in these states, longest unchanged first."""
    with conn.cursor(row_factory=args_row(_intent)) as cur:
        return cur.execute(SELECT_BY_STATUS, {"statuses": list(statuses), "limit": limit}).fetchall()


# Those that a final block can have decided: sent ones, and ones that nobody can buy any more. A permit buys on its own
# day only, whatever deadline it names.
SELECT_UNDECIDED = """
    SELECT intent_id, status, buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline, nonce,
           tips, signature, tx_hash, ticket_id, failure_reason
      FROM buy_intents
     WHERE status IN ('CREATED', 'SIGNED', 'SUBMITTED')
       AND (status = 'SUBMITTED' OR least(deadline, (day_id::bigint + 1) * 86400 - 1) < %(final_time)s)
     ORDER BY updated_at, intent_id LIMIT %(limit)s
"""


def select_undecided(conn: Conn, final_time: int, limit: int = 1000) -> list[Intent]:
    """Open intents whose end may be known at a final block of this unix time, longest unchanged first."""
    with conn.cursor(row_factory=args_row(_intent)) as cur:
        return cur.execute(SELECT_UNDECIDED, {"final_time": final_time, "limit": limit}).fetchall()


# The guard of the table sets updated_at, and with it the place in the queue.
PUT_BEHIND = """
    UPDATE buy_intents AS i SET status = i.status
      FROM (SELECT intent_id FROM buy_intents
             WHERE intent_id = ANY(%(intent_ids)s::uuid[]) AND status IN ('CREATED', 'SIGNED', 'SUBMITTED')
             ORDER BY intent_id FOR UPDATE SKIP LOCKED) AS w
     WHERE i.intent_id = w.intent_id
"""


def put_behind(conn: Conn, intent_ids: Sequence[UUID]) -> int:
    """Let the others have their turn first: those of these that are still open go to the end of the queue."""
    return conn.execute(PUT_BEHIND, {"intent_ids": list(intent_ids)}).rowcount


MARK_SIGNED = """
    UPDATE buy_intents SET status = 'SIGNED', signature = %(signature)s
     WHERE intent_id = %(intent_id)s AND status = 'CREATED'
"""


def mark_signed(conn: Conn, intent_id: UUID, signature: bytes) -> bool:
    """CREATED -> SIGNED. False when the intent stood elsewhere."""
    return conn.execute(MARK_SIGNED, {"intent_id": intent_id, "signature": signature}).rowcount == 1


MARK_SUBMITTED = """
    UPDATE buy_intents SET status = 'SUBMITTED', tx_hash = %(tx_hash)s
     WHERE intent_id = %(intent_id)s AND status IN ('CREATED', 'SIGNED')
"""


def mark_submitted(conn: Conn, intent_id: UUID, tx_hash: Hash32) -> bool:
    """CREATED or SIGNED -> SUBMITTED. False when the intent stood elsewhere."""
    return conn.execute(MARK_SUBMITTED, {"intent_id": intent_id, "tx_hash": tx_hash}).rowcount == 1


# Buyer and nonce name the wish, whatever the App stored besides. The same wish may have been sent twice by the App;
# the transaction that bought the ticket is the one that counts.
BIND_INTENTS = """
    WITH wanted AS (
        SELECT i.intent_id, t.ticket_id, t.tx_hash, i.tx_hash IS NULL AS was_lost
          FROM tickets AS t JOIN buy_intents AS i ON i.buyer = t.buyer AND i.nonce = t.nonce
         WHERE t.ticket_id = ANY(%(ticket_ids)s::bigint[]) AND i.ticket_id IS NULL
         ORDER BY i.intent_id FOR UPDATE OF i SKIP LOCKED  -- the App can lock its intents, and must not stop ours
    ), bound AS (
        UPDATE buy_intents AS i
           SET status = 'SEEN', ticket_id = w.ticket_id, tx_hash = w.tx_hash, failure_reason = NULL
          FROM wanted AS w WHERE i.intent_id = w.intent_id
        RETURNING w.was_lost
    )
    SELECT count(*), count(*) FILTER (WHERE was_lost) FROM bound
"""


def bind_intents(conn: Conn, ticket_ids: Sequence[int]) -> tuple[int, int]:
    """Give each of these purchases the intent that wished for it: any open or closed state -> SEEN.

    Returns how many were bound, and how many of those had lost their transaction's hash. One ticket serves one intent
    and one nonce one ticket by unique keys, so a repeat or a race changes nothing.
    """
    row = conn.execute(BIND_INTENTS, {"ticket_ids": list(ticket_ids)}).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


INSERT_ADOPTED = """
    INSERT INTO buy_intents (status, buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline,
                             nonce, tips, tx_hash, ticket_id)
    SELECT 'SEEN', buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, 0, nonce, tips, tx_hash,
           ticket_id
      FROM tickets WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) ORDER BY ticket_id
        ON CONFLICT DO NOTHING
"""


def insert_adopted(conn: Conn, ticket_ids: Sequence[int]) -> int:
    """An intent for each ticket that no intent knows (bought directly, or the App lost it); how many were made."""
    return conn.execute(INSERT_ADOPTED, {"ticket_ids": list(ticket_ids)}).rowcount


SELECT_DIFFERING = """
    SELECT t.ticket_id, t.tx_hash, t.log_index, t.block_number, i.intent_id
      FROM tickets AS t JOIN buy_intents AS i ON i.ticket_id = t.ticket_id
     WHERE t.ticket_id = ANY(%(ticket_ids)s::bigint[])
       AND (i.day_id, i.pool_id, i.paid_tips, i.voucher_tips, i.gas_cost, i.tips)
           IS DISTINCT FROM (t.day_id, t.pool_id, t.paid_tips, t.voucher_tips, t.gas_cost, t.tips)
     ORDER BY t.ticket_id
"""


class Differing(NamedTuple):
    """A purchase whose intent had wished for something else."""

    ticket_id: TicketId
    tx_hash: Hash32
    log_index: int
    block_number: int
    intent_id: UUID


def select_differing(conn: Conn, ticket_ids: Sequence[int]) -> list[Differing]:
    """Purchases with the nonce of an intent, but of other tips, terms or day than it says."""
    with conn.cursor(row_factory=args_row(Differing)) as cur:
        return cur.execute(SELECT_DIFFERING, {"ticket_ids": list(ticket_ids)}).fetchall()


MARK_FINAL = """
    UPDATE buy_intents AS i SET status = 'FINAL'
      FROM (SELECT s.intent_id FROM buy_intents AS s JOIN tickets AS t ON t.ticket_id = s.ticket_id
             WHERE t.is_final AND s.status = 'SEEN' ORDER BY s.intent_id FOR UPDATE OF s SKIP LOCKED) AS w
     WHERE i.intent_id = w.intent_id
    RETURNING i.intent_id
"""


def mark_final(conn: Conn) -> int:
    """SEEN -> FINAL for every intent whose ticket is final; the count."""
    return conn.execute(MARK_FINAL).rowcount


# The App can lock its intents, and must not stop ours; it may also have sent another transaction since we looked.
MARK_FAILED = """
    UPDATE buy_intents SET status = 'FAILED', failure_reason = %(reason)s
     WHERE intent_id = (SELECT intent_id FROM buy_intents WHERE intent_id = %(intent_id)s
                           AND status IN ('CREATED', 'SIGNED', 'SUBMITTED')
                           AND tx_hash IS NOT DISTINCT FROM %(tx_hash)b FOR UPDATE SKIP LOCKED)
"""


def mark_failed(conn: Conn, intent: Intent, reason: str) -> bool:
    """Reverted on the chain -> FAILED, with the reason. False when the intent stands elsewhere by now, or names another
    transaction than it did when it was read."""
    given = {"intent_id": intent.intent_id, "tx_hash": intent.tx_hash, "reason": told(reason)}
    return conn.execute(MARK_FAILED, given).rowcount == 1


MARK_EXPIRED = """
    UPDATE buy_intents SET status = 'EXPIRED'
     WHERE intent_id = (SELECT intent_id FROM buy_intents WHERE intent_id = %(intent_id)s FOR UPDATE SKIP LOCKED)
       AND status IN ('CREATED', 'SIGNED', 'SUBMITTED')
       AND least(deadline, (day_id::bigint + 1) * 86400 - 1) < %(final_time)s
"""


def mark_expired(conn: Conn, intent_id: UUID, final_time: int) -> bool:
    """-> EXPIRED, only if a final block's timestamp is past the deadline or the permit's day (check that the nonce is
    unused there)."""
    return conn.execute(MARK_EXPIRED, {"intent_id": intent_id, "final_time": final_time}).rowcount == 1


MOVE_BACK = """
    UPDATE buy_intents SET ticket_id = NULL,
           status = CASE WHEN tx_hash IS NOT NULL THEN 'SUBMITTED' WHEN signature IS NOT NULL THEN 'SIGNED'
                         ELSE 'CREATED' END
     WHERE ticket_id = ANY(%(ticket_ids)s::bigint[]) AND status = 'SEEN'
"""


def move_back(conn: Conn, ticket_ids: Sequence[int]) -> int:
    """SEEN -> back, because the block of the ticket was dropped; the count."""
    return conn.execute(MOVE_BACK, {"ticket_ids": list(ticket_ids)}).rowcount


SELECT_UNMATCHED = """
    SELECT t.ticket_id FROM tickets AS t
     WHERE t.day_id >= %(first_day)s
       AND NOT EXISTS (SELECT FROM buy_intents AS i WHERE i.ticket_id = t.ticket_id)
     ORDER BY t.ticket_id LIMIT %(limit)s
"""


def select_unmatched_tickets(conn: Conn, first_day: DayId, limit: int = 1000) -> list[TicketId]:
    """Tickets from a day on that no intent knows, oldest first."""
    given = {"first_day": first_day, "limit": limit}
    return [TicketId(row[0]) for row in conn.execute(SELECT_UNMATCHED, given).fetchall()]
