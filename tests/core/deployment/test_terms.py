"""The deployment file: everything in it is checked, nothing may be missing, misspelt or held by two."""

import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import InvalidInput
from bo_engine.units import MAX_DAY_ID
from core.deployment.creations import CREATIONS, WIRING_ORDER, constructor_arguments, creation_addresses, wiring_of
from core.deployment.terms import (
    CHALLENGE_S_RANGE,
    FIRST_DAY_AHEAD,
    LEAST_CALLBACK_GAS,
    MAX_LAG_DAYS,
    MAX_LINK,
    MAX_VOUCHER_CAP,
    NUMBER_MAX_RANGE,
    parse_terms,
    terms_document,
)
from core.lottery.ruleset import RULESET_1, ruleset_hash

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLE = REPOSITORY / "docs" / "deployment.example.toml"
SOURCES = REPOSITORY / "contracts" / "src"
ROLES = ("owner", "guardian", "relayer", "settler", "promotions")


def example() -> dict[str, Any]:
    """The example file's document."""
    return tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))


def refusal(document: dict[str, Any]) -> tuple[str, str]:
    """Code and message with which a document is refused."""
    with pytest.raises(InvalidInput) as error:
        parse_terms(document)
    return error.value.code, error.value.message


def test_the_example_file_is_one_and_names_the_built_in_ruleset() -> None:
    terms = parse_terms(example())
    assert terms.game.ruleset_hash == ruleset_hash(RULESET_1)
    assert terms.game.number_max == RULESET_1.number_max


def test_terms_come_back_from_their_document() -> None:
    document = example()
    document["vrf"]["link_per_request"] = str(2**96 - 1)
    document["money"]["voucher_cap"] = str(2**88 - 1)
    terms = parse_terms(document)
    assert (terms.vrf.link_per_request, terms.money.voucher_cap) == (2**96 - 1, 2**88 - 1)
    assert parse_terms(terms_document(terms)) == terms


@pytest.mark.parametrize("pair", list(combinations(ROLES, 2)))
def test_two_roles_in_one_hand_are_refused(pair: tuple[str, str]) -> None:
    document = example()
    document["roles"][pair[1]] = document["roles"][pair[0]].upper().replace("0X", "0x")
    code, message = refusal(document)
    assert code == "roles_not_distinct"
    assert all(f"roles.{role}" in message for role in pair)


def test_every_entry_is_needed_and_no_other_is_taken() -> None:
    tables = [name for name, value in example().items() if isinstance(value, dict)]
    assert set(tables) == {"roles", "game", "money", "vrf"}
    for table in tables:
        for name in example()[table]:
            document = example()
            document[table][f"{name}_"] = document[table].pop(name)
            assert refusal(document)[0] == "bad_deployment_file"
            assert name in refusal(document)[1]
        document = example()
        document[table] = 1
        assert refusal(document) == ("bad_deployment_file", f"the deployment file's entry {table} must be a table")
        del document[table]
        assert refusal(document) == ("bad_deployment_file", f"the deployment file's entry {table} is missing")


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("roles", "owner", "0x" + "00" * 20),
        ("roles", "owner", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".swapcase().replace("0X", "0x")),
        ("roles", "owner", 17),
        ("game", "first_day", -1),
        ("game", "first_day", True),
        ("game", "first_day", 20800.5),
        ("game", "number_max", 5),
        ("game", "number_max", 50),
        ("game", "ruleset_hash", "0x" + "00" * 32),
        ("game", "ruleset_hash", "0x12"),
        ("game", "challenge_period_s", 0),
        ("game", "challenge_period_s", 72_001),
        ("money", "usdt", "0x12"),
        ("money", "charity_name", " "),
        ("money", "charity_name", "a\nb"),
        ("money", "heir", "0x" + "00" * 20),
        ("money", "voucher_cap", 1),
        ("money", "voucher_cap", "1.5"),
        ("money", "voucher_cap", "-1"),
        ("money", "voucher_cap", "01"),
        ("money", "voucher_cap", str(2**88)),
        ("vrf", "link_per_request", 1),
        ("vrf", "link_per_request", "1 LINK"),
        ("vrf", "link_per_request", str(2**96)),
        ("vrf", "callback_gas_limit", 99_999),
        ("vrf", "confirmations", 0),
    ],
)
def test_a_wrong_entry_is_refused_by_its_name(table: str, name: str, value: object) -> None:
    document = example()
    document[table][name] = value
    code, message = refusal(document)
    assert code == "bad_deployment_file"
    assert f"{table}.{name}" in message


