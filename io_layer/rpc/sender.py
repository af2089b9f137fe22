"""Sends transactions: simulates, prices, broadcasts to both endpoints, looks for receipts.

Nothing here decides whether to send; the journal (services/transactions/send.py) does.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import abi
from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.redaction import told
from bo_engine.units import Hash32, Wallet, hex_of
from io_layer.rpc import wire
from io_layer.rpc.endpoint import RpcEndpoint, RpcRefused
from io_layer.rpc.reader import Block, ChainReader

_MIN_GAS: Final = 21_000  # what every transaction costs
_ALREADY_KNOWN: Final = ("already known", "already imported", "known transaction", "alreadyknown")
_NONCE_USED: Final = ("nonce too low", "nonce is too low", "old nonce")
#: Below the base fee, below a pool's minimum, or too little above the transaction that it is to replace.
_UNDERPRICED: Final = (
    *("underpriced", "less than block base fee", "fee cap less than", "fee too low", "feetoolow", "gas price too low"),
)


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction may cost. Wei per gas; the priority fee is 0 on Arbitrum."""

    gas_limit: int
    base_fee: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction was mined and whether it succeeded."""

    block_number: int
    block_hash: Hash32
    succeeded: bool


class Broadcast(Enum):
    """What the network said to signed bytes."""

    ACCEPTED = "accepted"  # new or already known: at least one endpoint has it
    NONCE_USED = "nonce used"  # mined already, or another transaction took the nonce: the receipt decides
    UNDERPRICED = "underpriced"  # nobody takes it at this fee: more is to be offered at the same nonce
    UNKNOWN = "unknown"  # no usable answer: it may have arrived


def simulate(chain: ChainReader, sender: Wallet, target: Wallet, data: bytes) -> None:
    """Run the call at the head without sending it.

    Raises: InvariantBroken ``would_revert`` with the contract's reason, when both endpoints say so; Unavailable.
    """
    call: list[object] = [{"from": sender, "to": target, "data": hex_of(data)}, "latest"]
    try:
        chain.request_any("eth_call", call, wire.data)
    except RpcRefused as refusal:
        reason = revert_reason(refusal)
        # One endpoint alone must not halt the day: it may lie, or stand some blocks behind.
        if all(_refuses(chain, endpoint, call) for endpoint in chain.endpoints):
            raise InvariantBroken("would_revert", f"the contract refuses the transaction: {reason}") from refusal
        raise Unavailable(
            "rpc_out_of_step", f"only one RPC endpoint says that the contract refuses the transaction: {reason}"
        ) from refusal


def _refuses(chain: ChainReader, endpoint: RpcEndpoint, call: list[object]) -> bool:
    try:
        chain.request_one(endpoint, "eth_call", call, wire.data)
    except RpcRefused:
        return True
    return False


def read_fees(chain: ChainReader, sender: Wallet, target: Wallet, data: bytes) -> Fees:
    """Estimated gas with a margin of a quarter, and twice the newest base fee: of both endpoints the higher numbers,
    because what is signed with too little of either would never be mined and could not be taken back."""
    call = {"from": sender, "to": target, "data": hex_of(data)}
    try:
        estimate = max(chain.request_one(one, "eth_estimateGas", [call], _gas) for one in chain.endpoints)
    except RpcRefused as refusal:
        # Its simulation passed a moment ago: the head has moved since, and the next look decides.
        raise Unavailable("rpc_out_of_step", f"gas cannot be estimated: {refusal.message}") from refusal
    base_fee = max(read_base_fees(chain))
    return Fees(
        gas_limit=estimate + estimate // 4,
        base_fee=base_fee,
        max_fee_per_gas=max(2 * base_fee, 1),
        max_priority_fee_per_gas=0,
    )


def read_base_fees(chain: ChainReader) -> tuple[int, int]:
    """What each endpoint's newest block asks for a unit of gas, in wei."""
    first, second = (
        chain.request_one(one, "eth_getBlockByNumber", ["latest", False], _base_fee) for one in chain.endpoints
    )
    return first, second


def _gas(answer: object) -> int:
    found = wire.count(answer)
    if found < _MIN_GAS:
        raise wire.unusable("an amount of gas that a transaction can cost")
    return found


def _base_fee(answer: object) -> int:
    return wire.count(wire.fields(answer).get("baseFeePerGas"))


def read_balance_wei(chain: ChainReader, wallet: Wallet) -> int:
    """The wallet's ether at the head."""
    return chain.request_any("eth_getBalance", [wallet, "latest"], wire.number)


def read_pending_nonce(chain: ChainReader, wallet: Wallet) -> int:
    """The next nonce at the head, pending transactions included, on which both endpoints agree at least."""
    return min(
        chain.request_one(endpoint, "eth_getTransactionCount", [wallet, "pending"], wire.count)
        for endpoint in chain.endpoints
    )


