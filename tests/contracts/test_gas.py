"""Each call's gas is what contracts/gas.json says, and below the first edition's; a part of `make check`."""

import json
from pathlib import Path

import pytest

from tests.contracts.gas_table import PAGE, RECORD, Table, filled, findings, load, render
from tests.contracts.gas_world import measure

TABLE = Table(first={"buy": 120_000, "claim": 40_000}, second={"buy": 100_000, "claim": 50_000, "refund": 60_000})


def test_no_call_costs_more_than_recorded_or_than_in_the_first_edition(tmp_path: Path) -> None:
    assert findings(measure(tmp_path), load()) == [], "if it must be so: `make gas`, and say why in the commit"


def test_the_record_is_sorted_and_lower_than_the_first_edition() -> None:
    table = load()
    document = {"first_edition": table.first, "second_edition": table.second}
    assert RECORD.read_text(encoding="utf-8") == json.dumps(document, indent=2, sort_keys=True) + "\n"
    assert findings(table.second, table) == []


def test_the_page_shows_the_record() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, load()) == page, "run `make gas`"


# ------------------------------------------------------------------------------------------------- the tests can fail


def test_three_percent_more_is_allowed_and_one_unit_more_is_not() -> None:
    assert findings({"buy": 103_000, "claim": 51_500, "refund": 61_800}, TABLE) == []
    high = findings({"buy": 103_001, "claim": 51_501, "refund": 61_801}, TABLE)
    assert [line.split(":")[0] for line in high] == ["buy", "claim", "refund"]


def test_as_much_as_in_the_first_edition_is_too_much_but_for_claim_and_refund() -> None:
    same = Table(first={"buy": 100_000, "claim": 40_000}, second=TABLE.second)
    assert findings(TABLE.second, same) == ["buy: 100000 is not lower than the first edition's 100000"]


def test_a_row_that_is_missing_anywhere_is_found() -> None:
    assert findings({**TABLE.second, "new": 1}, TABLE) == ["new: not recorded", "new: only in this edition"]
    assert findings({"claim": 1, "refund": 1}, TABLE) == [
        "buy: recorded, but not measured",
        "buy: only in the first edition",
    ]


def test_the_table_has_both_editions_and_their_difference() -> None:
    assert render(TABLE).splitlines()[2:] == [
        "| buy | 120,000 | 100,000 | -20,000 (-16.6 %) |",
        "| claim | 40,000 | 50,000 | +10,000 (+25.0 %) |",
        "| refund |  | 60,000 |  |",
    ]


def test_the_table_is_put_between_the_markers_and_nowhere_else() -> None:
    page = "# Gas\n\n<!-- gas -->\nold\n<!-- /gas -->\n\nEnd.\n"
    assert filled(page, TABLE) == f"# Gas\n\n<!-- gas -->\n{render(TABLE)}<!-- /gas -->\n\nEnd.\n"
    with pytest.raises(ValueError, match="once each"):
        filled("# Gas\n", TABLE)
