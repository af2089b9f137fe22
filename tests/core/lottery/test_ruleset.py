"""Rulesets are frozen, hashed and strictly read (rules 2.1 to 2.9)."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from bo_engine.errors import InvalidInput
from core.lottery.ruleset import (
    QUICKNET,
    RULESET_1,
    DrandNetwork,
    Ruleset,
    parse_ruleset,
    ruleset_document,
    ruleset_hash,
)


def document() -> dict[str, Any]:
    return json.loads(json.dumps(ruleset_document(RULESET_1)))  # type: ignore[no-any-return]


def test_a_ruleset_survives_its_document() -> None:
    assert parse_ruleset(document()) == RULESET_1
    other = replace(RULESET_1, number_max=9, version=2, drand=replace(QUICKNET, delay_s=5))
    assert parse_ruleset(ruleset_document(other)) == other


def test_the_hash_is_sha256_of_the_canonical_document() -> None:
    # A golden value: if it moves, every past day would be recomputed under other rules.
    assert ruleset_hash(RULESET_1) == hashlib.sha256(rfc8785.dumps(document())).digest()
    assert ruleset_hash(RULESET_1).hex() == "27ea8fd3f1a4608a72b51c0a5eb6b54f1fb1f2da983a4ef45b5ec9bdcd61f6a0"


def test_the_rules_page_names_the_hash_of_ruleset_1() -> None:
    page = Path(__file__).parents[3] / "docs/rules.md"
    assert f"0x{ruleset_hash(RULESET_1).hex()}" in page.read_text()


def test_every_number_of_a_ruleset_moves_its_hash() -> None:
    hashes = {ruleset_hash(RULESET_1)}
    changes: list[Ruleset] = []
    for name in (field.name for field in fields(Ruleset)):
        value = getattr(RULESET_1, name)
        if name == "numbers_per_tip":
            continue  # fixed: the contract's masks have six bits
        if isinstance(value, int):
            changes.append(replace(RULESET_1, **{name: value - 1}))
    for name in (field.name for field in fields(DrandNetwork)):
        value = getattr(QUICKNET, name)
        other = value + 1 if isinstance(value, int) else bytes(reversed(value)) if isinstance(value, bytes) else None
        if other is not None:
            changes.append(replace(RULESET_1, drand=replace(QUICKNET, **{name: other})))
    changes.append(replace(RULESET_1, prices_atoms=tuple(reversed(RULESET_1.prices_atoms))))
    changes.append(replace(RULESET_1, tier_bps=((4, 4000), (5, 2500), (6, 3400))))
    hashes.update(ruleset_hash(rules) for rules in changes)
    assert len(hashes) == len(changes) + 1 == 20


@pytest.mark.parametrize("key", sorted(ruleset_document(RULESET_1)))
def test_a_missing_field_is_refused(key: str) -> None:
    spoiled = document()
    del spoiled[key]
    with pytest.raises(InvalidInput, match=f"bad_ruleset.*{key}"):
        parse_ruleset(spoiled)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"schema": "bo-engine/ruleset/2"},
        {"version": "1"},
        {"version": True},
        {"number_max": 5},
        {"number_max": 50},
        {"number_max": 38.0},
        {"numbers_per_tip": 5},
        {"prices": ["1", "2", "3", "4"]},
        {"prices": ["1", "2", "3", "4", "0"]},
        {"prices": ["1", "2", "3", "4", 5]},
        {"prices": ["1", "2", "3", "4", "5.0"]},
        {"prices": "12345"},
        {"fee_bps": 9501},
        {"fee_bps": -1},
        {"jackpot_bps": 10_001},
        {"jackpot_payout_bps": 10_001},
        {"charity_bps": 10_001},
        {"jackpot_streak_days": 0},
        {"max_paid_tips": 0},
        {"max_paid_tips": 256, "max_tips": 256},
        {"max_tips": 100},
        {"affiliate_default_bps": 1001},
        {"affiliate_max_bps": 2751},
        {"tiers": []},
        {"tiers": [{"matches": 6, "share_bps": 10_001}]},
        {"tiers": [{"matches": 5, "share_bps": 6000}, {"matches": 6, "share_bps": 6000}]},
        {"tiers": [{"matches": 6, "share_bps": 1}, {"matches": 5, "share_bps": 1}]},
        {"tiers": [{"matches": 4, "share_bps": 1}, {"matches": 5, "share_bps": 1}]},
        {"tiers": [{"matches": 6, "share_bps": 1, "note": ""}]},
        {"tiers": [6]},
        {"drand": None},
        {"drand": {}},
    ],
)
def test_an_impossible_ruleset_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_ruleset({**document(), **change})
    assert caught.value.code == "bad_ruleset"


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ([{"version": 0}, {"version": 2**31 - 1}], [{"version": -1}, {"version": 2**31}]),
        ([{"prices_atoms": (1, 2, 3, 4, 10**12)}], [{"prices_atoms": (1, 2, 3, 4, 10**12 + 1)}]),
        ([{"number_max": 6}, {"number_max": 49}], []),
        ([{"max_paid_tips": 1}, {"max_paid_tips": 255}, {"max_paid_tips": 1, "max_tips": 1}], [{"max_tips": 256}]),
        ([{"fee_bps": 9500}, {"rollover_bps": 0}], [{"rollover_bps": -1}, {"fee_bps": -1, "rollover_bps": 500}]),
        ([{"jackpot_bps": 0}, {"jackpot_bps": 10_000}], [{"jackpot_bps": -1}, {"charity_bps": -1}]),
        ([{"tier_bps": ((1, 0), (6, 10_000))}], [{"tier_bps": ((0, 1), (6, 1))}, {"tier_bps": ((6, 1), (6, 1))}]),
        ([], [{"tier_bps": ((5, 1), (4, 1), (6, 1))}, {"tier_bps": ((5, 10_001), (6, -1))}]),
        ([{"jackpot_streak_days": 1}, {"jackpot_streak_days": 2**31 - 1}], [{"jackpot_streak_days": 2**31}]),
        ([{"affiliate_default_bps": 0}, {"affiliate_default_bps": 1000}], [{"affiliate_default_bps": -1}]),
        ([{"affiliate_max_bps": 2750}], [{"affiliate_max_bps": 2751}]),
        ([{"genesis_s": 0}, {"genesis_s": 2**53 - 1}], [{"genesis_s": -1}, {"genesis_s": 2**53}]),
        ([{"period_s": 1}, {"period_s": 2**31 - 1}], [{"period_s": 0}, {"period_s": 2**31}]),
        ([{"delay_s": 0}, {"delay_s": 2**31 - 1}], [{"delay_s": -1}, {"delay_s": 2**31}]),
        ([], [{"chain_hash": b"\x01" * 31}, {"public_key": b"\x01" * 97}]),
    ],
)
def test_each_number_may_go_up_to_its_border_and_not_beyond(
    allowed: list[dict[str, Any]], refused: list[dict[str, Any]]
) -> None:
    def changed(change: dict[str, Any]) -> Ruleset:
        of_drand = {field.name for field in fields(DrandNetwork)} & set(change)
        return replace(RULESET_1, **({"drand": replace(QUICKNET, **change)} if of_drand else change))

    for change in allowed:
        assert parse_ruleset(ruleset_document(changed(change))) == changed(change)
    for change in refused:
        with pytest.raises(InvalidInput) as caught:
            changed(change)
        assert caught.value.code == "bad_ruleset"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chain_hash", "0x52"),
        ("chain_hash", QUICKNET.chain_hash.hex()),
        ("public_key", "0x83"),
        ("public_key", "83" * 96),
        ("public_key", "0x" + "zz" * 96),
        ("scheme", "pedersen-bls-chained"),
        ("period_s", 0),
        ("period_s", "3"),
        ("genesis_s", -1),
        ("delay_s", 1.5),
    ],
)
def test_an_impossible_drand_network_is_refused(key: str, value: object) -> None:
    spoiled = document()
    spoiled["drand"][key] = value
    with pytest.raises(InvalidInput) as caught:
        parse_ruleset(spoiled)
    assert caught.value.code == "bad_ruleset"


@pytest.mark.parametrize("value", [None, [], "text", 7])
def test_what_is_no_object_is_no_ruleset(value: object) -> None:
    with pytest.raises(InvalidInput, match="bad_ruleset"):
        parse_ruleset(value)
