"""The transaction journal at work: signed bytes are durable before a broadcast, one purpose is one transaction.

After any crash the same bytes are sent again, or dearer ones at the same nonce. Whether a purpose is fulfilled is never
decided here but by the contract's state at a final block, which the caller reads.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from bo_engine.errors import InvariantBroken, Unavailable, require_invariant
from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, hex_of
from io_layer.contracts.codec import codec
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI, MAX_GAS_LIMIT, Signer, load_signer
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import (
    Broadcast,
    Fees,
    broadcast,
    read_balance_wei,
    read_base_fees,
    read_fees,
    read_pending_nonce,
    read_receipt,
    simulate,
)
from io_layer.stores.journal import (
    Attempt,
    AttemptState,
    JournalTx,
    SignedAttempt,
    TransactionStatus,
    allocate_nonce,
    insert_attempt,
    insert_transaction,
    lock_transaction,
    mark_broadcast,
    select_attempts,
    select_open_transactions,
    select_transaction,
)
from io_layer.stores.journal import Purpose as StoredPurpose
from services.chain.reorg_guard import remember_final_block, require_final_blocks
from services.running.context import RunContext
from services.running.policy import Function
from services.transactions.fee_bump import bump_reason, raised_fees, require_under_cap
from services.transactions.follow import (
    Purpose,
    current_attempt,
    follow,
    follow_stored,
    is_of_product,
    stored_purpose,
)
from services.transactions.foreign_nonces import require_known_nonces


def send_once(
    context: RunContext,
    purpose: Purpose,
    arguments: tuple[object, ...],
    *,
    is_under_way: Callable[[], bool],
) -> Hash32:
    """Make sure that the transaction of this purpose is signed, stored and broadcast; return its hash.

    Safe to repeat at any moment: a stored one is sent again as it is, or dearer at its nonce, and a new nonce is taken
    only when the old one is finally spent without effect. ``is_under_way`` looks at the head: whether the wanted
    effect, or another change of the same thing, stands there already and only waits to become final.
    Raises: InvariantBroken ``would_revert``, ``reverted_again``, ``journal_conflict``, ``journal_damaged``,
    ``unknown_transaction``, ``nonce_gap``; UsageError ``wrong_key``; Unavailable ``under_way``, ``settler_unfunded``,
    ``nonce_in_flight``, ``send_refused``, ``fee_above_cap``, ``bumps_used_up`` and for endpoints that do not answer.
    """
    signer = checked_signer(context)
    require_final_blocks(context)
    require_known_nonces(context)
    _resend_older(context, signer, purpose)
    return send_with(context, signer, purpose, arguments, is_under_way=is_under_way)


def send_with(
    context: RunContext,
    signer: Signer,
    purpose: Purpose,
    arguments: tuple[object, ...],
    *,
    is_under_way: Callable[[], bool],
) -> Hash32:
    """The same with a signer of the caller's, who has checked whose key it is. Raises: as ``send_once``."""
    calldata = codec(purpose.contract).call_data(purpose.function, arguments)
    follow(context, purpose)
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    attempts = select_attempts(context.conn, stored.tx_id) if stored else []
    if stored is not None and current_attempt(attempts) is not None:
        if stored.calldata != calldata:
            raise InvariantBroken(
                "journal_conflict",
                f"{purpose.function} of {purpose.subject} was signed with other contents before; nothing is sent: "
                f"compare `bo-engine tx show --id {stored.tx_id}` with the day's bundle; what has changed since it was "
                "signed must come back from a backup, or the day is voided (docs/operations.md)",
            )
        return deliver(context, signer, stored).tx_hash
    if stored is not None and stored.status == TransactionStatus.FAILED:
        raise InvariantBroken(
            "reverted_again",
            f"{purpose.function} of {purpose.subject}: {stored.reason}, although each passed its simulation; look "
            f"at them with `bo-engine tx show --id {stored.tx_id}` before `bo-engine resume`",
        )
    _simulate(context, signer, purpose, calldata, is_under_way)
    context.cancel.check()
    # What is signed is sent, too: whoever stops the engine for an hour shall not find a day half way out of the door.
    with context.cancel.finishing():
        stored = _sign(context, signer, purpose, calldata, attempts)
        return deliver(context, signer, stored).tx_hash


def send_again(context: RunContext, purpose: Purpose) -> None:
    """Follow a purpose that was sent, and offer it to the network once more. Raises: as ``send_once``."""
    follow(context, purpose)
    stored = select_transaction(context.conn, stored_purpose(context, purpose))
    if stored is not None and current_attempt(select_attempts(context.conn, stored.tx_id)) is not None:
        deliver(context, checked_signer(context), stored)


