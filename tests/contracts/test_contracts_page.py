"""docs/contracts.md: its functions are the ABI's, its callers the sources', and the tests that it names exist."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
PAGE = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
NAMES = (
    *("Roles", "GameManager", "GameTreasury", "ReserveVault", "PrizeVault", "AffiliateVault", "SettlementV4"),
    *("VRFReceiver", "CharityVault", "ClaimRouter"),
)
# Who passes a modifier, in the words with which the page begins the cell of the caller.
CALLERS = {
    "onlyOwner": "OWNER",
    "onlyGuardian": "GUARDIAN",
    "onlyGuardianOrOwner": "OWNER or GUARDIAN",
    "onlyRelayer": "RELAYER",
    "onlySettler": "SETTLER",
    "onlySettlement": "SettlementV4",
}
# OpenZeppelin declares it; a contract whose name and version are constant never emits it.
NEVER_EMITTED = {"EIP712DomainChanged"}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    parameters: tuple[str, ...]
    caller: str
    delay: str
    event: str


@cache
def abi_of(contract: str) -> tuple[dict[str, object], ...]:
    return tuple(json.loads((ROOT / "abi" / "lottery" / f"{contract}.json").read_text(encoding="utf-8"))["abi"])


def changing_functions(contract: str) -> dict[str, tuple[str, ...]]:
    """The external functions that change something, with the names of their parameters."""
    found = {}
    for entry in abi_of(contract):
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure"):
            found[str(entry["name"])] = tuple(one["name"] for one in entry["inputs"])  # type: ignore[attr-defined]
    return found


def events(contract: str) -> set[str]:
    return {str(entry["name"]) for entry in abi_of(contract) if entry["type"] == "event"}


def rows_of(contract: str) -> list[Row]:
    """The page's rows of a contract; two that share a heading share the rows."""
    section = PAGE.split("\n## Functions\n")[1].split("\n## ")[0]
    for part in section.split("\n### ")[1:]:
        heading, _, text = part.partition("\n")
        if contract in heading.split(" and "):
            lines = re.findall(r"^\| `(\w+)\((.*?)\)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
            return [
                Row(name, tuple(filter(None, given.split(", "))), caller, delay, event)
                for name, given, caller, delay, event in lines
            ]
    return []


def modifiers_of(contract: str) -> dict[str, str]:
    """The first modifier of each external function in a contract's source and in those of its bases."""
    found = {}
    bases = {"PrizeVault": "ClaimVault", "AffiliateVault": "ClaimVault"}
    for file in (bases.get(contract, contract), "Timelocked"):
        source = (CONTRACTS / "src" / "lottery" / f"{file}.sol").read_text(encoding="utf-8")
        if file == "Timelocked" and "cancel" not in changing_functions(contract):
            continue
        heads = re.findall(r"function (\w+)\(([^{;]*?)\)\s+external\s+(\w*)", source)
        found.update({name: modifier for name, _, modifier in heads})
    return found


def forge_tests() -> dict[str, set[str]]:
    """The names of all forge tests, by file."""
    return {
        str(path.relative_to(ROOT)): set(re.findall(r"function (test\w+)\(", path.read_text(encoding="utf-8")))
        for path in (CONTRACTS / "test").rglob("*.t.sol")
    }


@pytest.mark.parametrize("contract", NAMES)
def test_every_function_that_changes_something_stands_in_the_table(contract: str) -> None:
    rows = rows_of(contract)
    assert {row.name: row.parameters for row in rows} == changing_functions(contract)
    assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize("contract", NAMES)
def test_every_row_has_caller_time_and_an_event_that_exists(contract: str) -> None:
    for row in rows_of(contract):
        assert row.caller
        assert row.delay
        named = re.findall(r"`([\w.]+)`", row.event)
        assert named, row.name
        for event in named:
            emitter, _, name = event.rpartition(".")
            assert name in events(emitter or contract), f"{row.name}: {event}"


@pytest.mark.parametrize("contract", NAMES)
def test_every_event_is_told_of(contract: str) -> None:
    told = {name for row in rows_of(contract) for name in re.findall(r"`(\w+)`", row.event)}
    assert events(contract) - NEVER_EMITTED == told


@pytest.mark.parametrize("contract", NAMES)
def test_the_callers_are_those_of_the_source(contract: str) -> None:
    modifiers = modifiers_of(contract)
    for row in rows_of(contract):
        expected = CALLERS.get(modifiers[row.name])
        if expected is not None:
            assert re.split(r"[,;] ", row.caller)[0] == expected, row.name


def test_no_modifier_of_the_sources_is_unknown_here() -> None:
    declared = set()
    for path in (CONTRACTS / "src").rglob("*.sol"):
        declared |= set(re.findall(r"modifier (\w+)\(", path.read_text(encoding="utf-8")))
    assert declared == set(CALLERS)


def test_each_worst_case_names_a_forge_test_that_exists() -> None:
    section = PAGE.split("\n## A stolen key at its worst\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) ?\| (.*?) \|$", section, re.MULTILINE)[1:]
    known = forge_tests()
    home = "contracts/test/lottery/StolenKeys.t.sol"
    named_at_home = set()
    for key, _, _, cell in table:
        named = re.findall(r"`(test\w+)`(?: \(`([\w/.]+)`\))?", cell)
        assert named, key
        for name, file in named:
            assert name in known[file or home], name
            if not file:
                named_at_home.add(name)
    # What is carried out is told of, too.
    assert named_at_home == known[home]
    keys = " ".join(key for key, _, _, _ in table)
    wanted = ("SETTLER", "OWNER", "GUARDIAN", "RELAYER", "PROMOTIONS", "deployer", "fee receiver")
    assert [key for key in wanted if key not in keys] == []