def test_every_border_is_where_the_contracts_have_it() -> None:
    for table, name, least, most in (
        (None, "chain_id", 1, 2**63 - 1),
        ("game", "first_day", 1, MAX_DAY_ID),
        ("game", "number_max", 6, 49),
        ("game", "challenge_period_s", 600, 72_000),
        ("vrf", "callback_gas_limit", 100_000, 2**32 - 1),
        ("vrf", "confirmations", 1, 200),
    ):
        for value, is_good in ((least, True), (most, True), (least - 1, False), (most + 1, False)):
            document = example()
            (document[table] if table else document)[name] = value
            if is_good:
                terms = parse_terms(document)
                assert getattr(getattr(terms, table) if table else terms, name) == value
            else:
                assert refusal(document)[0] == "bad_deployment_file"
    for table, name, most in (("money", "voucher_cap", 2**88 - 1), ("vrf", "link_per_request", 2**96 - 1)):
        for value in (0, most):
            document = example()
            document[table][name] = str(value)
            assert getattr(getattr(parse_terms(document), table), name) == value
        document[table][name] = str(most + 1)
        assert refusal(document)[0] == "bad_deployment_file"
    document = example()
    document["money"]["charity_name"] = "x" * 80
    assert parse_terms(document).money.charity_name == "x" * 80
    document["money"]["charity_name"] += "x"
    assert refusal(document)[0] == "bad_deployment_file"
    document = example()
    document["money"]["charity_name"] = "x"
    assert parse_terms(document).money.charity_name == "x"


def test_the_borders_are_those_of_the_sources() -> None:
    """The contracts cannot be asked before they stand, so their constants are copied."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.sol"))
    for border in (
        f"MIN_NUMBER_MAX = {NUMBER_MAX_RANGE[0]};",
        f"MAX_NUMBER_MAX = {NUMBER_MAX_RANGE[-1]};",
        f"MIN_CHALLENGE_PERIOD = {CHALLENGE_S_RANGE[0]} seconds;",
        f"MAX_CHALLENGE_PERIOD = {CHALLENGE_S_RANGE[-1] // 3_600} hours;",
        f"MAX_FIRST_DAY_AHEAD = {FIRST_DAY_AHEAD};",
        f"MIN_CALLBACK_GAS = {LEAST_CALLBACK_GAS:_};",
        f"MAX_LAG_DAYS = {MAX_LAG_DAYS};",
    ):
        assert border in sources
    assert (MAX_VOUCHER_CAP, MAX_LINK) == (2**88 - 1, 2**96 - 1)
    assert "type(uint88).max" in sources
    assert "uint96 linkPerRequest" in sources


def test_each_contract_is_told_where_its_partners_will_stand() -> None:
    terms = parse_terms(example())
    at = creation_addresses(terms.roles.owner, 7)
    assert len(set(at.values())) == len(CREATIONS)
    arguments = constructor_arguments(terms, at)
    assert set(arguments) == set(at)
    assert arguments["settlement"] == (wiring_of(terms, at), terms.game.challenge_period_s, terms.money.heir)
    assert arguments["roles"][-1] == at["settlement"]
    assert arguments["reserve_vault"][1][-1] == terms.money.voucher_cap
    assert dict(zip(WIRING_ORDER, wiring_of(terms, at), strict=True)) == {
        "usdt": terms.money.usdt,
        **{key: at[key] for key in WIRING_ORDER if key != "usdt"},
    }
