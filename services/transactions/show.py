"""Shows the transaction journal: what each transaction is for, where it stands, what the endpoints say of it."""

from typing import Any

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.units import hex_of
from io_layer.contracts.codec import codec
from io_layer.postgres.connection import Conn
from io_layer.rpc.sender import tell_transaction
from io_layer.stores.journal import (
    Attempt,
    JournalTx,
    select_attempts,
    select_numbered,
    select_open_transactions,
    select_transactions,
)
from services.running.context import RunContext
from services.running.policy import Function, Wording
from services.transactions.follow import current_attempt


def function_of(wording: Wording, stored: JournalTx) -> Function | None:
    """The function by its selector; None for one that this engine does not send."""
    for function in wording.functions:
        if codec(function.contract).selector(function.name) == stored.selector:
            return function
    return None


def purpose_in_words(wording: Wording, stored: JournalTx) -> str:
    """As ``commit of day 20778, round 0``."""
    return wording.purpose_in_words(function_of(wording, stored), stored)


def transaction_documents(conn: Conn, wording: Wording, *, is_open: bool) -> list[dict[str, Any]]:
    """Every transaction, or those that are not finished, oldest first. Reads the database only."""
    stored = select_open_transactions(conn) if is_open else select_transactions(conn)
    return [summary(wording, one, select_attempts(conn, one.tx_id)) for one in stored]


def summary(wording: Wording, stored: JournalTx, attempts: list[Attempt]) -> dict[str, Any]:
    """One transaction in a line; the attempt that counts stands for it, else the last one. Wei as decimal strings."""
    shown = current_attempt(attempts) or (attempts[-1] if attempts else None)
    return {
        "id": stored.tx_id,
        "purpose": purpose_in_words(wording, stored),
        "subject": stored.subject,
        "day_id": wording.day_of(stored.subject),
        "round": stored.round,
        "status": stored.status,
        "nonce": shown.nonce if shown else None,
        "state": shown.state if shown else None,
        "attempts": len(attempts),
        "hash": hex_of(shown.tx_hash) if shown else None,
        "max_fee_wei": str(shown.max_fee_per_gas) if shown else None,
        "block": shown.block_number if shown else None,
    }


def transaction_document(context: RunContext, tx_id: int) -> dict[str, Any]:
    """All that there is to one transaction, and what both endpoints say of each attempt now.

    Raises: InvalidInput ``no_transaction``.
    """
    stored = transaction_of(context.conn, tx_id)
    attempts = select_attempts(context.conn, tx_id)
    return {
        **summary(context.policy.wording, stored, attempts),
        "reason": stored.reason,
        "chain_id": stored.chain_id,
        "contract": stored.contract,
        "calldata": _decoded(context.policy.wording, stored),
        "tries": [_attempt(context, attempt) for attempt in attempts],
    }


def transaction_of(conn: Conn, tx_id: int) -> JournalTx:
    """The journal's row. Raises: InvalidInput ``no_transaction``."""
    stored = select_numbered(conn, tx_id)
    if stored is None:
        raise InvalidInput("no_transaction", f"the journal has no transaction {tx_id}; `bo-engine tx list` shows them")
    return stored


def _decoded(wording: Wording, stored: JournalTx) -> dict[str, Any]:
    called = function_of(wording, stored)
    if called is None:
        return {"bytes": hex_of(stored.calldata)}
    try:
        found = codec(called.contract).arguments(called.name, stored.calldata)
    except UsageError:
        return {"function": called.name, "bytes": hex_of(stored.calldata)}
    return {"function": called.name, **{name: _plain(value) for name, value in found.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    # Amounts are decimal strings in JSON; a flag stays a flag.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _attempt(context: RunContext, attempt: Attempt) -> dict[str, Any]:
    chain = context.chain
    return {
        "attempt": attempt.attempt,
        "state": attempt.state,
        "sender": attempt.sender,
        "nonce": attempt.nonce,
        "hash": hex_of(attempt.tx_hash),
        "gas_limit": str(attempt.gas_limit),
        "max_fee_wei": str(attempt.max_fee_per_gas),
        "max_priority_fee_wei": str(attempt.max_priority_fee),
        "block": attempt.block_number,
        "first_sent_at_final_block": attempt.broadcast_block,
        **{f"rpc_{one.name}": tell_transaction(chain, one, attempt.tx_hash) for one in chain.endpoints},
    }
