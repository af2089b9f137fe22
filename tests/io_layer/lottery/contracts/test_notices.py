"""Subjects and values of announcements are those of the contracts (io_layer/lottery/contracts/notices.py)."""

import re
from pathlib import Path

import pytest
from eth_abi.abi import encode

import abi
from bo_engine.errors import UsageError
from bo_engine.units import parse_wallet
from io_layer.lottery.contracts.notices import CHARITY, SUBJECTS, _announcement, charity_word

SOURCES = Path(__file__).resolve().parents[4] / "contracts" / "src"
WALLET = parse_wallet("0x" + "ab" * 20)


def test_every_subject_that_the_contracts_know_is_known_here() -> None:
    found = {}
    for path in SOURCES.rglob("*.sol"):
        for text in re.findall(r'bytes32 public constant \w+ = "([^"]+)";', path.read_text(encoding="utf-8")):
            found[text.encode().ljust(32, b"\0")] = path.stem
    assert {one.word: one.contract for one in SUBJECTS.values()} == found


def test_each_is_announced_by_a_function_that_takes_its_value() -> None:
    for one in (*SUBJECTS.values(), CHARITY):
        functions = {entry.get("name"): entry for entry in abi.load(one.contract).abi if entry["type"] == "function"}
        kinds = [
            f"({','.join(part['type'] for part in entry['components'])})" if "components" in entry else entry["type"]
            for entry in functions[one.function]["inputs"]
        ]
        assert tuple(kinds) == one.types


def test_an_announced_value_is_told_in_words() -> None:
    for name, values, words in (
        ("fee-receiver", [WALLET], WALLET),
        ("voucher-cap", [1_500_000], "1.50 USDT"),
        ("vrf-config", [(b"\x01" * 32, 200_000, 3, 10**18)],
         f"key hash 0x{'01' * 32}, 200000 gas, 3 confirmations, {10**18} juels a request"),
    ):  # fmt: skip
        subject = SUBJECTS[name]
        assert _announcement(subject, encode(subject.types, values), 1, 2).value == words
    found = _announcement(CHARITY, encode(CHARITY.types, [WALLET, "Dogs"]), 1, 2)
    assert found.value == f"{WALLET} (Dogs)"
    assert charity_word(WALLET) == bytes(12) + bytes.fromhex("ab" * 20)


def test_bytes_that_are_no_value_of_the_subject_are_refused() -> None:
    with pytest.raises(UsageError) as refusal:
        _announcement(SUBJECTS["vrf-config"], b"\xff" * 31, 1, 2)
    assert refusal.value.code == "contract_unexpected"
