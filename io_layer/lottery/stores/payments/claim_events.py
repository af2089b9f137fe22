"""Claimed events of both vaults: one row each. A row is final when its block is; the others follow the head."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from psycopg.rows import args_row

from bo_engine.units import Atoms, DayId, Hash32, Wallet
from io_layer.postgres.connection import Conn

BATCH_ROWS: Final = 20_000


class ClaimEvent(NamedTuple):
    """A Claimed event and its place on the chain."""

    tx_hash: Hash32
    log_index: int
    vault: Wallet
    day_id: DayId
    account: Wallet
    paid_to: Wallet  # the account's payee: itself, unless it named another
    amount_atoms: Atoms
    block_number: int
    block_hash: Hash32

    @property
    def place(self) -> tuple[Hash32, int]:
        """What names the event."""
        return (self.tx_hash, self.log_index)

    @property
    def debt(self) -> tuple[Wallet, DayId, Wallet]:
        """What is paid once."""
        return (self.vault, self.day_id, self.account)


# A twin by place or by debt makes a row "not new"; whether it is the same event, the caller looks.
INSERT_CLAIM_EVENTS = """
    INSERT INTO claim_events (tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash,
                              is_final)
    SELECT tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash, %(is_final)s
      FROM unnest(%(tx_hash)b::bytea[], %(log_index)s::integer[], %(vault)s::text[], %(day_id)s::integer[],
                  %(account)s::text[], %(paid_to)s::text[], %(amount)s::numeric[], %(block_number)s::bigint[],
                  %(block_hash)b::bytea[])
           AS t (tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash)
     ORDER BY block_number, log_index
        ON CONFLICT DO NOTHING
"""


def insert_claim_events(conn: Conn, events: Sequence[ClaimEvent], *, is_final: bool) -> int:
    """Store what is new; the count. A repeat changes nothing."""
    new = 0
    for start in range(0, len(events), BATCH_ROWS):
        batch = events[start : start + BATCH_ROWS]
        columns: dict[str, Any] = {
            "tx_hash": [one.tx_hash for one in batch],
            "log_index": [one.log_index for one in batch],
            "vault": [one.vault for one in batch],
            "day_id": [one.day_id for one in batch],
            "account": [one.account for one in batch],
            "paid_to": [one.paid_to for one in batch],
            "amount": [one.amount_atoms for one in batch],
            "block_number": [one.block_number for one in batch],
            "block_hash": [one.block_hash for one in batch],
            "is_final": is_final,
        }
        new += conn.execute(INSERT_CLAIM_EVENTS, columns).rowcount
    return new


SELECT_FINAL_AT = """
    SELECT tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash
      FROM claim_events JOIN unnest(%(tx_hash)b::bytea[], %(log_index)s::integer[]) AS t (tx_hash, log_index)
           USING (tx_hash, log_index)
     WHERE is_final ORDER BY block_number, log_index
"""


def select_final_at(conn: Conn, events: Collection[ClaimEvent]) -> list[ClaimEvent]:
    """The final rows at the places of these events."""
    with conn.cursor(row_factory=args_row(ClaimEvent)) as cur:
        return cur.execute(SELECT_FINAL_AT, _places(events)).fetchall()


SELECT_NOT_FINAL = """
    SELECT tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash
      FROM claim_events WHERE NOT is_final ORDER BY block_number, log_index
"""


def select_not_final(conn: Conn) -> list[ClaimEvent]:
    """What was seen above the final block."""
    with conn.cursor(row_factory=args_row(ClaimEvent)) as cur:
        return cur.execute(SELECT_NOT_FINAL).fetchall()


# A row of a dropped block may stand in the way of the same claim, or of another one in its place, in a later block.
SELECT_DOUBTFUL = """
    SELECT tx_hash, log_index, vault, day_id, account, paid_to, amount, block_number, block_hash
      FROM claim_events
     WHERE NOT is_final AND (block_number <= %(up_to_block)s OR account = ANY(%(accounts)s::text[])
                             OR tx_hash = ANY(%(tx_hashes)b::bytea[]))
     ORDER BY block_number, log_index
"""


def select_doubtful(conn: Conn, up_to_block: int, events: Collection[ClaimEvent]) -> list[ClaimEvent]:
    """Rows that are not final and about which final blocks up to this one, with these events, may have decided."""
    given = {
        "up_to_block": up_to_block,
        "accounts": list({one.account for one in events}),
        "tx_hashes": list({one.tx_hash for one in events}),
    }
    with conn.cursor(row_factory=args_row(ClaimEvent)) as cur:
        return cur.execute(SELECT_DOUBTFUL, given).fetchall()


DELETE_NOT_FINAL = """
    DELETE FROM claim_events AS e
     USING unnest(%(tx_hash)b::bytea[], %(log_index)s::integer[]) AS t (tx_hash, log_index)
     WHERE e.tx_hash = t.tx_hash AND e.log_index = t.log_index AND NOT e.is_final
"""


def delete_not_final(conn: Conn, events: Collection[ClaimEvent]) -> int:
    """Remove events of dropped blocks; the count. Final ones are left alone."""
    return conn.execute(DELETE_NOT_FINAL, _places(events)).rowcount


SET_FINAL = """
    UPDATE claim_events AS e SET is_final = true
      FROM unnest(%(tx_hash)b::bytea[], %(log_index)s::integer[]) AS t (tx_hash, log_index)
     WHERE e.tx_hash = t.tx_hash AND e.log_index = t.log_index AND NOT e.is_final
"""


def set_final(conn: Conn, events: Collection[ClaimEvent]) -> int:
    """Events that a final block has confirmed; the count."""
    return conn.execute(SET_FINAL, _places(events)).rowcount


DOUBT_ALL = "UPDATE claim_events SET is_final = false WHERE is_final"


def doubt_all(conn: Conn) -> int:
    """Everything is to be read again: final blocks confirm each row or remove it. The count."""
    return conn.execute(DOUBT_ALL).rowcount


SUM_FINAL = "SELECT vault, day_id, sum(amount) FROM claim_events WHERE is_final GROUP BY vault, day_id"


def sum_final_claims(conn: Conn) -> dict[tuple[Wallet, DayId], Atoms]:
    """What final events add up to, by vault and day."""
    return {(Wallet(vault), DayId(day)): Atoms(total) for vault, day, total in conn.execute(SUM_FINAL).fetchall()}


def _places(events: Collection[ClaimEvent]) -> dict[str, Any]:
    return {"tx_hash": [one.tx_hash for one in events], "log_index": [one.log_index for one in events]}
