"""The verdicts on slither's findings in docs/contracts.md, and that `make slither` would miss none (it runs apart)."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.slither_findings import PAGE, differences, findings_of, judged

SOURCES = Path(__file__).resolve().parents[2] / "contracts" / "src"

ROWS = "x\n## slither\n\n| finding | place | verdict |\n|---|---|---|\n| `{0}` | {1} | {2} |\n"


def element(name: str, *parents: tuple[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, parent in reversed(parents):
        found = {"parent": {"type": kind, "name": parent, "type_specific_fields": found}}
    return {"name": name, "type_specific_fields": found}


def report(*elements: dict[str, Any]) -> dict[str, Any]:
    detectors = [{"check": "timestamp", "elements": [one, element("elsewhere")]} for one in elements]
    return {"success": True, "error": None, "results": {"detectors": detectors}}


def test_a_finding_is_named_by_the_place_it_begins_at() -> None:
    function = element("release", ("contract", "SettlementV4"))
    variable = element("fee", ("function", "_check"), ("contract", "SettlementV4"))
    assert findings_of(report(function, variable, element("GameManager"), function)) == {
        ("timestamp", "SettlementV4.release"): 2,
        ("timestamp", "SettlementV4._check.fee"): 1,
        ("timestamp", "GameManager"): 1,
    }


def test_a_run_that_failed_is_no_run_without_findings() -> None:
    with pytest.raises(ValueError, match="no compiler"):
        findings_of({"success": False, "error": "no compiler", "results": {}})


def test_a_row_judges_several_places_and_needs_a_verdict() -> None:
    page = ROWS.format("timestamp", "`A.b`, `C.d` (2)", "Meant.")
    assert judged(page) == Counter({("timestamp", "A.b"): 1, ("timestamp", "C.d"): 2})
    with pytest.raises(ValueError, match="no verdict"):
        judged(ROWS.format("timestamp", "`A.b`", " "))


def test_what_is_not_judged_and_what_is_gone_are_told() -> None:
    found, known = {("a", "X.y"): 2, ("b", "X.y"): 1}, {("a", "X.y"): 1, ("c", "X.z"): 1, ("b", "X.y"): 1}
    assert differences(found, known) == [
        "a in X.y: 2 found, 1 judged in docs/contracts.md",
        "c in X.z: 1 judged in docs/contracts.md, 0 found",
    ]
    assert differences(found, found) == []


def test_every_judged_place_is_in_the_sources() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.sol"))
    places = judged(PAGE.read_text(encoding="utf-8"))
    assert places.total() > 50
    for _, place in places:
        assert all(re.search(rf"\b{name}\b", sources) for name in place.split(".")), place
