"""Wallets that are no addresses and amounts that are none, wherever they could come in (units of docs/artifacts.md)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from eth_utils.address import to_checksum_address

from bo_engine.errors import EXIT_FAILED, EXIT_USAGE, InvalidInput
from bo_engine.units import MAX_UINT256, parse_atoms, parse_typed_wallet, parse_wallet
from core.lottery.ruleset import RULESET_1, parse_ruleset, ruleset_document
from merkle.load import load_dump
from tests.support.fingerprint import fingerprint
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

NO_WALLETS = {
    "empty": "",
    "a word": "alice",
    "39 digits": "0x" + "a" * 39,
    "41 digits": "0x" + "a" * 41,
    "no 0x": "a" * 42,
    "no hex": "0x" + "g" * 40,
    "a line more": "0x" + "a" * 40 + "\n",
    "other digits": "0x" + "٣" * 40,
    "a statement": "0x'; DROP TABLE tickets; --",
}
no_wallets = pytest.mark.parametrize("text", NO_WALLETS.values(), ids=NO_WALLETS.keys())

NO_AMOUNTS: dict[str, Any] = {
    "below zero": -1,
    "below zero as text": "-1",
    "fractional": 1.5,
    "fractional as text": "1.5",
    "a whole float": 1.0,
    "too large": MAX_UINT256 + 1,
    "too large as text": str(MAX_UINT256 + 1),
    "an exponent": "1e3",
    "a leading zero": "007",
    "a plus": "+7",
    "a space": " 7",
    "other digits": "٣",
    "a bool": True,
    "nothing": None,
    "not a number": float("nan"),
}
no_amounts = pytest.mark.parametrize("value", NO_AMOUNTS.values(), ids=NO_AMOUNTS.keys())


@pytest.mark.parametrize("command", ["proof", "explain"])
@pytest.mark.parametrize("text", [NO_WALLETS[name] for name in ("a word", "39 digits", "a statement")])
def test_a_command_refuses_a_wallet_that_is_no_address(played: PlayedWorld, command: str, text: str) -> None:
    refusal = refused(
        played, command, "--day", str(played.day), "--wallet", text, code="bad_wallet", exit_code=EXIT_USAGE
    )
    assert refusal.message.startswith("--wallet: a wallet is 0x and 40 hex digits")


def test_a_command_refuses_a_wallet_with_a_wrong_digit_by_its_checksum(played: PlayedWorld) -> None:
    right = to_checksum_address("0x" + "ab" * 20)
    wrong = right[:-1] + ("C" if right[-1] != "C" else "D")
    day = ("--day", str(played.day))
    refusal = refused(played, "proof", *day, "--wallet", wrong, code="bad_wallet", exit_code=EXIT_USAGE)
    assert "checksum" in refusal.message
    # With the right digits it goes on, and finds that the day has no run yet.
    refused(played, "proof", *day, "--wallet", right, code="no_run", exit_code=EXIT_FAILED)


@no_wallets
def test_core_refuses_a_wallet_that_is_no_address(text: str) -> None:
    for parse in (parse_wallet, parse_typed_wallet):
        with pytest.raises(InvalidInput) as refusal:
            parse(text)
        assert refusal.value.code == "bad_wallet"


def test_the_database_refuses_a_wallet_that_is_no_address_or_not_in_lower_case(played: PlayedWorld) -> None:
    for text in (*NO_WALLETS.values(), "0x" + "A" * 40, "0X" + "a" * 40):
        rejects(played, "SELECT %(value)s::text::wallet", text)


@no_amounts
def test_core_refuses_an_amount_that_is_none(value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_atoms(value)
    assert refusal.value.code == "bad_amount"


def test_the_database_refuses_an_amount_that_is_none(played: PlayedWorld) -> None:
    for text in ("-1", "1.5", "1.0", str(MAX_UINT256 + 1), "NaN", "Infinity", "-0.0000001", "1e78"):
        rejects(played, "SELECT %(value)s::text::numeric::atoms", text)
        rejects(played, "SELECT %(value)s::text::numeric::uint256", text)


def test_a_payout_row_refuses_an_amount_that_is_none(played: PlayedWorld) -> None:
    # As the owner, whom no grant holds back: the domain itself refuses.
    for text in ("-1", "0.5", str(MAX_UINT256 + 1), "0"):
        rejects(
            played,
            "INSERT INTO settlement_winner_payouts VALUES (1, '0x' || repeat('1', 40), %(value)s::text::numeric)",
            text,
        )


def rejects(played: PlayedWorld, statement: str, value: str) -> None:
    """The database answers with a broken constraint and keeps nothing."""
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # no triggers: only types and checks
        with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InvalidTextRepresentation)):
            conn.execute(statement.encode(), {"value": value})


def price(value: object) -> Callable[[dict[str, Any]], None]:
    """Put this into a ruleset as its first price."""

    def change(document: dict[str, Any]) -> None:
        document["prices"][0] = value

    return change


RULESETS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a price below zero": price("-250000"),
    "a fractional price": price("250000.5"),
    "a price as a JSON number": price(250_000),
    "a price that is too large": price(str(2**256)),
    "fees of 1.5 bps": lambda document: document.update(fee_bps=1.5),
    "fees as a bool": lambda document: document.update(fee_bps=True),
    "a field more": lambda document: document.update(discount_bps=1),
    "a field less": lambda document: document.pop("fee_bps"),
}


@pytest.mark.parametrize("change", RULESETS.values(), ids=RULESETS.keys())
def test_a_ruleset_with_bad_amounts_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    document = ruleset_document(RULESET_1)
    change(document)
    with pytest.raises(InvalidInput) as refusal:
        parse_ruleset(json.loads(json.dumps(document)))
    assert refusal.value.code == "bad_ruleset"


@pytest.mark.parametrize("name", ["a price below zero", "fees of 1.5 bps", "no json", "no file"])
def test_a_command_refuses_a_bad_ruleset_file_and_names_it(played: PlayedWorld, name: str) -> None:
    document = json.loads(Path(played.env["RULESET_FILES"]).read_text())
    RULESETS.get(name, lambda _: None)(document)
    path = played.folder / "ruleset.json"
    path.write_text(json.dumps(document) if name in RULESETS else "{")
    if name == "no file":
        path.unlink()
    refusal = refused(played, "settle", code="bad_ruleset_file", exit_code=EXIT_USAGE, RULESET_FILES=f" {path} ,")
    assert refusal.message.startswith(f"RULESET_FILES: {path}")


def test_a_ruleset_that_the_chain_does_not_name_is_refused(played: PlayedWorld) -> None:
    before = fingerprint(played)
    document = json.loads(Path(played.env["RULESET_FILES"]).read_text())
    path = played.folder / "other-ruleset.json"
    path.write_text(json.dumps({**document, "charity_bps": 999}))
    refusal = refused(played, "settle", code="unknown_ruleset", exit_code=EXIT_USAGE, RULESET_FILES=str(path))
    assert "RULESET_FILES" in refusal.message
    assert before.differences(fingerprint(played)) == []


@pytest.mark.parametrize("amount", ["-1", "1.5", "1e3", "0x1", str(2**256), 7, 1.5, None, True])
def test_a_merkle_file_with_a_bad_amount_is_refused(amount: object) -> None:
    dump = {
        "format": "standard-v1",
        "leafEncoding": ["address", "uint256"],
        "tree": ["0x" + "11" * 32],
        "values": [{"value": ["0x" + "22" * 20, amount], "treeIndex": 0}],
    }
    with pytest.raises(InvalidInput) as refusal:
        load_dump(json.dumps(dump), ("address", "uint256"))
    assert refusal.value.code == "bad_dump"