def read_head_nonces(chain: ChainReader, wallet: Wallet) -> tuple[int, int]:
    """How many transactions of the wallet each endpoint sees mined at its head."""
    first, second = (
        chain.request_one(endpoint, "eth_getTransactionCount", [wallet, "latest"], wire.count)
        for endpoint in chain.endpoints
    )
    return first, second


def broadcast(chain: ChainReader, raw: bytes) -> Broadcast:
    """Give signed bytes to both endpoints.

    Raises: Unavailable ``send_refused`` when both refused them for another reason: a full pool, an empty purse all
    pass, and the same bytes are offered again.
    """
    answers = [_send(endpoint, raw) for endpoint in chain.endpoints]
    for wanted in (Broadcast.ACCEPTED, Broadcast.NONCE_USED, Broadcast.UNDERPRICED, Broadcast.UNKNOWN):
        if wanted in answers:
            return wanted
    raise Unavailable("send_refused", f"both RPC endpoints refuse the signed transaction: {answers[0]}")


def read_receipt(chain: ChainReader, tx_hash: Hash32, final: Block) -> Receipt | None:
    """Where the transaction was mined, as both endpoints tell it; None when both say that it is not.

    A receipt at or below the final block counts only if both show the same one and its block is the chain's.
    Raises: Unavailable ``rpc_unreachable``, ``rpc_out_of_step``: then nothing is known and nothing may be decided;
    InvariantBroken ``rpc_disagreement`` when they contradict each other about a final block.
    """
    first, second = (
        chain.request_one(endpoint, "eth_getTransactionReceipt", [hex_of(tx_hash)], _receipt, may_be_null=True)
        for endpoint in chain.endpoints
    )
    found = first or second
    if found is None or (found.block_number > final.number and first == second):
        return found
    if found.block_number > final.number:
        raise Unavailable("rpc_out_of_step", "the two RPC endpoints do not know the same receipt yet")
    if first is not None and second is not None and first != second:
        raise InvariantBroken(
            "rpc_disagreement", f"the two RPC endpoints tell different receipts of {hex_of(tx_hash)} in a final block"
        )
    if first != second or found.block_hash != chain.read_block(found.block_number).block_hash:
        raise Unavailable("rpc_out_of_step", "the two RPC endpoints do not know the same receipt yet")
    return found


def tell_transaction(chain: ChainReader, endpoint: RpcEndpoint, tx_hash: Hash32) -> str:
    """What one endpoint says of a transaction now, in words, for display. Never raises for what it answers."""
    asked = [hex_of(tx_hash)]
    try:
        receipt = chain.request_one(endpoint, "eth_getTransactionReceipt", asked, _receipt, may_be_null=True)
        if receipt is not None:
            return f"mined in block {receipt.block_number}, {'succeeded' if receipt.succeeded else 'failed'}"
        known = chain.request_one(endpoint, "eth_getTransactionByHash", asked, _is_known, may_be_null=True)
        return "known, not mined" if known else "unknown"
    except (Unavailable, RpcRefused) as error:
        return error.message


def _is_known(answer: object) -> bool:
    return answer is not None


def _receipt(answer: object) -> Receipt | None:
    if answer is None:
        return None
    receipt = wire.fields(answer)
    status = wire.count(receipt.get("status"))
    if status > 1:
        raise wire.unusable("a receipt")
    return Receipt(
        block_number=wire.count(receipt.get("blockNumber")),
        block_hash=wire.hash32(receipt.get("blockHash")),
        succeeded=status == 1,
    )


def revert_reason(refusal: RpcRefused) -> str | None:
    """The decoded custom error or message of a refused call; None if it was no revert."""
    data = refusal.revert_data
    if data is not None:
        # The text in it is the contract's, or a lying node's.
        return told(abi.decode_error(data) or f"unknown error {hex_of(data[:4])}")[:400]
    return refusal.rpc_message[:200] if refusal.is_revert else None


def _send(endpoint: RpcEndpoint, raw: bytes) -> Broadcast | str:
    try:
        endpoint.request("eth_sendRawTransaction", [hex_of(raw)])
    except Unavailable:
        return Broadcast.UNKNOWN
    except RpcRefused as refusal:
        message = refusal.rpc_message.lower()
        if any(words in message for words in _ALREADY_KNOWN):
            return Broadcast.ACCEPTED
        if any(words in message for words in _NONCE_USED):
            return Broadcast.NONCE_USED
        if any(words in message for words in _UNDERPRICED):
            return Broadcast.UNDERPRICED
        return refusal.rpc_message[:200]
    return Broadcast.ACCEPTED
