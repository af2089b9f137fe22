"""The contracts' game constants: as compiled into abi/, for whoever has no chain, and as GameTreasury answers."""

from collections.abc import Mapping
from typing import Any, Final

import abi
from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, Bps, Hash32, Wallet, hex_of
from core.lottery.game_constants import GameConstants, constants_hash
from io_layer.rpc.reader import Block, Call, ChainReader

#: The fields of the struct, in its order.
_FIELDS: Final = (
    *("prices", "numberMax", "numbersPerTip", "maxPaidTips", "maxTips", "feeBps", "rolloverBps", "jackpotBps"),
    *("tierMatches", "tierShareBps", "jackpotPayoutBps", "affiliateDefaultBps", "affiliateMaxBps", "drawDelay"),
)


def built_constants(number_max: int) -> GameConstants:
    """The constants of abi/, which every deployment has; ``number_max`` is what a deployment chooses."""
    return _constants({**abi.game_constants(), "numberMax": number_max})


def read_constants(chain: ChainReader, block: Block, treasury: Wallet) -> GameConstants:
    """The constants of a deployment, checked against their hash.

    Raises: InvariantBroken ``constants_differ`` when ``constantsHash()`` is not the hash of ``constants()``.
    """
    values, told = chain.read(
        block, [Call("GameTreasury", treasury, "constants"), Call("GameTreasury", treasury, "constantsHash")]
    )
    found = _constants(dict(zip(_FIELDS, values, strict=True)))
    if constants_hash(found) != Hash32(told):
        raise InvariantBroken(
            "constants_differ",
            f"GameTreasury says that the hash of its constants is {hex_of(Hash32(told))}, but they hash to "
            f"{hex_of(constants_hash(found))}: nothing is computed with them",
        )
    return found


def _constants(values: Mapping[str, Any]) -> GameConstants:
    return GameConstants(
        prices_atoms=tuple(Atoms(price) for price in values["prices"]),
        number_max=values["numberMax"],
        numbers_per_tip=values["numbersPerTip"],
        max_paid_tips=values["maxPaidTips"],
        max_tips=values["maxTips"],
        fee_bps=Bps(values["feeBps"]),
        rollover_bps=Bps(values["rolloverBps"]),
        jackpot_bps=Bps(values["jackpotBps"]),
        tier_matches=tuple(values["tierMatches"]),
        tier_share_bps=tuple(Bps(share) for share in values["tierShareBps"]),
        jackpot_payout_bps=Bps(values["jackpotPayoutBps"]),
        affiliate_default_bps=Bps(values["affiliateDefaultBps"]),
        affiliate_max_bps=Bps(values["affiliateMaxBps"]),
        draw_delay_s=values["drawDelay"],
    )
