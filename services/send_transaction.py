"""The transaction journal at work: signed bytes are durable before a broadcast, one purpose is one transaction.

After any crash the same bytes are sent again. Whether a purpose is fulfilled is never decided here but by the
contract's state at a final block, which the caller reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import InvariantBroken, Unavailable, require_invariant
from bo_engine.keccak import keccak256
from bo_engine.units import DayId, Hash32, Wallet, hex_of
from io_layer.chain_reader import Block
from io_layer.chain_sender import (
    Broadcast,
    broadcast,
    read_balance_wei,
    read_fees,
    read_pending_nonce,
    read_receipt,
    simulate,
)
from io_layer.contract_codec import codec
from io_layer.journal_store import (
    Attempt,
    JournalTx,
    SignedAttempt,
    allocate_nonce,
    insert_attempt,
    insert_transaction,
    mark_adopted,
    mark_broadcast,
    mark_dropped,
    mark_final,
    mark_mined,
    mark_reverted,
    prepare_again,
    select_attempts,
    select_open_transactions,
    select_transaction,
)
from io_layer.journal_store import Purpose as StoredPurpose
from io_layer.signer import Signer, load_signer
from services.engine import Engine
from services.known_nonces import require_known_nonces
from services.lease import Lease

#: All that the engine's key ever signs: contract and function, as abi/ names them.
SIGNED_FUNCTIONS: Final = (
    ("SettlementV4", "commitMerkleSettlement"),
    ("SettlementV4", "release"),
    ("VRFReceiver", "requestSeed"),
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is to be done on-chain, once: a function of a contract, for a day, in a round (the day's vetoes so far)."""

    contract: str
    address: Wallet
    function: str
    day_id: DayId
    round: int


def send_once(
    engine: Engine,
    lease: Lease,
    purpose: Purpose,
    arguments: tuple[object, ...],
    *,
    is_under_way: Callable[[], bool],
) -> Hash32:
    """Make sure that the transaction of this purpose is signed, stored and broadcast; return its hash.

    Safe to repeat at any moment: a stored one is sent again as it is, and a new one is made only when the old one is
    finally spent without effect. ``is_under_way`` looks at the head: whether the wanted effect, or another change of
    the same thing, stands there already and only waits to become final.
    Raises: InvariantBroken ``would_revert``, ``journal_conflict``, ``journal_damaged``, ``unknown_transaction``,
    ``nonce_gap``; UsageError ``wrong_key``;
    Unavailable ``under_way``, ``settler_unfunded``, ``nonce_in_flight``, ``send_refused`` and for endpoints that do not
    answer.
    """
    signer = checked_signer(engine)
    require_known_nonces(engine, lease)
    calldata = codec(purpose.contract).call_data(purpose.function, arguments)
    _resend_older(engine, lease, purpose)
    follow(engine, lease, purpose)
    stored = select_transaction(engine.conn, _stored(engine, purpose))
    attempts = select_attempts(engine.conn, stored.tx_id) if stored else []
    live = [attempt for attempt in attempts if attempt.state not in ("REVERTED", "DROPPED")]
    if stored is not None and live:
        if stored.calldata != calldata:
            raise InvariantBroken(
                "journal_conflict",
                f"{purpose.function} of day {purpose.day_id} was signed with other contents before; nothing is sent",
            )
        _broadcast(engine, lease, stored.tx_id, live[-1])
        return live[-1].tx_hash
    _simulate(engine, signer, purpose, calldata, is_under_way)
    engine.stop.check()
    # What is signed is sent, too: whoever stops the engine for an hour shall not find a day half way out of the door.
    with engine.stop.finishing():
        attempt = _sign(engine, lease, signer, purpose, calldata)
        _broadcast(engine, lease, attempt.tx_id, attempt)
    return attempt.tx_hash


def follow(engine: Engine, lease: Lease, purpose: Purpose) -> None:
    """Write down what became of the purpose's transactions up to the final block.

    An attempt that is finally mined without effect, or whose nonce another transaction finally took, is spent; only
    then may the purpose be prepared again.
    """
    stored = select_transaction(engine.conn, _stored(engine, purpose))
    if stored is not None and stored.status not in ("FINAL", "ADOPTED"):
        _follow(engine, lease, stored, engine.game.chain.read_final_block())


