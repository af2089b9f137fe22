"""The transaction journal: nothing is broadcast that was not stored before. Each move is a compare-and-set."""

from enum import StrEnum
from typing import Any, NamedTuple

from psycopg.rows import args_row

from bo_engine.errors import InvariantBroken, require_invariant
from bo_engine.redaction import told
from bo_engine.units import Hash32, Wallet
from io_layer.postgres.connection import Conn


class TransactionStatus(StrEnum):
    """How far a purpose has come. FINAL and ADOPTED are for ever: the chain shows its effect."""

    PREPARED = "PREPARED"
    SIGNED = "SIGNED"
    BROADCAST = "BROADCAST"
    MINED = "MINED"
    FINAL = "FINAL"
    FAILED = "FAILED"
    ADOPTED = "ADOPTED"


class AttemptState(StrEnum):
    """What became of one signed transaction. REVERTED and DROPPED ones are spent without effect."""

    SIGNED = "SIGNED"
    BROADCAST = "BROADCAST"
    MINED = "MINED"
    FINAL = "FINAL"
    REVERTED = "REVERTED"
    DROPPED = "DROPPED"


class Purpose(NamedTuple):
    """What a transaction is for. There is one row per purpose, for ever."""

    chain_id: int
    contract: Wallet
    selector: bytes  # 4
    subject: str  # as `day 20778`
    round: int  # how often its product has begun anew: takebacks of the day so far


class JournalTx(NamedTuple):
    """One row of chain_transactions."""

    tx_id: int
    chain_id: int
    contract: Wallet
    selector: bytes
    subject: str
    round: int
    status: TransactionStatus
    calldata: bytes
    reason: str | None


def _journal_tx(*columns: Any) -> JournalTx:
    row = JournalTx(*columns)
    return row._replace(status=TransactionStatus(row.status))


class Attempt(NamedTuple):
    """One signed transaction of a purpose."""

    tx_id: int
    attempt: int
    sender: Wallet
    nonce: int
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee: int
    raw: bytes
    tx_hash: Hash32
    state: AttemptState
    block_number: int | None
    block_hash: Hash32 | None
    broadcast_block: int | None  # the final block when it was first sent


def _attempt(*columns: Any) -> Attempt:
    row = Attempt(*columns)
    return row._replace(state=AttemptState(row.state))


class SignedAttempt(NamedTuple):
    """What the signer made, before it is stored."""

    sender: Wallet
    nonce: int
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee: int
    raw: bytes
    tx_hash: Hash32


INSERT_TRANSACTION = """
    INSERT INTO chain_transactions (chain_id, contract, selector, subject, round, calldata)
    VALUES (%(chain_id)s, %(contract)s, %(selector)s, %(subject)s, %(round)s, %(calldata)s)
        ON CONFLICT ON CONSTRAINT chain_transactions_one_per_purpose DO NOTHING
"""
# As long as nothing was signed, a newer run of the same round may still change what is sent.
REPLACE_CALLDATA = """
    UPDATE chain_transactions SET calldata = %(calldata)s
     WHERE tx_id = %(tx_id)s AND status = 'PREPARED'
       AND NOT EXISTS (SELECT FROM chain_transaction_attempts AS a WHERE a.tx_id = %(tx_id)s)
"""


def insert_transaction(conn: Conn, purpose: Purpose, calldata: bytes) -> JournalTx:
    """The row of this purpose, new or as it stands. Run it inside a transaction: the row stays locked.

    Raises: InvariantBroken ``journal_conflict`` when other calldata were signed for this purpose already.
    """
    conn.execute(INSERT_TRANSACTION, {**purpose._asdict(), "calldata": calldata})
    row = lock_transaction(conn, purpose)
    if row is None:
        raise InvariantBroken("journal_lost", "a journal row vanished")
    if row.calldata != calldata:
        if conn.execute(REPLACE_CALLDATA, {"tx_id": row.tx_id, "calldata": calldata}).rowcount != 1:
            raise InvariantBroken(
                "journal_conflict",
                f"{purpose.subject} round {purpose.round}: other calldata were signed for this purpose before: "
                f"compare `bo-engine tx show --id {row.tx_id}` with the day's bundle; what has changed since it was "
                "signed must come back from a backup, or the day is voided (docs/operations.md)",
            )
        row = row._replace(calldata=calldata)
    return row