def deliver(context: RunContext, signer: Signer | None, stored: JournalTx) -> Attempt:
    """Offer the newest signed bytes to the network, or dearer ones where these cannot be mined; what counts then.

    Without a signer, or with another key than the one that signed, the stored bytes are all there is.
    """
    attempts = select_attempts(context.conn, stored.tx_id)
    attempt = current_attempt(attempts)
    if attempt is None:
        raise InvariantBroken("journal_lost", f"transaction {stored.tx_id} has nothing left to send")
    final = context.chain.read_final_block()
    if attempt.state == AttemptState.FINAL and read_receipt(context.chain, attempt.tx_hash, final) is None:
        # The chain took back a final block, and a person let the day go on: the same bytes can still do no harm.
        context.report(f"{hex_of(attempt.tx_hash)} was final and is gone from the chain: it is sent again")
        _require_undamaged(attempt)
        with context.transaction():
            pass  # whoever has lost the lease sends nothing
        broadcast(context.chain, attempt.raw)
    if attempt.state in (AttemptState.MINED, AttemptState.FINAL):
        return attempt
    while True:
        is_first = attempt.state == AttemptState.SIGNED
        outcome = _broadcast(context, stored.tx_id, attempt, final)
        if is_first and outcome in (Broadcast.ACCEPTED, Broadcast.UNKNOWN):
            return attempt
        reason = bump_reason(context.chain, attempt, outcome, final)
        if reason is None:
            return attempt
        if signer is None or signer.address != attempt.sender:
            context.report(f"{hex_of(attempt.tx_hash)} waits: {reason}, and its key is not the one that is loaded")
            return attempt
        context.report(f"{hex_of(attempt.tx_hash)} gets a higher fee: {reason}")
        attempt = _bump(context, signer, stored, attempt)


def checked_signer(context: RunContext) -> Signer:
    """The signer, once its address is the SETTLER of the contracts.

    Raises: UsageError ``wrong_key``; InvalidInput ``settler_suspended``.
    """
    signer = signer_of(context, context.policy.signed)
    context.policy.require_sender(signer.address)
    return signer


def signer_of(context: RunContext, functions: Sequence[Function]) -> Signer:
    """The key of the settings, for these functions and no others."""
    chain = context.chain
    chain.require_both()
    allowed = frozenset(
        (context.policy.address_of(contract), codec(contract).selector(function)) for contract, function in functions
    )
    return load_signer(
        context.settings,
        is_local=chain.is_local,
        chain_id=chain.chain_id,
        allowed=allowed,
        titles=context.policy.titles,
    )


def _simulate(
    context: RunContext, signer: Signer, purpose: Purpose, calldata: bytes, is_under_way: Callable[[], bool]
) -> None:
    try:
        simulate(context.chain, signer.address, purpose.address, calldata)
    except InvariantBroken as error:
        # Anybody may release a day or request a seed: what he did a moment ago is no alarm, it is not final yet.
        if is_under_way():
            raise Unavailable(
                "under_way",
                f"{purpose.function} of {purpose.subject} is under way at the head; it becomes final soon",
            ) from error
        raise


def _sign(context: RunContext, signer: Signer, purpose: Purpose, calldata: bytes, earlier: list[Attempt]) -> JournalTx:
    chain = context.chain
    fees = _affordable_fees(context, signer, purpose, calldata, earlier)
    # Only a final count is a fact: a pending one, told too high by one endpoint, would leave a gap that nothing fills.
    # With the final block both endpoints' chain ids are looked at again, the last time before the signature.
    final_nonce = chain.read_final_nonce(chain.read_final_block(), signer.address)
    pending_nonce = read_pending_nonce(chain, signer.address)
    with context.transaction():
        stored = insert_transaction(context.conn, stored_purpose(context, purpose), calldata)
        nonce = allocate_nonce(context.conn, stored.tx_id, chain.chain_id, signer.address, final_nonce)
        if pending_nonce > nonce:
            raise Unavailable(
                "nonce_in_flight",
                f"the SETTLER {signer.address} has a transaction with nonce {nonce} under way that this database does "
                "not know; it must become final first. Does another engine use this key?",
            )
        insert_attempt(context.conn, stored.tx_id, _signed(signer, stored, nonce, fees))
        # Last: jobs that sign at the same moment wait for each other at the nonce, and nowhere before.
        remember_final_block(context)
    return stored


