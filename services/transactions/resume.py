"""Takes open transactions one step further without settling: follows them, sends them again, raises their fee."""

from dataclasses import dataclass, field
from typing import Any

from bo_engine.errors import EXIT_DONE, EXIT_LATER, Unavailable, UsageError
from io_layer.keys.signer import Signer
from io_layer.postgres.connection import read_only
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import Broadcast
from io_layer.stores.audit import insert_audit
from io_layer.stores.journal import (
    AttemptState,
    JournalTx,
    TransactionStatus,
    mark_adopted,
    prepare_failed,
    select_attempts,
    select_open_transactions,
)
from services.chain.reorg_guard import require_final_blocks
from services.running.context import RunContext
from services.running.lease import held_lease
from services.transactions.fee_bump import bump_reason
from services.transactions.follow import current_attempt, follow_stored, is_of_product
from services.transactions.send import checked_signer, deliver
from services.transactions.show import summary, transaction_of

_FINISHED = (TransactionStatus.FINAL, TransactionStatus.ADOPTED)


@dataclass(slots=True)
class Resumed:
    """What one run did or, dry, would do: a document for each transaction."""

    is_dry_run: bool
    transactions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """75 while a signed transaction is not final."""
        return EXIT_LATER if any(one["waits"] for one in self.transactions) else EXIT_DONE

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {"dry_run": self.is_dry_run, "transactions": self.transactions, "exit_code": self.exit_code}


def resume_transactions(context: RunContext, *, tx_id: int | None, dry_run: bool) -> Resumed:
    """All open transactions, or the one asked for. Signs nothing but replacements at a nonce that is ours already.

    A FAILED one is prepared anew only if it is named: whoever names it has looked at it.
    Raises: InvalidInput ``no_transaction``; InvariantBroken ``journal_damaged``; Unavailable ``lease_held``.
    """
    done = Resumed(dry_run)
    if dry_run:
        with read_only(context.conn):
            final = context.chain.read_final_block()
            for stored in _wanted(context, tx_id):
                done.transactions.append(_would(context, stored, final))
        return done
    with held_lease(context, context.policy.job) as context:
        require_final_blocks(context)
        signer = _signer(context)
        for stored in _wanted(context, tx_id):
            context.cancel.check()
            done.transactions.append(_resume(context, signer, stored))
    return done


def _wanted(context: RunContext, tx_id: int | None) -> list[JournalTx]:
    if tx_id is not None:
        return [transaction_of(context.conn, tx_id)]
    return [stored for stored in select_open_transactions(context.conn) if is_of_product(context, stored)]


def _signer(context: RunContext) -> Signer | None:
    # Stored bytes need no key: with the key of tomorrow, or none, they are still sent.
    try:
        return checked_signer(context)
    except UsageError as error:
        context.report(f"no fee can be raised: {error.message}")
        return None


def _resume(context: RunContext, signer: Signer | None, stored: JournalTx) -> dict[str, Any]:
    if stored.status in _FINISHED:
        return _told(context, stored, "nothing: it is finished")
    if stored.status == TransactionStatus.FAILED:
        with context.transaction():
            prepare_failed(context.conn, "tried anew by `tx resume`", tx_id=stored.tx_id)
            details = {"tx_id": stored.tx_id, "reason": stored.reason}
            day_id = context.policy.wording.day_of(stored.subject)
            insert_audit(context.conn, actor="operator", action="transaction_resumed", day_id=day_id, details=details)
        return _told(context, stored, "prepared anew: its job signs it when it is due")
    final = context.chain.read_final_block()
    follow_stored(context, stored, final)
    before = current_attempt(select_attempts(context.conn, stored.tx_id))
    if before is None:
        return _told(context, stored, _close_if_done(context, stored, final))
    if before.state in (AttemptState.MINED, AttemptState.FINAL):
        return _told(context, stored, "nothing: it is mined")
    try:
        after = deliver(context, signer, stored)
    except Unavailable as error:
        return _told(context, stored, error.message)
    return _told(context, stored, "sent again" if after.attempt == before.attempt else "sent with a higher fee")


def _close_if_done(context: RunContext, stored: JournalTx, final: Block) -> str:
    if not context.policy.is_done(stored, final):
        return "nothing: its job signs it when it is due"
    with context.transaction():
        mark_adopted(context.conn, stored.tx_id, "the chain shows the effect of another transaction")
    return "closed: another transaction has brought its effect"


def _would(context: RunContext, stored: JournalTx, final: Block) -> dict[str, Any]:
    attempt = current_attempt(select_attempts(context.conn, stored.tx_id))
    if stored.status == TransactionStatus.FAILED:
        plan = "prepare it anew"
    elif attempt is None and context.policy.is_done(stored, final):
        plan = "close it: another transaction has brought its effect"
    elif attempt is None or attempt.state in (AttemptState.MINED, AttemptState.FINAL) or stored.status in _FINISHED:
        plan = "follow it"
    else:
        reason = bump_reason(context.chain, attempt, Broadcast.ACCEPTED, final)
        plan = "follow it and send it again" + (f", with a higher fee: {reason}" if reason else "")
    return _told(context, stored, f"would {plan}")


def _told(context: RunContext, stored: JournalTx, did: str) -> dict[str, Any]:
    now = transaction_of(context.conn, stored.tx_id)
    attempts = select_attempts(context.conn, stored.tx_id)
    live = current_attempt(attempts)
    waits = live is not None and live.state != AttemptState.FINAL
    return {**summary(context.policy.wording, now, attempts), "did": did, "waits": waits}