SELECT_TRANSACTION = """
    SELECT tx_id, chain_id, contract, selector, subject, round, status, calldata, reason FROM chain_transactions
     WHERE chain_id = %(chain_id)s AND contract = %(contract)s AND selector = %(selector)s AND subject = %(subject)s
       AND round = %(round)s
"""
LOCK_TRANSACTION = SELECT_TRANSACTION + " FOR UPDATE"


def select_transaction(conn: Conn, purpose: Purpose) -> JournalTx | None:
    """The row of this purpose, or None."""
    with conn.cursor(row_factory=args_row(_journal_tx)) as cur:
        return cur.execute(SELECT_TRANSACTION, purpose._asdict()).fetchone()


def lock_transaction(conn: Conn, purpose: Purpose) -> JournalTx | None:
    """The same, locked until the transaction ends."""
    with conn.cursor(row_factory=args_row(_journal_tx)) as cur:
        return cur.execute(LOCK_TRANSACTION, purpose._asdict()).fetchone()


SELECT_CALLDATA = """
    SELECT calldata FROM chain_transactions
     WHERE contract = %(contract)s AND selector = %(selector)s AND subject = %(subject)s AND round = %(round)s
     ORDER BY tx_id
"""


def select_calldata(
    conn: Conn,
    contract: Wallet,
    selector: bytes,
    *,
    subject: str,
    round: int,  # noqa: A002 - as the column
) -> list[bytes]:
    """What our transactions of a subject and round call a function with."""
    given = {"contract": contract, "selector": selector, "subject": subject, "round": round}
    return [bytes(row[0]) for row in conn.execute(SELECT_CALLDATA, given).fetchall()]


SELECT_ALL = """
    SELECT tx_id, chain_id, contract, selector, subject, round, status, calldata, reason FROM chain_transactions
     ORDER BY tx_id
"""


def select_transactions(conn: Conn) -> list[JournalTx]:
    """All purposes, oldest first."""
    with conn.cursor(row_factory=args_row(_journal_tx)) as cur:
        return cur.execute(SELECT_ALL).fetchall()


SELECT_NUMBERED = """
    SELECT tx_id, chain_id, contract, selector, subject, round, status, calldata, reason FROM chain_transactions
     WHERE tx_id = %(tx_id)s
"""


def select_numbered(conn: Conn, tx_id: int) -> JournalTx | None:
    """The purpose of that number, or None."""
    with conn.cursor(row_factory=args_row(_journal_tx)) as cur:
        return cur.execute(SELECT_NUMBERED, {"tx_id": tx_id}).fetchone()


SELECT_OPEN = """
    SELECT tx_id, chain_id, contract, selector, subject, round, status, calldata, reason FROM chain_transactions
     WHERE status NOT IN ('FINAL', 'FAILED', 'ADOPTED') ORDER BY tx_id
"""


def select_open_transactions(conn: Conn) -> list[JournalTx]:
    """Purposes that are not finished, oldest first."""
    with conn.cursor(row_factory=args_row(_journal_tx)) as cur:
        return cur.execute(SELECT_OPEN).fetchall()


INSERT_ACCOUNT = """
    INSERT INTO chain_accounts (chain_id, address, next_nonce) VALUES (%(chain_id)s, %(sender)s, %(chain_nonce)s)
        ON CONFLICT DO NOTHING
"""
LOCK_ACCOUNT = """
    SELECT next_nonce FROM chain_accounts WHERE chain_id = %(chain_id)s AND address = %(sender)s FOR UPDATE
"""
SELECT_OWN_NONCE = """
    SELECT n.nonce FROM chain_nonces AS n
     WHERE n.chain_id = %(chain_id)s AND n.sender = %(sender)s AND n.tx_id = %(tx_id)s AND n.nonce >= %(chain_nonce)s
     ORDER BY n.nonce LIMIT 1
"""
# Below a new nonce all must be spent or filled with signed bytes of ours, or the transaction would never be mined.
COUNT_FILLED = """
    SELECT count(DISTINCT a.nonce) FROM chain_transaction_attempts AS a
      JOIN chain_nonces AS n ON n.sender = a.sender AND n.nonce = a.nonce AND n.tx_id = a.tx_id
     WHERE n.chain_id = %(chain_id)s AND a.sender = %(sender)s AND a.state NOT IN ('REVERTED', 'DROPPED')
       AND a.nonce >= %(chain_nonce)s AND a.nonce < %(nonce)s
"""
INSERT_NONCE = """
    INSERT INTO chain_nonces (chain_id, sender, nonce, tx_id) VALUES (%(chain_id)s, %(sender)s, %(nonce)s, %(tx_id)s)
"""
ADVANCE_ACCOUNT = """
    UPDATE chain_accounts SET next_nonce = %(nonce)s + 1 WHERE chain_id = %(chain_id)s AND address = %(sender)s
"""


