"""What became of the transactions of a purpose, up to the final block.

Several signed transactions may share one nonce (a fee was raised); whichever is mined decides, the others are spent
with it. Whether a purpose is fulfilled is never decided here but by the contract's state at a final block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bo_engine.log import get_logger
from bo_engine.units import Hash32, Wallet
from io_layer.contracts.codec import codec
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import Receipt, read_receipt
from io_layer.stores.audit import insert_audit
from io_layer.stores.journal import (
    Attempt,
    AttemptState,
    JournalTx,
    TransactionStatus,
    mark_adopted,
    mark_broadcast,
    mark_dropped,
    mark_failed,
    mark_final,
    mark_mined,
    mark_reverted,
    prepare_again,
    select_attempts,
    select_transaction,
)
from io_layer.stores.journal import Purpose as StoredPurpose
from services.running.context import RunContext

_LOG = get_logger("journal")
_SPENT = (AttemptState.REVERTED, AttemptState.DROPPED)
_TRIES = 2  # transactions that may fail on the chain before a person must look


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is to be done on-chain, once: a function of a contract, for a subject (``day 20778``), in a round."""

    contract: str
    address: Wallet
    function: str
    subject: str
    round: int


def is_of_product(context: RunContext, stored: JournalTx) -> bool:
    """Whether the product of this context has sent it: another product's transactions are its own to follow."""
    return stored.contract in {context.policy.address_of(one.contract) for one in context.policy.wording.functions}


def stored_purpose(context: RunContext, purpose: Purpose) -> StoredPurpose:
    """The purpose as the journal's key."""
    return StoredPurpose(
        chain_id=context.chain.chain_id,
        contract=purpose.address,
        selector=codec(purpose.contract).selector(purpose.function),
        subject=purpose.subject,
        round=purpose.round,
    )


