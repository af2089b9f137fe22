"""Whether the code on the chain is what this engine was built with: the sources in contracts/, compiled to abi/.

Nobody can put other code in the place of a contract without a proxy, and ours are none. A wrong address, an engine of
another version or an endpoint that shows another chain can, and nothing may be signed for contracts that are not ours.
"""

from collections.abc import Mapping
from typing import Final

from abi import is_code_of
from bo_engine.errors import InvariantBroken, UsageError
from bo_engine.units import Wallet
from io_layer.rpc.reader import Block, Call, ChainReader

USDT_DECIMALS: Final = 6


def require_our_code(chain: ChainReader, block: Block, addresses: Mapping[str, Wallet]) -> None:
    """Check, at one final block and on both endpoints, that each address holds the code of the contract of that name.

    ``addresses`` are by name in abi/, as {"GameManager": "0x.."}. All findings are listed in one error.
    Raises: UsageError ``contract_unexpected`` where no code stands; InvariantBroken ``code_differs`` where another
    contract stands, ``rpc_disagreement`` when the endpoints show different code; Unavailable.
    """
    codes = {name: chain.read_code(address, block) for name, address in addresses.items()}
    missing = [f"{name} {addresses[name]}" for name, code in codes.items() if not code]
    if missing:
        raise UsageError(
            "contract_unexpected",
            f"no contract stands at the address of {', '.join(missing)} (final block {block.number})",
        )
    foreign = [f"{name} {addresses[name]}" for name, code in codes.items() if not is_code_of(name, code)]
    if foreign:
        raise InvariantBroken(
            "code_differs",
            f"the code on the chain is not this engine's at the address of {', '.join(foreign)} (final block "
            f"{block.number}); nothing is signed for it: install the engine that belongs to these contracts, or "
            "correct SETTLEMENT_ADDRESS",
        )


def require_token(chain: ChainReader, block: Block, usdt: Wallet) -> None:
    """Check that the payout token is a token of six decimals.

    USDT is not ours: on Arbitrum it is a proxy whose owner may exchange the code behind it, so no hash of it says
    anything. What counts for us is that its atoms are ours; gates compare what it pays, and its address is immutable.
    Raises: UsageError ``contract_unexpected``, ``wrong_token``.
    """
    if not chain.read_code(usdt, block):
        raise UsageError("contract_unexpected", f"no contract stands at the payout token's address {usdt}")
    decimals = chain.read(block, [Call("IERC20Metadata", usdt, "decimals")])[0]
    if decimals != USDT_DECIMALS:
        raise UsageError(
            "wrong_token",
            f"the payout token {usdt} has {decimals} decimals, but amounts are counted in {USDT_DECIMALS}",
        )
