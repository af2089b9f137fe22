"""Takes open transactions one step further without settling: follows them, sends them again, raises their fee."""

from dataclasses import dataclass, field
from typing import Any

from bo_engine.errors import EXIT_DONE, EXIT_LATER, Unavailable, UsageError
from io_layer.keys.signer import Signer
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED, VOIDED
from io_layer.postgres.connection import read_only
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import Broadcast
from io_layer.stores.audit import insert_audit
from io_layer.stores.journal import (
    JournalTx,
    mark_adopted,
    prepare_failed,
    select_attempts,
    select_open_transactions,
)
from services.chain.reorg_guard import require_final_blocks
from services.lottery.engine import Engine
from services.lottery.settlement.settle_days import JOB
from services.running.lease import Lease, held_lease
from services.transactions.fee_bump import bump_reason
from services.transactions.follow import current_attempt, follow_stored
from services.transactions.send import checked_signer, deliver
from services.transactions.show import kind_of, summary, transaction_of

_FINISHED = ("FINAL", "ADOPTED")


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


def resume_transactions(engine: Engine, *, tx_id: int | None, dry_run: bool) -> Resumed:
    """All open transactions, or the one asked for. Signs nothing but replacements at a nonce that is ours already.

    A FAILED one is prepared anew only if it is named: whoever names it has looked at it.
    Raises: InvalidInput ``no_transaction``; InvariantBroken ``journal_damaged``; Unavailable ``lease_held``.
    """
    done = Resumed(dry_run)
    if dry_run:
        with read_only(engine.conn):
            final = engine.game.chain.read_final_block()
            for stored in _wanted(engine, tx_id):
                done.transactions.append(_would(engine, stored, final))
        return done
    with held_lease(engine.conn, JOB, engine.stop) as lease:
        require_final_blocks(engine, lease)
        signer = _signer(engine)
        for stored in _wanted(engine, tx_id):
            engine.stop.check()
            done.transactions.append(_resume(engine, lease, signer, stored))
    return done


def _wanted(engine: Engine, tx_id: int | None) -> list[JournalTx]:
    return select_open_transactions(engine.conn) if tx_id is None else [transaction_of(engine.conn, tx_id)]


def _signer(engine: Engine) -> Signer | None:
    # Stored bytes need no key: with the key of tomorrow, or none, they are still sent.
    try:
        return checked_signer(engine)
    except UsageError as error:
        engine.tell(f"no fee can be raised: {error.message}")
        return None


def _resume(engine: Engine, lease: Lease, signer: Signer | None, stored: JournalTx) -> dict[str, Any]:
    if stored.status in _FINISHED:
        return _told(engine, stored, "nothing: it is finished")
    if stored.status == "FAILED":
        with lease.transaction():
            prepare_failed(engine.conn, "tried anew by `tx resume`", tx_id=stored.tx_id)
            details = {"tx_id": stored.tx_id, "reason": stored.reason}
            insert_audit(
                engine.conn, actor="operator", action="transaction_resumed", day_id=stored.day_id, details=details
            )
        return _told(engine, stored, "prepared anew: its job signs it when it is due")
    final = engine.game.chain.read_final_block()
    follow_stored(engine, lease, stored, final)
    before = current_attempt(select_attempts(engine.conn, stored.tx_id))
    if before is None:
        return _told(engine, stored, _close_if_done(engine, lease, stored, final))
    if before.state in ("MINED", "FINAL"):
        return _told(engine, stored, "nothing: it is mined")
    try:
        after = deliver(engine, lease, signer, stored)
    except Unavailable as error:
        return _told(engine, stored, error.message)
    return _told(engine, stored, "sent again" if after.attempt == before.attempt else "sent with a higher fee")


def _close_if_done(engine: Engine, lease: Lease, stored: JournalTx, final: Block) -> str:
    if not _stands_on_chain(engine, stored, final):
        return "nothing: its job signs it when it is due"
    with lease.transaction():
        mark_adopted(engine.conn, stored.tx_id, "the chain shows the effect of another transaction")
    return "closed: another transaction has brought its effect"


def _stands_on_chain(engine: Engine, stored: JournalTx, final: Block) -> bool:
    """Whether nothing is left to do for the purpose: done by another sender, vetoed, or voided with its day."""
    kind = kind_of(stored)
    if kind is None:
        return False
    if kind.function == "requestSeed":
        facts = engine.game.read_day(final, stored.day_id)
        return bool(facts.vrf_requested_block) or facts.record.status == VOIDED
    record = engine.game.read_record(final, stored.day_id)
    ends = (RELEASED, VOIDED) if kind.function == "release" else (COMMITTED, RELEASED, VOIDED)
    return record.takebacks > stored.round or record.status in ends


def _would(engine: Engine, stored: JournalTx, final: Block) -> dict[str, Any]:
    attempt = current_attempt(select_attempts(engine.conn, stored.tx_id))
    if stored.status == "FAILED":
        plan = "prepare it anew"
    elif attempt is None and _stands_on_chain(engine, stored, final):
        plan = "close it: another transaction has brought its effect"
    elif attempt is None or attempt.state in ("MINED", "FINAL") or stored.status in _FINISHED:
        plan = "follow it"
    else:
        reason = bump_reason(engine.game.chain, attempt, Broadcast.ACCEPTED, final)
        plan = "follow it and send it again" + (f", with a higher fee: {reason}" if reason else "")
    return _told(engine, stored, f"would {plan}")


def _told(engine: Engine, stored: JournalTx, did: str) -> dict[str, Any]:
    now = transaction_of(engine.conn, stored.tx_id)
    attempts = select_attempts(engine.conn, stored.tx_id)
    live = current_attempt(attempts)
    waits = live is not None and live.state != "FINAL"
    return {**summary(now, attempts), "did": did, "waits": waits}