def _affordable_fees(
    context: RunContext, signer: Signer, purpose: Purpose, calldata: bytes, earlier: list[Attempt]
) -> Fees:
    """Raises: Unavailable ``fee_above_cap``, ``settler_unfunded``; no nonce is taken yet."""
    read = read_fees(context.chain, signer.address, purpose.address, calldata)
    require_under_cap(read.base_fee)
    failed = [attempt.gas_limit for attempt in earlier if attempt.state == AttemptState.REVERTED]
    # What ran out of gas once must not be sent with as little again.
    gas_limit = min(max([read.gas_limit, *(gas + gas // 2 for gas in failed)]), MAX_GAS_LIMIT)
    max_fee = min(read.max_fee_per_gas, MAX_FEE_PER_GAS_WEI)
    _require_funds(context, signer, gas_limit * max_fee)
    return Fees(gas_limit, read.base_fee, max_fee, read.max_priority_fee_per_gas)


def _require_funds(context: RunContext, signer: Signer, need_wei: int) -> None:
    have_wei = read_balance_wei(context.chain, signer.address)
    if have_wei < need_wei:
        raise Unavailable(
            "settler_unfunded", f"the SETTLER {signer.address} holds {have_wei} wei, {need_wei} are needed: top it up"
        )


def _bump(context: RunContext, signer: Signer, stored: JournalTx, seen: Attempt) -> Attempt:
    """The dearer replacement, stored and committed; or what another job has signed meanwhile."""
    context.chain.require_chain()
    base_fee = max(read_base_fees(context.chain))
    same_nonce = [
        one
        for one in select_attempts(context.conn, stored.tx_id)
        if (one.sender, one.nonce) == (seen.sender, seen.nonce)
    ]
    max_fee, priority_fee = raised_fees(same_nonce, base_fee)
    _require_funds(context, signer, seen.gas_limit * max_fee)
    fees = Fees(seen.gas_limit, base_fee, max_fee, priority_fee)
    with context.cancel.finishing(), context.transaction():
        lock_transaction(context.conn, _purpose_of(stored))
        newest = current_attempt(select_attempts(context.conn, stored.tx_id))
        if newest is not None and newest.attempt == same_nonce[-1].attempt:
            insert_attempt(context.conn, stored.tx_id, _signed(signer, stored, seen.nonce, fees))
    return select_attempts(context.conn, stored.tx_id)[-1]


def _signed(signer: Signer, stored: JournalTx, nonce: int, fees: Fees) -> SignedAttempt:
    raw, tx_hash = signer.sign(
        {
            "chainId": stored.chain_id,
            "to": stored.contract,
            "data": stored.calldata,
            "value": 0,
            "nonce": nonce,
            "gas": fees.gas_limit,
            "maxFeePerGas": fees.max_fee_per_gas,
            "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
            "type": 2,
        }
    )
    return SignedAttempt(
        sender=signer.address,
        nonce=nonce,
        gas_limit=fees.gas_limit,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee=fees.max_priority_fee_per_gas,
        raw=raw,
        tx_hash=tx_hash,
    )


def _broadcast(context: RunContext, tx_id: int, attempt: Attempt, final: Block) -> Broadcast:
    _require_undamaged(attempt)
    # The token is checked again in the transaction that records the intent to broadcast: a holder that was paused
    # beyond its lease stops here.
    with context.transaction():
        mark_broadcast(context.conn, tx_id, attempt.attempt, final.number)
    outcome = broadcast(context.chain, attempt.raw)
    if outcome is Broadcast.UNKNOWN:
        context.report(
            f"no answer to the broadcast of {hex_of(attempt.tx_hash)}: it may have arrived, the receipt decides"
        )
    return outcome


def _require_undamaged(attempt: Attempt) -> None:
    require_invariant(
        keccak256(attempt.raw) == attempt.tx_hash,
        "journal_damaged",
        f"the signed bytes of transaction {hex_of(attempt.tx_hash)} were changed in the journal; nothing is sent",
    )


def _resend_older(context: RunContext, signer: Signer, purpose: Purpose) -> None:
    """An earlier transaction of ours that is missing would block this one's nonce: it is sent again, never skipped."""
    final = context.chain.read_final_block()
    for stored in select_open_transactions(context.conn):
        if _purpose_of(stored) == stored_purpose(context, purpose) or not is_of_product(context, stored):
            continue
        follow_stored(context, stored, final)
        attempt = current_attempt(select_attempts(context.conn, stored.tx_id))
        if attempt is None:
            continue
        if attempt.sender == signer.address:
            deliver(context, signer, stored)
        else:
            # That of a key which was replaced blocks no nonce of this one: what keeps it back must not keep us back.
            with suppress(Unavailable):
                deliver(context, None, stored)


def _purpose_of(stored: JournalTx) -> StoredPurpose:
    return StoredPurpose(stored.chain_id, stored.contract, stored.selector, stored.subject, stored.round)