def current_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that counts: the one on the chain, else the newest that may still be mined, else None."""
    for state in (AttemptState.FINAL, AttemptState.MINED):
        for attempt in attempts:
            if attempt.state == state:
                return attempt
    live = [attempt for attempt in attempts if attempt.state not in _SPENT]
    return live[-1] if live else None


def follow(context: RunContext, purpose: Purpose) -> None:
    """Write down what became of the purpose's transactions up to the final block.

    An attempt that is finally mined without effect, or whose nonce another transaction finally took, is spent; only
    then may the purpose be prepared again.
    """
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    if stored is not None and stored.status not in (TransactionStatus.FINAL, TransactionStatus.ADOPTED):
        follow_stored(context, stored, context.chain.read_final_block())


def follow_stored(context: RunContext, stored: JournalTx, final: Block) -> None:
    """The same for a journal row, at a final block."""
    attempts = select_attempts(context.conn, stored.tx_id)
    open_ones = [attempt for attempt in attempts if attempt.state not in (AttemptState.FINAL, *_SPENT)]
    if not open_ones:
        return
    chain = context.chain
    seen = [(attempt, read_receipt(chain, attempt.tx_hash, final)) for attempt in open_ones]
    counted = {
        sender: chain.read_final_nonce(final, sender)
        for sender in {attempt.sender for attempt, receipt in seen if receipt is None}
    }
    taken = _taken_by_others(attempts, seen, counted)
    # All marks stand or fall together: none of them may be missing once the purpose is FINAL.
    with context.transaction():
        for attempt, receipt in seen:
            _mark(context, stored, attempt, receipt, final, is_spent=counted.get(attempt.sender, 0) > attempt.nonce)
        for attempt in taken:
            details = {"settler": attempt.sender, "nonce": attempt.nonce, "tx_id": stored.tx_id}
            day_id = context.policy.wording.day_of(stored.subject)
            # Not ``settler_nonce``: that it is known does not make what lies below it known.
            given = {"taken_from": details}
            insert_audit(context.conn, actor="engine", action="nonce_taken", day_id=day_id, details=given)
        _open_again(context, stored)
    for attempt in taken:
        facts = {"subject": stored.subject, "sender": attempt.sender, "nonce": attempt.nonce}
        _LOG.error("nonce_taken", extra={"day_id": context.policy.wording.day_of(stored.subject), **facts})
        context.report(f"somebody else sent a transaction of our key with nonce {attempt.nonce}: who has the key?")


def _mark(
    context: RunContext, stored: JournalTx, attempt: Attempt, receipt: Receipt | None, final: Block, *, is_spent: bool
) -> None:
    conn, tx_id, number = context.conn, stored.tx_id, attempt.attempt
    if receipt is None:
        if is_spent:
            mark_dropped(conn, tx_id, number)
        elif attempt.state == AttemptState.MINED:
            # Its block was dropped, and the transaction may be lost with it: it is to be sent again.
            mark_broadcast(conn, tx_id, number, final.number)
        return
    is_final = receipt.block_number <= final.number
    if not receipt.succeeded and not is_final:
        return
    mark = mark_reverted if not receipt.succeeded else mark_final if is_final else mark_mined
    mark(conn, tx_id, number, receipt.block_number, receipt.block_hash)


def _open_again(context: RunContext, stored: JournalTx) -> None:
    """A purpose whose attempts are all spent may take a new nonce, but not again and again without a person; one that
    its product has closed takes none."""
    attempts = select_attempts(context.conn, stored.tx_id)
    reverted = sum(1 for attempt in attempts if attempt.state == AttemptState.REVERTED)
    is_spent = all(attempt.state in _SPENT for attempt in attempts)
    closed = context.policy.closed_because(stored)
    if is_spent and closed is not None:
        mark_adopted(context.conn, stored.tx_id, closed)
    elif is_spent and attempts[-1].state == AttemptState.REVERTED and reverted % _TRIES == 0:
        mark_failed(context.conn, stored.tx_id, f"{reverted} transactions of it failed on the chain")
    else:
        prepare_again(context.conn, stored.tx_id, "every earlier transaction is finally spent without effect")


def _taken_by_others(
    attempts: Sequence[Attempt], seen: Sequence[tuple[Attempt, Receipt | None]], counted: dict[Wallet, int]
) -> list[Attempt]:
    """One attempt of each nonce that is finally spent and by none of ours."""
    ours = {attempt.nonce for attempt, receipt in seen if receipt is not None}
    ours |= {attempt.nonce for attempt in attempts if attempt.state in (AttemptState.FINAL, AttemptState.REVERTED)}
    gone = {
        (attempt.sender, attempt.nonce): attempt
        for attempt, receipt in seen
        if receipt is None and counted[attempt.sender] > attempt.nonce and attempt.nonce not in ours
    }
    return list(gone.values())


def close_purpose(context: RunContext, purpose: Purpose) -> Hash32 | None:
    """The contract shows the wanted effect at a final block: the hash of our transaction that brought it, or None.

    None when another sender's did: then the purpose is marked as adopted, unless a transaction of ours is still under
    way (it fills its nonce and will find nothing left to do). Write the audit row beside it.
    """
    follow(context, purpose)
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    found = select_attempts(context.conn, stored.tx_id) if stored else []
    ours = [attempt.tx_hash for attempt in found if attempt.state == AttemptState.FINAL]
    if stored is not None and not ours and all(attempt.state in _SPENT for attempt in found):
        with context.transaction():
            mark_adopted(context.conn, stored.tx_id, "the chain shows the effect of another sender's transaction")
    return ours[-1] if ours else None


def sent_block(context: RunContext, purpose: Purpose) -> int | None:
    """The block in which the purpose's transaction stands, or None."""
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    attempt = current_attempt(select_attempts(context.conn, stored.tx_id)) if stored else None
    return attempt.block_number if attempt else None


def transaction_hash(context: RunContext, purpose: Purpose) -> Hash32 | None:
    """The hash of the purpose's transaction that counts, or None."""
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    attempt = current_attempt(select_attempts(context.conn, stored.tx_id)) if stored else None
    return attempt.tx_hash if attempt else None
