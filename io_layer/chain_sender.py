"""Sends transactions: simulates, prices, broadcasts to both endpoints, looks for receipts.

Nothing here decides whether to send; the journal (services/send_transaction.py) does.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import abi
from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Hash32, Wallet, hex_of
from io_layer.chain_reader import ChainReader
from io_layer.rpc import RpcEndpoint, RpcRefused

_ALREADY_KNOWN: Final = ("already known", "already imported", "known transaction", "alreadyknown")
_NONCE_USED: Final = ("nonce too low", "nonce is too low", "old nonce")


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction may cost. Wei per gas; the priority fee is 0 on Arbitrum."""

    gas_limit: int
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
    UNKNOWN = "unknown"  # no usable answer: it may have arrived


def simulate(chain: ChainReader, sender: Wallet, target: Wallet, data: bytes) -> None:
    """Run the call at the head without sending it.

    Raises: InvariantBroken ``would_revert`` with the contract's reason decoded; Unavailable.
    """
    try:
        chain.request_any("eth_call", [{"from": sender, "to": target, "data": hex_of(data)}, "latest"])
    except RpcRefused as refusal:
        reason = revert_reason(refusal)
        if reason is None:
            raise Unavailable("rpc_refused", refusal.message) from refusal
        raise InvariantBroken("would_revert", f"the contract refuses the transaction: {reason}") from refusal


def read_fees(chain: ChainReader, sender: Wallet, target: Wallet, data: bytes) -> Fees:
    """Estimated gas with a margin of a quarter, and twice the newest base fee."""
    call = {"from": sender, "to": target, "data": hex_of(data)}
    estimate = int(chain.request_any("eth_estimateGas", [call]), 16)
    base_fee = int(chain.request_any("eth_getBlockByNumber", ["latest", False]).get("baseFeePerGas", "0x0"), 16)
    return Fees(gas_limit=estimate + estimate // 4, max_fee_per_gas=max(2 * base_fee, 1), max_priority_fee_per_gas=0)


def read_balance_wei(chain: ChainReader, wallet: Wallet) -> int:
    """The wallet's ether at the head."""
    return int(chain.request_any("eth_getBalance", [wallet, "latest"]), 16)


def read_next_nonce(chain: ChainReader, wallet: Wallet) -> int:
    """The next nonce at the head, pending transactions included, as the endpoint that knows most sees it."""
    nonces = []
    for endpoint in chain.endpoints:
        try:
            nonces.append(int(endpoint.request("eth_getTransactionCount", [wallet, "pending"]), 16))
        except Unavailable:
            continue
    if not nonces:
        raise Unavailable("rpc_unreachable", "no RPC endpoint tells the next nonce")
    return max(nonces)


def broadcast(chain: ChainReader, raw: bytes) -> Broadcast:
    """Give signed bytes to both endpoints.

    Raises: InvariantBroken ``send_refused`` when both understood and refused them for another reason.
    """
    answers = [_send(endpoint, raw) for endpoint in chain.endpoints]
    for wanted in (Broadcast.ACCEPTED, Broadcast.NONCE_USED, Broadcast.UNKNOWN):
        if wanted in answers:
            return wanted
    raise InvariantBroken("send_refused", f"both RPC endpoints refuse the signed transaction: {answers[0]}")


def read_receipt(chain: ChainReader, tx_hash: Hash32) -> Receipt | None:
    """The receipt as the first endpoint that has one tells it; for waiting, never for money."""
    for endpoint in chain.endpoints:
        try:
            answer = endpoint.request("eth_getTransactionReceipt", [hex_of(tx_hash)], may_be_null=True)
        except (Unavailable, RpcRefused):
            continue
        if answer is not None:
            return Receipt(
                block_number=int(answer["blockNumber"], 16),
                block_hash=Hash32(bytes.fromhex(answer["blockHash"][2:])),
                succeeded=int(answer["status"], 16) == 1,
            )
    return None


def revert_reason(refusal: RpcRefused) -> str | None:
    """The decoded custom error or message of a refused call; None if it was no revert."""
    data = refusal.data
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
        return abi.decode_error(bytes.fromhex(data[2:])) or f"unknown error {data[:10]}"
    return refusal.rpc_message[:200] if "revert" in refusal.rpc_message.lower() else None


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
        return refusal.rpc_message[:200]
    return Broadcast.ACCEPTED
