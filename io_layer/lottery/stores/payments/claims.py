"""The App's claims: PENDING until the chain has decided, PAID or RELEASED then."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from psycopg.rows import args_row

from bo_engine.redaction import told
from bo_engine.units import DayId, Hash32, Wallet
from io_layer.postgres.connection import Conn

#: So long after the App wrote it a claim that nothing on the chain explains is released.
STALE_S: Final = 3_600


class ClaimStatus(StrEnum):
    """Where the App's claim stands. RELEASED: the App may offer it again."""

    PENDING = "PENDING"
    PAID = "PAID"
    RELEASED = "RELEASED"


class PendingClaim(NamedTuple):
    """One row of claims that waits for the chain."""

    claim_id: int
    vault: Wallet
    day_id: DayId
    account: Wallet
    tx_hash: Hash32 | None
    is_stale: bool


# Whoever was looked at longest ago comes first, so that nobody starves. The age counts by the database's clock.
SELECT_PENDING = """
    SELECT claim_id, vault, day_id, account, tx_hash, created_at < now() - make_interval(secs => %(stale_s)s)
      FROM claims WHERE status = 'PENDING' ORDER BY updated_at, claim_id LIMIT %(limit)s
"""


def select_pending(conn: Conn, limit: int) -> list[PendingClaim]:
    """Pending claims, those first that were looked at longest ago."""
    with conn.cursor(row_factory=args_row(PendingClaim)) as cur:
        return cur.execute(SELECT_PENDING, {"stale_s": STALE_S, "limit": limit}).fetchall()


HAS_PENDING = "SELECT EXISTS (SELECT FROM claims WHERE status = 'PENDING')"


def has_pending(conn: Conn) -> bool:
    """Whether any claim waits."""
    row = conn.execute(HAS_PENDING).fetchone()
    return bool(row and row[0])


# The App can lock its claims, and must not stop ours; it may also have sent another transaction since we looked.
DECIDE = """
    UPDATE claims SET status = %(status)s, reason = %(reason)s, updated_at = now()
     WHERE claim_id = (SELECT claim_id FROM claims WHERE claim_id = %(claim_id)s AND status = 'PENDING'
                          AND tx_hash IS NOT DISTINCT FROM %(tx_hash)b FOR UPDATE SKIP LOCKED)
"""


def decide_claim(
    conn: Conn, claim: PendingClaim, status: Literal[ClaimStatus.PAID, ClaimStatus.RELEASED], reason: str | None
) -> bool:
    """PENDING -> PAID or RELEASED, as it was read; False when somebody was faster or holds it locked."""
    given = {"claim_id": claim.claim_id, "tx_hash": claim.tx_hash, "status": status}
    return conn.execute(DECIDE, {**given, "reason": told(reason) if reason else None}).rowcount == 1


REOPEN = """
    UPDATE claims AS c SET status = 'PENDING', updated_at = now()
     WHERE c.status = 'PAID' AND NOT EXISTS (
           SELECT FROM claim_events AS e WHERE (e.vault, e.day_id, e.account) = (c.vault, c.day_id, c.account))
"""


def reopen_claims(conn: Conn) -> int:
    """PAID -> PENDING where no event tells of the payment: the vault is asked once more. The count."""
    return conn.execute(REOPEN).rowcount


PUT_BEHIND = """
    UPDATE claims SET updated_at = clock_timestamp()
     WHERE claim_id IN (SELECT claim_id FROM claims WHERE claim_id = ANY(%(claim_ids)s::bigint[])
                           AND status = 'PENDING' FOR UPDATE SKIP LOCKED)
"""


def put_claims_behind(conn: Conn, claim_ids: Sequence[int]) -> int:
    """These were looked at: the next run begins with others."""
    return conn.execute(PUT_BEHIND, {"claim_ids": list(claim_ids)}).rowcount