def allocate_nonce(conn: Conn, tx_id: int, chain_id: int, sender: Wallet, chain_nonce: int) -> int:
    """The nonce for a purpose: the one it has and has not spent, else the next free one.

    ``chain_nonce`` is the sender's transaction count on the chain: what lies below is spent, by us or by others.
    Run it inside a transaction: the account's row stays locked.
    Raises: InvariantBroken ``nonce_gap`` when an edited row would leave a nonce that nothing fills.
    """
    given = {"chain_id": chain_id, "sender": sender, "tx_id": tx_id, "chain_nonce": chain_nonce}
    conn.execute(INSERT_ACCOUNT, given)
    account = conn.execute(LOCK_ACCOUNT, given).fetchone()
    own = conn.execute(SELECT_OWN_NONCE, given).fetchone()
    nonce = int(own[0]) if own is not None else max(int(account[0]) if account else 0, chain_nonce)
    filled = conn.execute(COUNT_FILLED, {**given, "nonce": nonce}).fetchone()
    require_invariant(
        filled is not None and int(filled[0]) == nonce - chain_nonce,
        "nonce_gap",
        f"the journal would give nonce {nonce} to {sender}, but the chain has counted {chain_nonce} transactions and "
        "nothing of ours fills the ones between: chain_accounts or chain_nonces was edited; nothing is signed",
    )
    if own is not None:
        return nonce
    conn.execute(INSERT_NONCE, {**given, "nonce": nonce})
    conn.execute(ADVANCE_ACCOUNT, {**given, "nonce": nonce})
    return nonce


SELECT_UNKNOWN_NONCES = """
    SELECT s.nonce FROM generate_series(%(first)s::bigint, %(chain_nonce)s::bigint - 1) AS s (nonce)
     WHERE NOT EXISTS (SELECT FROM chain_nonces AS n WHERE n.chain_id = %(chain_id)s AND n.sender = %(sender)s
                          AND n.nonce = s.nonce)
     ORDER BY s.nonce
"""


def select_unknown_nonces(conn: Conn, chain_id: int, sender: Wallet, first: int, chain_nonce: int) -> list[int]:
    """Nonces from ``first`` on that the chain has spent (it counts ``chain_nonce``) and this journal never gave out."""
    given = {"chain_id": chain_id, "sender": sender, "first": first, "chain_nonce": chain_nonce}
    return [int(row[0]) for row in conn.execute(SELECT_UNKNOWN_NONCES, given).fetchall()]


SELECT_BLOCK_BEFORE = """
    SELECT coalesce(max(a.block_number), 0)
      FROM chain_transaction_attempts AS a JOIN chain_transactions AS t USING (tx_id)
     WHERE t.chain_id = %(chain_id)s AND a.sender = %(sender)s AND a.state = 'FINAL' AND a.nonce < %(nonce)s
"""


def select_block_before(conn: Conn, chain_id: int, sender: Wallet, nonce: int) -> int:
    """A final block before which the sender cannot have spent this nonce: that of the last one below it, or 0."""
    row = conn.execute(SELECT_BLOCK_BEFORE, {"chain_id": chain_id, "sender": sender, "nonce": nonce}).fetchone()
    return int(row[0]) if row else 0