def close_purpose(engine: Engine, lease: Lease, purpose: Purpose) -> Hash32 | None:
    """The contract shows the wanted effect at a final block: the hash of our transaction that brought it, or None.

    None when another sender's did: then the purpose is marked as adopted, unless a transaction of ours is still under
    way (it fills its nonce and will find nothing left to do). Write the audit row beside it.
    """
    follow(engine, lease, purpose)
    stored = select_transaction(engine.conn, _stored(engine, purpose))
    found = select_attempts(engine.conn, stored.tx_id) if stored else []
    ours = [attempt.tx_hash for attempt in found if attempt.state == "FINAL"]
    if stored is not None and not ours and all(attempt.state in ("REVERTED", "DROPPED") for attempt in found):
        with lease.transaction():
            mark_adopted(engine.conn, stored.tx_id, "the chain shows the effect of another sender's transaction")
    return ours[-1] if ours else None


def transaction_hash(engine: Engine, purpose: Purpose) -> Hash32 | None:
    """The hash of the purpose's newest transaction that was not spent in vain, or None."""
    stored = select_transaction(engine.conn, _stored(engine, purpose))
    attempts = select_attempts(engine.conn, stored.tx_id) if stored else []
    live = [attempt.tx_hash for attempt in attempts if attempt.state not in ("REVERTED", "DROPPED")]
    return live[-1] if live else None


def checked_signer(engine: Engine) -> Signer:
    """The signer, once its address is the SETTLER of the contracts. Raises: UsageError ``wrong_key``."""
    allowed = frozenset(
        (engine.game.call(contract, function).address, codec(contract).selector(function))
        for contract, function in SIGNED_FUNCTIONS
    )
    chain = engine.game.chain
    signer = load_signer(engine.settings, is_local=chain.is_local, chain_id=chain.chain_id, allowed=allowed)
    engine.game.require_settler(signer.address)
    return signer


def _simulate(
    engine: Engine, signer: Signer, purpose: Purpose, calldata: bytes, is_under_way: Callable[[], bool]
) -> None:
    try:
        simulate(engine.game.chain, signer.address, purpose.address, calldata)
    except InvariantBroken as error:
        # Anybody may release a day or request a seed: what he did a moment ago is no alarm, it is not final yet.
        if is_under_way():
            raise Unavailable(
                "under_way",
                f"{purpose.function} of day {purpose.day_id} is under way at the head; it becomes final soon",
            ) from error
        raise


def _sign(engine: Engine, lease: Lease, signer: Signer, purpose: Purpose, calldata: bytes) -> Attempt:
    chain = engine.game.chain
    fees = read_fees(chain, signer.address, purpose.address, calldata)
    need_wei = fees.gas_limit * fees.max_fee_per_gas
    have_wei = read_balance_wei(chain, signer.address)
    if have_wei < need_wei:
        raise Unavailable(
            "settler_unfunded", f"the SETTLER {signer.address} holds {have_wei} wei, {need_wei} are needed: top it up"
        )
    # Only a final count is a fact: a pending one, told too high by one endpoint, would leave a gap that nothing fills.
    final_nonce = chain.read_final_nonce(chain.read_final_block(), signer.address)
    pending_nonce = read_pending_nonce(chain, signer.address)
    with lease.transaction():
        stored = insert_transaction(engine.conn, _stored(engine, purpose), calldata)
        nonce = allocate_nonce(engine.conn, stored.tx_id, chain.chain_id, signer.address, final_nonce)
        if pending_nonce > nonce:
            raise Unavailable(
                "nonce_in_flight",
                f"the SETTLER {signer.address} has a transaction with nonce {nonce} under way that this database does "
                "not know; it must become final first. Does another engine use this key?",
            )
        raw, tx_hash = signer.sign(
            {
                "chainId": chain.chain_id,
                "to": purpose.address,
                "data": calldata,
                "value": 0,
                "nonce": nonce,
                "gas": fees.gas_limit,
                "maxFeePerGas": fees.max_fee_per_gas,
                "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
                "type": 2,
            }
        )
        signed = SignedAttempt(
            sender=signer.address,
            nonce=nonce,
            gas_limit=fees.gas_limit,
            max_fee_per_gas=fees.max_fee_per_gas,
            max_priority_fee=fees.max_priority_fee_per_gas,
            raw=raw,
            tx_hash=tx_hash,
        )
        insert_attempt(engine.conn, stored.tx_id, signed)
    return select_attempts(engine.conn, stored.tx_id)[-1]


