"""A day's ruleset: ruleset 1 as this package knows it, and what every ruleset must keep to (rules 2 and 4.7)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from verifier.checking import Differs, require
from verifier.hashing import sha256
from verifier.strict_json import write_canonical

#: Written down from docs/rules.md and quicknet's own description; its hash is the one that rule 4.7 names.
RULESET_1: dict[str, Any] = {
    "schema": "bo-engine/ruleset/1",
    "version": 1,
    "prices": ["250000", "500000", "1000000", "5000000", "10000000"],
    "number_max": 38,
    "numbers_per_tip": 6,
    "max_paid_tips": 144,
    "max_tips": 255,
    "fee_bps": 2750,
    "rollover_bps": 500,
    "jackpot_bps": 4000,
    "tiers": [
        {"matches": 4, "share_bps": 4000},
        {"matches": 5, "share_bps": 2500},
        {"matches": 6, "share_bps": 3500},
    ],
    "jackpot_payout_bps": 9000,
    "jackpot_streak_days": 90,
    "affiliate_default_bps": 500,
    "affiliate_max_bps": 1000,
    "charity_bps": 1000,
    "drand": {
        "chain_hash": "0x52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
        "public_key": "0x83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064"
        "510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
        "scheme": "bls-unchained-g1-rfc9380",
        "genesis_s": 1692803367,
        "period_s": 3,
        "delay_s": 3600,
    },
}
RULESET_1_HASH = bytes.fromhex("27ea8fd3f1a4608a72b51c0a5eb6b54f1fb1f2da983a4ef45b5ec9bdcd61f6a0")


def hash_of_ruleset(document: Mapping[str, Any]) -> bytes:
    """sha256 of its RFC 8785 JSON; the document as it stands in the file."""
    return sha256(write_canonical(document))


def check_pinned(document: Mapping[str, Any]) -> None:
    """Whoever says that he is ruleset 1 is it. Raises: Differs."""
    if document["version"] == 1 and document != RULESET_1:
        names = [name for name in RULESET_1 if document[name] != RULESET_1[name]]
        raise Differs(f"it says that it is ruleset 1, but differs from it in {', '.join(names)}")


def check_ranges(rules: Mapping[str, Any]) -> None:
    """What every ruleset keeps to; with it no later step can run out of bounds. Raises: Differs."""
    drand, tiers = rules["drand"], rules["tiers"]
    require(all(price <= 10**12 for price in rules["prices"]), "a price is above 10^12 atoms")
    require(rules["numbers_per_tip"] == 6, "a tip has six numbers in every ruleset")
    require(6 <= rules["number_max"] <= 49, "number_max is not between 6 and 49")
    require(1 <= rules["max_paid_tips"] <= rules["max_tips"] <= 255, "the limits of a ticket's tips do not fit")
    require(rules["fee_bps"] + rules["rollover_bps"] <= 10000, "fee and rollover are above the stake")
    for name in ("jackpot_bps", "jackpot_payout_bps", "charity_bps"):
        require(rules[name] <= 10000, f"{name} is above 10000")
    ascending = all(low["matches"] < high["matches"] for low, high in pairwise(tiers))
    require(bool(tiers) and ascending and tiers[0]["matches"] >= 1, "the tiers do not ascend")
    require(tiers[-1]["matches"] == 6, "the last tier is not that of six matches")
    require(sum(tier["share_bps"] for tier in tiers) <= 10000, "the tiers share out more than the budget")
    require(1 <= rules["jackpot_streak_days"] < 2**31, "jackpot_streak_days is out of range")
    require(rules["version"] < 2**31, "version is out of range")
    rates = rules["affiliate_default_bps"] <= rules["affiliate_max_bps"] <= rules["fee_bps"]
    require(rates, "the affiliates' rates do not fit into the fee")
    require(drand["scheme"] == "bls-unchained-g1-rfc9380", "drand's scheme is another than bls-unchained-g1-rfc9380")
    require(1 <= drand["period_s"] < 2**31 and drand["delay_s"] < 2**31, "drand's times are out of range")