INSERT_ATTEMPT = """
    INSERT INTO chain_transaction_attempts
           (tx_id, attempt, sender, nonce, gas_limit, max_fee_per_gas, max_priority_fee, raw, tx_hash)
    SELECT %(tx_id)s, coalesce(max(attempt), 0) + 1, %(sender)s, %(nonce)s, %(gas_limit)s, %(max_fee_per_gas)s::numeric,
           %(max_priority_fee)s::numeric, %(raw)s, %(tx_hash)s
      FROM chain_transaction_attempts WHERE tx_id = %(tx_id)s
    RETURNING attempt
"""
MARK_SIGNED = "UPDATE chain_transactions SET status = 'SIGNED' WHERE tx_id = %(tx_id)s AND status = 'PREPARED'"


def insert_attempt(conn: Conn, tx_id: int, signed: SignedAttempt) -> int:
    """Store signed bytes and return the attempt's number. Commit before the first broadcast.

    Raises: InvariantBroken ``attempts_nonce_allocated`` when the nonce was not given to this purpose.
    """
    row = conn.execute(INSERT_ATTEMPT, {"tx_id": tx_id, **signed._asdict()}).fetchone()
    conn.execute(MARK_SIGNED, {"tx_id": tx_id})
    return int(row[0]) if row else 0


SELECT_ATTEMPTS = """
    SELECT tx_id, attempt, sender, nonce, gas_limit, max_fee_per_gas, max_priority_fee, raw, tx_hash, state,
           block_number, block_hash, broadcast_block
      FROM chain_transaction_attempts WHERE tx_id = %(tx_id)s ORDER BY attempt
"""


def select_attempts(conn: Conn, tx_id: int) -> list[Attempt]:
    """The signed transactions of a purpose, first to last."""
    with conn.cursor(row_factory=args_row(_attempt)) as cur:
        return cur.execute(SELECT_ATTEMPTS, {"tx_id": tx_id}).fetchall()


ATTEMPT_BROADCAST = """
    UPDATE chain_transaction_attempts
       SET state = 'BROADCAST', block_number = NULL, block_hash = NULL,
           broadcast_block = CASE WHEN state IN ('SIGNED', 'BROADCAST') THEN coalesce(broadcast_block, %(final_block)s)
                                  ELSE %(final_block)s END
     WHERE tx_id = %(tx_id)s AND attempt = %(attempt)s AND state IN ('SIGNED', 'MINED', 'DROPPED', 'BROADCAST')
"""
TX_BROADCAST = """
    UPDATE chain_transactions SET status = 'BROADCAST'
     WHERE tx_id = %(tx_id)s AND status IN ('SIGNED', 'BROADCAST', 'MINED')
"""


def mark_broadcast(conn: Conn, tx_id: int, attempt: int, final_block: int) -> bool:
    """SIGNED -> BROADCAST, or MINED -> BROADCAST when its block was dropped. ``final_block``: the newest one now; the
    first counts, so that a repeat does not make the transaction look younger."""
    given = {"tx_id": tx_id, "attempt": attempt, "final_block": final_block}
    conn.execute(TX_BROADCAST, given)
    return conn.execute(ATTEMPT_BROADCAST, given).rowcount == 1


ATTEMPT_MINED = """
    UPDATE chain_transaction_attempts
       SET state = 'MINED', block_number = %(block_number)s, block_hash = %(block_hash)s
     WHERE tx_id = %(tx_id)s AND attempt = %(attempt)s AND state IN ('SIGNED', 'BROADCAST', 'MINED', 'DROPPED')
"""
TX_MINED = """
    UPDATE chain_transactions SET status = 'MINED'
     WHERE tx_id = %(tx_id)s AND status IN ('SIGNED', 'BROADCAST', 'MINED')
"""


def mark_mined(conn: Conn, tx_id: int, attempt: int, block_number: int, block_hash: Hash32) -> bool:
    """-> MINED with success, which is not done yet: only a final block is."""
    conn.execute(TX_MINED, {"tx_id": tx_id})
    given = {"tx_id": tx_id, "attempt": attempt, "block_number": block_number, "block_hash": block_hash}
    return conn.execute(ATTEMPT_MINED, given).rowcount == 1


ATTEMPT_FINAL = """
    UPDATE chain_transaction_attempts
       SET state = 'FINAL', block_number = %(block_number)s, block_hash = %(block_hash)s
     WHERE tx_id = %(tx_id)s AND attempt = %(attempt)s AND state <> 'FINAL'
"""
TX_FINAL = (
    "UPDATE chain_transactions SET status = 'FINAL' WHERE tx_id = %(tx_id)s AND status NOT IN ('FINAL', 'ADOPTED')"
)


