"""Decides when a transaction that is not mined gets a dearer replacement at its own nonce, and how much dearer.

No host's clock decides: the head's base fee, the network's refusal, or the number of final blocks since the first
broadcast do. A priority fee buys nothing on Arbitrum, but nodes take a replacement only if it is raised as well.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from bo_engine.errors import Unavailable
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI
from io_layer.rpc.reader import Block, ChainReader
from io_layer.rpc.sender import Broadcast, read_base_fees, read_head_nonces
from io_layer.stores.journal import Attempt

#: Blocks that became final since the first broadcast: five minutes of Arbitrum's.
BUMP_AFTER_BLOCKS: Final = 1_200
#: Signed transactions of one nonce, the first included.
MAX_ATTEMPTS: Final = 6
_LEAST_RAISE: Final = 1_100  # per mille; what nodes ask of a replacement at least
_FIRST_STEP: Final = 125  # per mille above the one before; twice as much with each further replacement


class Offer(Protocol):
    """What is looked at of a signed transaction."""

    @property
    def nonce(self) -> int: ...
    @property
    def max_fee_per_gas(self) -> int: ...
    @property
    def max_priority_fee(self) -> int: ...


def bump_reason(chain: ChainReader, attempt: Attempt, outcome: Broadcast, final: Block) -> str | None:
    """Why the attempt needs a higher fee now, in words; None if it does not, or if that would not help."""
    if outcome is Broadcast.NONCE_USED:
        return None
    base_fee = min(read_base_fees(chain))
    waited = final.number - (final.number if attempt.broadcast_block is None else attempt.broadcast_block)
    if outcome is Broadcast.UNDERPRICED:
        reason = "the network refuses its fee"
    elif base_fee > attempt.max_fee_per_gas:
        reason = f"the base fee is {base_fee} wei, above its {attempt.max_fee_per_gas}"
    elif waited >= BUMP_AFTER_BLOCKS:
        reason = f"{waited} blocks became final without it"
    else:
        return None
    # Where a lower nonce is missing, or this one is mined already, money changes nothing.
    return reason if set(read_head_nonces(chain, attempt.sender)) == {attempt.nonce} else None


def raised_fees(attempts: Sequence[Offer], base_fee: int) -> tuple[int, int]:
    """Max fee and priority fee of the replacement of ``attempts`` (one nonce, oldest first), in wei per gas.

    At least a tenth above the newest, at least twice the base fee, never above the cap. Each replacement is a bigger
    step than the one before, because some nodes ask for more than a tenth.
    Raises: Unavailable ``fee_above_cap``, ``bumps_used_up``.
    """
    newest = attempts[-1]
    if len(attempts) >= MAX_ATTEMPTS:
        raise Unavailable(
            "bumps_used_up",
            f"the transaction with nonce {newest.nonce} was signed {len(attempts)} times with ever higher fees and is "
            "not mined; the same bytes are offered again until it is. Look at both endpoints: `bo-engine tx show`",
        )
    step = 1_000 + _FIRST_STEP * 2 ** (len(attempts) - 1)
    least = _raised(newest.max_fee_per_gas, _LEAST_RAISE)
    wanted = max(_raised(newest.max_fee_per_gas, step), 2 * base_fee)
    max_fee = min(wanted, MAX_FEE_PER_GAS_WEI)
    if max_fee < least:
        raise _above_cap(max(least, base_fee))
    require_under_cap(base_fee)
    return max_fee, min(_raised(newest.max_priority_fee, step), max_fee)


def require_under_cap(base_fee: int) -> None:
    """Raises: Unavailable ``fee_above_cap`` when nothing that may be signed would be mined now."""
    if base_fee > MAX_FEE_PER_GAS_WEI:
        raise _above_cap(base_fee)


def _above_cap(wei: int) -> Unavailable:
    return Unavailable(
        "fee_above_cap",
        f"gas has to be offered at {wei} wei now, and the engine never offers more than {MAX_FEE_PER_GAS_WEI}: it "
        "waits for a quieter hour and goes on by itself",
    )


def _raised(wei: int, per_mille: int) -> int:
    # Up, and by one at least: from 0 a priority fee would never move.
    return max(-(-wei * per_mille // 1_000), wei + 1)
