"""Many contract reads in one eth_call: Multicall3's aggregate3, at the address where public chains have it.

A day then costs the same few requests whatever it holds, and all its values come from one state.
"""

from collections.abc import Callable, Sequence
from typing import Final

from abi import is_code_of
from bo_engine.errors import UsageError
from bo_engine.keccak import keccak256
from bo_engine.units import Wallet
from io_layer.contracts.codec import codec
from io_layer.rpc import wire

ADDRESS: Final = Wallet("0xca11bde05977b3631167028862be2a173976ca11")
#: keccak256 of the code at that address on Arbitrum and most other chains. It was compiled years ago by another
#: compiler, so abi/ cannot give it; the local world has the code of abi/ there.
_PUBLIC_CODE_HASH: Final = bytes.fromhex("d5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891")


def is_multicall3(code: bytes) -> bool:
    """Whether these bytes are Multicall3 as it stands on public chains, or as abi/ has it."""
    return keccak256(code) == _PUBLIC_CODE_HASH or is_code_of("Multicall3", code)


def aggregate_data(calls: Sequence[tuple[Wallet, bytes]]) -> bytes:
    """The call data that asks all of these (address, call data), each of which may fail by itself."""
    return codec("Multicall3").call_data("aggregate3", [[(address, True, data) for address, data in calls]])


def outcomes(count: int) -> Callable[[object], tuple[bytes | None, ...]]:
    """Decodes the answer to ``count`` calls: what each returned, None where it reverted. Raises: as ``wire``."""

    def decode(answer: object) -> tuple[bytes | None, ...]:
        try:
            (results,) = codec("Multicall3").result("aggregate3", wire.data(answer))
        except UsageError:
            # The code was looked at, so such an answer is the endpoint's own.
            raise wire.unusable("Multicall3's answer") from None
        if len(results) != count:
            raise wire.unusable("Multicall3's answer to every call")
        return tuple(data if succeeded else None for succeeded, data in results)

    return decode
