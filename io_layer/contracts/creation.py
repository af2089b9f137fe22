"""What a deployment asks of the chain at its head: whether a creation would succeed, what it costs, what stands."""

from dataclasses import dataclass

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Hash32, Wallet, hex_of
from io_layer.rpc import wire
from io_layer.rpc.endpoint import RpcEndpoint, RpcRefused
from io_layer.rpc.reader import ChainReader
from io_layer.rpc.sender import revert_reason


def estimate_creation(chain: ChainReader, deployer: Wallet, creation: bytes) -> int:
    """The gas of a creation as it would run now, of both endpoints the higher number.

    Raises: InvariantBroken ``would_revert`` with the constructor's reason, when both endpoints say so; Unavailable.
    """
    call: list[object] = [{"from": deployer, "data": hex_of(creation)}]
    answers = [_estimate(chain, endpoint, call) for endpoint in chain.endpoints]
    estimates = [answer for answer in answers if isinstance(answer, int)]
    if len(estimates) == len(answers):
        return max(estimates)
    reason = next(answer for answer in answers if not isinstance(answer, int))
    if not estimates:
        raise InvariantBroken("would_revert", f"the constructor refuses its arguments: {reason}")
    raise Unavailable("rpc_out_of_step", f"only one RPC endpoint says that the constructor refuses: {reason}")


def _estimate(chain: ChainReader, endpoint: RpcEndpoint, call: list[object]) -> int | str:
    try:
        return chain.request_one(endpoint, "eth_estimateGas", call, wire.count)
    except RpcRefused as refusal:
        return revert_reason(refusal) or "no reason given"


def read_codes_at_heads(chain: ChainReader, address: Wallet) -> tuple[bytes, bytes]:
    """What stands at an address, as each endpoint's newest block has it."""
    first, second = (chain.request_one(one, "eth_getCode", [address, "latest"], wire.data) for one in chain.endpoints)
    return first, second


@dataclass(frozen=True, slots=True)
class SignedCreation:
    """A signed creation: what is stored before it is sent."""

    nonce: int
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee: int
    raw: bytes
    tx_hash: Hash32
