"""Rulesets from files: one whose numbers are not the contracts' is refused without a chain, and the field is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import EXIT_USAGE, UsageError
from core.lottery.ruleset import RULESET_1, ruleset_document, ruleset_hash
from io_layer.lottery.contracts.constants import built_constants
from services.lottery.rulesets import load_rulesets, ruleset_to_schedule

Change = Callable[[dict[str, Any]], object]
OTHERS: dict[str, tuple[Change, str]] = {
    "fee": (lambda rules: rules.update(fee_bps=2500), "fee_bps is 2500, the contracts have 2750"),
    "price": (
        lambda rules: rules["prices"].__setitem__(4, "20000000"),
        "prices is 250000, 500000, 1000000, 5000000",
    ),
    "tiers": (lambda rules: rules["tiers"][0].update(share_bps=3900), "tiers is 3900 bps for 4 matches"),
    "delay": (lambda rules: rules["drand"].update(delay_s=900), "drand.delay_s is 900, the contracts have 3600"),
    "affiliates": (lambda rules: rules.update(affiliate_max_bps=1500), "affiliate_max_bps is 1500, the contracts have"),
    "jackpot": (lambda rules: rules.update(jackpot_payout_bps=10_000), "jackpot_payout_bps is 10000, the contracts ha"),
    "tickets": (lambda rules: rules.update(max_paid_tips=100), "max_paid_tips is 100, the contracts have 144"),
}


def written(folder: Path, change: Change = lambda _: None) -> Path:
    """A file with ruleset 1, changed."""
    document = ruleset_document(replace(RULESET_1, version=2))
    change(document)
    path = folder / "ruleset.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("name", OTHERS)
def test_a_ruleset_that_the_contracts_refuse_is_not_loaded_and_its_field_named(tmp_path: Path, name: str) -> None:
    change, said = OTHERS[name]
    path = written(tmp_path, change)
    with pytest.raises(UsageError) as refusal:
        load_rulesets((path,))
    assert (refusal.value.code, refusal.value.exit_code) == ("ruleset_differs", EXIT_USAGE)
    assert refusal.value.message.startswith(f"RULESET_FILES: {path}: {said}")
    with pytest.raises(UsageError) as refusal:
        ruleset_to_schedule(path, built_constants(38))
    assert refusal.value.message.startswith(f"--schedule-ruleset: {path}: {said}")


def test_a_ruleset_for_another_range_loads_but_is_scheduled_only_where_it_fits(tmp_path: Path) -> None:
    path = written(tmp_path, lambda rules: rules.update(number_max=40, charity_bps=900))
    (hash_,) = set(load_rulesets((path,))) - {ruleset_hash(RULESET_1)}
    assert ruleset_to_schedule(path, built_constants(40)) == hash_
    with pytest.raises(UsageError) as refusal:
        ruleset_to_schedule(path, built_constants(38))
    assert refusal.value.code == "ruleset_differs"
    assert "number_max is 40, the contracts have 38" in refusal.value.message


def test_a_file_that_is_no_ruleset_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(UsageError, match="bad_ruleset_file"):
        ruleset_to_schedule(path, built_constants(38))
    path.write_text("{}")
    with pytest.raises(UsageError, match="bad_ruleset_file"):
        load_rulesets((path,))
