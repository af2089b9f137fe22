"""Rulesets: the numbers of the game as one frozen, hashed value (section 2 of docs/rules.md)."""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import rfc8785

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import BPS_ONE, MAX_UINT256, POOL_COUNT, Atoms, Bps, Hash32, hex_of, parse_atoms, parse_hash32

SCHEMA: Final = "bo-engine/ruleset/1"
SCHEME_G1_RFC9380: Final = "bls-unchained-g1-rfc9380"
NUMBERS_PER_TIP: Final = 6
MIN_NUMBER_MAX: Final = 6
MAX_NUMBER_MAX: Final = 49
PUBLIC_KEY_BYTES: Final = 96


@dataclass(frozen=True, slots=True)
class DrandNetwork:
    """A drand network, pinned: the key is never fetched. Times in seconds; the public key is a compressed G2 point."""

    chain_hash: Hash32
    public_key: bytes
    genesis_s: int
    period_s: int
    scheme: str
    delay_s: int  # draw delay: a day's round is due so long after its close and its VRF request


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The numbers that a day is computed with. Refuses impossible ones: InvalidInput ``bad_ruleset``."""

    version: int
    prices_atoms: tuple[Atoms, ...]
    number_max: int
    numbers_per_tip: int
    max_paid_tips: int
    max_tips: int
    fee_bps: Bps
    rollover_bps: Bps
    jackpot_bps: Bps
    tier_bps: tuple[tuple[int, Bps], ...]  # (matches, share of the budget), ascending by matches
    jackpot_payout_bps: Bps
    jackpot_streak_days: int
    affiliate_default_bps: Bps
    affiliate_max_bps: Bps
    charity_bps: Bps
    drand: DrandNetwork

    def __post_init__(self) -> None:
        _check(self)


QUICKNET: Final = DrandNetwork(
    chain_hash=Hash32(bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")),
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    genesis_s=1_692_803_367,
    period_s=3,
    scheme=SCHEME_G1_RFC9380,
    delay_s=3600,
)


def _bps(*values: int) -> bool:
    return all(0 <= value <= BPS_ONE for value in values)


def _check(rules: Ruleset) -> None:
    def require(holds: bool, what: str) -> None:
        require_input(holds, "bad_ruleset", what)

    require(0 <= rules.version < 2**31, "version is a small whole number")
    require(len(rules.prices_atoms) == POOL_COUNT, f"there are {POOL_COUNT} prices")
    require(all(0 < price <= 10**12 for price in rules.prices_atoms), "a price is 1 to 10^12 atoms")
    require(rules.numbers_per_tip == NUMBERS_PER_TIP, f"a tip has {NUMBERS_PER_TIP} numbers")
    require(MIN_NUMBER_MAX <= rules.number_max <= MAX_NUMBER_MAX, f"number_max is {MIN_NUMBER_MAX} to {MAX_NUMBER_MAX}")
    require(1 <= rules.max_paid_tips <= rules.max_tips <= 255, "1 <= max_paid_tips <= max_tips <= 255")
    require(_bps(rules.fee_bps + rules.rollover_bps, rules.fee_bps, rules.rollover_bps), "fee and rollover exceed all")
    require(_bps(rules.jackpot_bps, rules.jackpot_payout_bps, rules.charity_bps), "a share is 0 to 10000 bps")
    matches = [tier for tier, _ in rules.tier_bps]
    shares = [share for _, share in rules.tier_bps]
    ascending = all(low < high for low, high in pairwise(matches))
    require(bool(matches) and ascending and matches[0] >= 1, "tiers ascend by matches")
    require(matches[-1:] == [NUMBERS_PER_TIP], f"the last tier has {NUMBERS_PER_TIP} matches")
    require(_bps(*shares, sum(shares)), "the tiers' shares exceed the budget")
    require(1 <= rules.jackpot_streak_days < 2**31, "jackpot_streak_days is at least 1")
    # Commissions are paid out of the fee.
    require(0 <= rules.affiliate_default_bps <= rules.affiliate_max_bps, "the default rate exceeds the highest")
    require(rules.affiliate_max_bps <= rules.fee_bps, "the highest affiliate rate exceeds the fee")
    _check_drand(rules.drand)


def _check_drand(drand: DrandNetwork) -> None:
    require_input(len(drand.chain_hash) == 32, "bad_ruleset", "drand: the chain hash is 32 bytes")
    require_input(len(drand.public_key) == PUBLIC_KEY_BYTES, "bad_ruleset", "drand: the public key is 96 bytes")
    times_fit = 0 <= drand.genesis_s < 2**53 and 1 <= drand.period_s < 2**31 and 0 <= drand.delay_s < 2**31
    require_input(times_fit, "bad_ruleset", "drand: genesis_s, period_s and delay_s are whole seconds")
    require_input(drand.scheme == SCHEME_G1_RFC9380, "bad_ruleset", f"drand: the scheme is {SCHEME_G1_RFC9380}")


RULESET_1: Final = Ruleset(
    version=1,
    prices_atoms=(Atoms(250_000), Atoms(500_000), Atoms(1_000_000), Atoms(5_000_000), Atoms(10_000_000)),
    number_max=38,
    numbers_per_tip=NUMBERS_PER_TIP,
    max_paid_tips=144,
    max_tips=255,
    fee_bps=Bps(2750),
    rollover_bps=Bps(500),
    jackpot_bps=Bps(4000),
    tier_bps=((4, Bps(4000)), (5, Bps(2500)), (6, Bps(3500))),
    jackpot_payout_bps=Bps(9000),
    jackpot_streak_days=90,
    affiliate_default_bps=Bps(500),
    affiliate_max_bps=Bps(1000),
    charity_bps=Bps(1000),
    drand=QUICKNET,
)

_DRAND_INTS: Final = ("genesis_s", "period_s", "delay_s")
_INTS: Final = (
    "version",
    "number_max",
    "numbers_per_tip",
    "max_paid_tips",
    "max_tips",
    "fee_bps",
    "rollover_bps",
    "jackpot_bps",
    "jackpot_payout_bps",
    "jackpot_streak_days",
    "affiliate_default_bps",
    "affiliate_max_bps",
    "charity_bps",
)


def ruleset_document(rules: Ruleset) -> dict[str, object]:
    """The ruleset as a JSON object: prices are decimal strings, hashes and keys 0x hex."""
    drand = rules.drand
    return {
        "schema": SCHEMA,
        **{name: getattr(rules, name) for name in _INTS},
        "prices": [str(price) for price in rules.prices_atoms],
        "tiers": [{"matches": matches, "share_bps": share} for matches, share in rules.tier_bps],
        "drand": {
            "chain_hash": hex_of(drand.chain_hash),
            "public_key": hex_of(drand.public_key),
            "scheme": drand.scheme,
            **{name: getattr(drand, name) for name in _DRAND_INTS},
        },
    }


def ruleset_hash(rules: Ruleset) -> Hash32:
    """sha256 of the RFC 8785 JSON of :func:`ruleset_document`; the chain names the hash in force."""
    # rfc8785's type for JSON values is narrower than ours.
    return Hash32(hashlib.sha256(rfc8785.dumps(ruleset_document(rules))).digest())  # type: ignore[arg-type]


def parse_ruleset(document: object) -> Ruleset:
    """Read a ruleset from parsed JSON: every field, no other field, exact types.

    Raises: InvalidInput ``bad_ruleset``.
    """
    fields = _object(document, "the ruleset", {"schema", "prices", "tiers", "drand", *_INTS})
    require_input(fields["schema"] == SCHEMA, "bad_ruleset", f"the schema is not {SCHEMA}")
    drand = _object(fields["drand"], "drand", {"chain_hash", "public_key", "scheme", *_DRAND_INTS})
    try:
        network = DrandNetwork(
            chain_hash=parse_hash32(drand["chain_hash"]),
            public_key=_hex_bytes(drand["public_key"]),
            scheme=str(drand["scheme"]),
            **{name: _int(drand[name], f"drand: {name}") for name in _DRAND_INTS},
        )
        prices = tuple(parse_atoms(_text(price)) for price in _items(fields["prices"], "prices"))
    except InvalidInput as error:
        raise InvalidInput("bad_ruleset", error.message) from error
    tiers = [_object(item, "a tier", {"matches", "share_bps"}) for item in _items(fields["tiers"], "tiers")]
    numbers = {name: _int(fields[name], name) for name in _INTS}
    return Ruleset(
        prices_atoms=prices,
        tier_bps=tuple((_int(tier["matches"], "matches"), Bps(_int(tier["share_bps"], "share_bps"))) for tier in tiers),
        drand=network,
        **numbers,  # type: ignore[arg-type]  # Bps is an int by another name
    )


def _object(value: object, name: str, keys: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput("bad_ruleset", f"{name} is not a JSON object")
    odd = sorted(str(key) for key in keys.symmetric_difference(value))
    require_input(not odd, "bad_ruleset", f"{name} lacks or does not know: {', '.join(odd)[:200]}")
    return value


def _items(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise InvalidInput("bad_ruleset", f"{name} is not a list")
    return value


def _int(value: object, name: str) -> int:
    # type(), because a bool is an int to isinstance().
    if type(value) is not int or not 0 <= value <= MAX_UINT256:
        raise InvalidInput("bad_ruleset", f"{name} is not a whole number: {str(value)[:40]!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput("bad_ruleset", f"an amount is a decimal string, got {str(value)[:40]!r}")
    return value


def _hex_bytes(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"0x(?:[0-9a-f]{2})*", value):
        raise InvalidInput("bad_ruleset", f"not lower-case 0x hex: {str(value)[:40]!r}")
    return bytes.fromhex(value[2:])