def _broadcast(engine: Engine, lease: Lease, tx_id: int, attempt: Attempt) -> None:
    if attempt.state in ("MINED", "FINAL"):
        return
    require_invariant(
        keccak256(attempt.raw) == attempt.tx_hash,
        "journal_damaged",
        f"the signed bytes of transaction {hex_of(attempt.tx_hash)} were changed in the journal; nothing is sent",
    )
    # The token is checked again in the transaction that records the intent to broadcast: a holder that was paused
    # beyond its lease stops here.
    with lease.transaction():
        mark_broadcast(engine.conn, tx_id, attempt.attempt)
    outcome = broadcast(engine.game.chain, attempt.raw)
    if outcome is Broadcast.UNKNOWN:
        engine.tell(
            f"no answer to the broadcast of {hex_of(attempt.tx_hash)}: it may have arrived, the receipt decides"
        )


def _resend_older(engine: Engine, lease: Lease, purpose: Purpose) -> None:
    """An earlier transaction of ours that is missing would block this one's nonce: it is sent again, never skipped."""
    final = engine.game.chain.read_final_block()
    for stored in select_open_transactions(engine.conn):
        if _purpose_of(stored) == _stored(engine, purpose):
            continue
        _follow(engine, lease, stored, final)
        for attempt in select_attempts(engine.conn, stored.tx_id):
            if attempt.state in ("SIGNED", "BROADCAST"):
                _broadcast(engine, lease, stored.tx_id, attempt)


def _follow(engine: Engine, lease: Lease, stored: JournalTx, final: Block) -> None:
    chain = engine.game.chain
    for attempt in select_attempts(engine.conn, stored.tx_id):
        if attempt.state in ("FINAL", "REVERTED", "DROPPED"):
            continue
        receipt = read_receipt(chain, attempt.tx_hash, final)
        is_final = receipt is not None and receipt.block_number <= final.number
        is_spent = receipt is None and engine.game.chain.read_final_nonce(final, attempt.sender) > attempt.nonce
        with lease.transaction():
            if receipt is None:
                if is_spent:
                    mark_dropped(engine.conn, stored.tx_id, attempt.attempt)
                elif attempt.state == "MINED":
                    # Its block was dropped, and the transaction may be lost with it: it is to be sent again.
                    mark_broadcast(engine.conn, stored.tx_id, attempt.attempt)
            elif receipt.succeeded and is_final:
                mark_final(engine.conn, stored.tx_id, attempt.attempt, receipt.block_number, receipt.block_hash)
            elif receipt.succeeded:
                mark_mined(engine.conn, stored.tx_id, attempt.attempt, receipt.block_number, receipt.block_hash)
            elif is_final:
                mark_reverted(engine.conn, stored.tx_id, attempt.attempt, receipt.block_number, receipt.block_hash)
            prepare_again(engine.conn, stored.tx_id, "every earlier transaction is finally spent without effect")


def _purpose_of(stored: JournalTx) -> StoredPurpose:
    return StoredPurpose(stored.chain_id, stored.contract, stored.selector, stored.day_id, stored.round)


def _stored(engine: Engine, purpose: Purpose) -> StoredPurpose:
    return StoredPurpose(
        chain_id=engine.game.chain.chain_id,
        contract=purpose.address,
        selector=codec(purpose.contract).selector(purpose.function),
        day_id=purpose.day_id,
        round=purpose.round,
    )