def mark_final(conn: Conn, tx_id: int, attempt: int, block_number: int, block_hash: Hash32) -> bool:
    """-> FINAL: in a final block with success. For ever."""
    given = {"tx_id": tx_id, "attempt": attempt, "block_number": block_number, "block_hash": block_hash}
    if conn.execute(ATTEMPT_FINAL, given).rowcount != 1:
        return False
    return conn.execute(TX_FINAL, given).rowcount == 1


ATTEMPT_REVERTED = """
    UPDATE chain_transaction_attempts
       SET state = 'REVERTED', block_number = %(block_number)s, block_hash = %(block_hash)s
     WHERE tx_id = %(tx_id)s AND attempt = %(attempt)s AND state NOT IN ('FINAL', 'REVERTED')
"""


def mark_reverted(conn: Conn, tx_id: int, attempt: int, block_number: int, block_hash: Hash32) -> bool:
    """The attempt was mined without effect. The purpose stays open; ``prepare_again`` or ``mark_failed`` decide."""
    given = {"tx_id": tx_id, "attempt": attempt, "block_number": block_number, "block_hash": block_hash}
    return conn.execute(ATTEMPT_REVERTED, given).rowcount == 1


ATTEMPT_DROPPED = """
    UPDATE chain_transaction_attempts SET state = 'DROPPED', block_number = NULL, block_hash = NULL
     WHERE tx_id = %(tx_id)s AND attempt = %(attempt)s AND state IN ('SIGNED', 'BROADCAST', 'MINED')
"""


def mark_dropped(conn: Conn, tx_id: int, attempt: int) -> bool:
    """The attempt can never be mined: its nonce was spent by another transaction."""
    return conn.execute(ATTEMPT_DROPPED, {"tx_id": tx_id, "attempt": attempt}).rowcount == 1


PREPARE_AGAIN = """
    UPDATE chain_transactions SET status = 'PREPARED', reason = %(reason)s
     WHERE tx_id = %(tx_id)s AND status NOT IN ('FINAL', 'ADOPTED', 'PREPARED')
       AND NOT EXISTS (SELECT FROM chain_transaction_attempts AS a
                        WHERE a.tx_id = %(tx_id)s AND a.state NOT IN ('REVERTED', 'DROPPED'))
"""


def prepare_again(conn: Conn, tx_id: int, reason: str) -> bool:
    """-> PREPARED for a new nonce, only when every attempt so far is finally spent without effect."""
    return conn.execute(PREPARE_AGAIN, {"tx_id": tx_id, "reason": told(reason)}).rowcount == 1


MARK_FAILED = """
    UPDATE chain_transactions SET status = 'FAILED', reason = %(reason)s
     WHERE tx_id = %(tx_id)s AND status NOT IN ('FINAL', 'ADOPTED')
"""


def mark_failed(conn: Conn, tx_id: int, reason: str) -> bool:
    """-> FAILED: a person must look."""
    return conn.execute(MARK_FAILED, {"tx_id": tx_id, "reason": told(reason)}).rowcount == 1


PREPARE_FAILED = """
    UPDATE chain_transactions SET status = 'PREPARED', reason = %(reason)s
     WHERE status = 'FAILED' AND (subject = %(subject)s OR tx_id = %(tx_id)s)
"""


def prepare_failed(conn: Conn, reason: str, *, subject: str | None = None, tx_id: int | None = None) -> int:
    """FAILED -> PREPARED for all of a day, or for one: a person has looked. How many."""
    given = {"subject": subject, "tx_id": tx_id, "reason": told(reason)}
    return conn.execute(PREPARE_FAILED, given).rowcount


MARK_ADOPTED = """
    UPDATE chain_transactions SET status = 'ADOPTED', reason = %(reason)s
     WHERE tx_id = %(tx_id)s AND status NOT IN ('FINAL', 'ADOPTED')
"""


def mark_adopted(conn: Conn, tx_id: int, reason: str) -> bool:
    """-> ADOPTED: the chain shows the wanted effect, whoever sent it. Write the audit row beside it."""
    return conn.execute(MARK_ADOPTED, {"tx_id": tx_id, "reason": told(reason)}).rowcount == 1
