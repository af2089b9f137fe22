"""Game constants: the numbers of a ruleset that the contracts fix as well, and the comparison of both.

A ruleset that says another number than the contracts computes days that the contracts refuse, so it is refused before
it is used. The contracts do not know a ruleset's remaining numbers (charity's share, days until a jackpot rolls down,
drand's network): those are compared by the ruleset's hash alone.
"""

from dataclasses import dataclass

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import Atoms, Bps, Hash32
from core.lottery.ruleset import Ruleset
from merkle.words import uint_word


@dataclass(frozen=True, slots=True)
class GameConstants:
    """The struct ``GameConstants`` of contracts/src/lottery/Types.sol, field by field and in its order."""

    prices_atoms: tuple[Atoms, ...]  # five pools
    number_max: int  # chosen by each deployment
    numbers_per_tip: int
    max_paid_tips: int
    max_tips: int
    fee_bps: Bps
    rollover_bps: Bps
    jackpot_bps: Bps
    tier_matches: tuple[int, ...]  # three tiers, ascending
    tier_share_bps: tuple[Bps, ...]
    jackpot_payout_bps: Bps
    affiliate_default_bps: Bps
    affiliate_max_bps: Bps
    draw_delay_s: int


def constants_hash(constants: GameConstants) -> Hash32:
    """``keccak256(abi.encode(constants()))``, as GameTreasury's ``constantsHash()`` gives it."""
    # Every field is static, so the encoding is the words one after another.
    words = [
        *constants.prices_atoms,
        constants.number_max,
        constants.numbers_per_tip,
        constants.max_paid_tips,
        constants.max_tips,
        constants.fee_bps,
        constants.rollover_bps,
        constants.jackpot_bps,
        *constants.tier_matches,
        *constants.tier_share_bps,
        constants.jackpot_payout_bps,
        constants.affiliate_default_bps,
        constants.affiliate_max_bps,
        constants.draw_delay_s,
    ]
    return Hash32(keccak256(b"".join(uint_word(word) for word in words)))


def differences(ruleset: Ruleset, constants: GameConstants) -> list[str]:
    """Each field of a ruleset that the contracts have otherwise, in words, by its name in the ruleset's document."""
    tiers = tuple(zip(constants.tier_matches, constants.tier_share_bps, strict=True))
    pairs: tuple[tuple[str, object, object], ...] = (
        ("prices", _listed(ruleset.prices_atoms), _listed(constants.prices_atoms)),
        ("number_max", ruleset.number_max, constants.number_max),
        ("numbers_per_tip", ruleset.numbers_per_tip, constants.numbers_per_tip),
        ("max_paid_tips", ruleset.max_paid_tips, constants.max_paid_tips),
        ("max_tips", ruleset.max_tips, constants.max_tips),
        ("fee_bps", ruleset.fee_bps, constants.fee_bps),
        ("rollover_bps", ruleset.rollover_bps, constants.rollover_bps),
        ("jackpot_bps", ruleset.jackpot_bps, constants.jackpot_bps),
        ("tiers", _tiers(ruleset.tier_bps), _tiers(tiers)),
        ("jackpot_payout_bps", ruleset.jackpot_payout_bps, constants.jackpot_payout_bps),
        ("affiliate_default_bps", ruleset.affiliate_default_bps, constants.affiliate_default_bps),
        ("affiliate_max_bps", ruleset.affiliate_max_bps, constants.affiliate_max_bps),
        ("drand.delay_s", ruleset.drand.delay_s, constants.draw_delay_s),
    )
    return [f"{name} is {ours}, the contracts have {theirs}" for name, ours, theirs in pairs if ours != theirs]


def require_same(ruleset: Ruleset, constants: GameConstants) -> None:
    """Refuse a ruleset that differs from the contracts. Raises: InvalidInput ``ruleset_differs``, every field named."""
    found = differences(ruleset, constants)
    if found:
        raise InvalidInput("ruleset_differs", "; ".join(found))


def _listed(amounts: tuple[Atoms, ...]) -> str:
    return ", ".join(str(amount) for amount in amounts)


def _tiers(tiers: tuple[tuple[int, Bps], ...]) -> str:
    return ", ".join(f"{share_bps} bps for {matches} matches" for matches, share_bps in tiers)
