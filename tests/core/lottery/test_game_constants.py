"""Game constants: a ruleset that says another number than the contracts is refused, and the field is named."""

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import MAX_UINT256, Atoms, Bps
from core.lottery.game_constants import GameConstants, constants_hash, differences, require_same
from core.lottery.ruleset import QUICKNET, RULESET_1
from io_layer.lottery.contracts.constants import built_constants
from tests.support.days import quick

BUILT = built_constants(38)
# By the name of the field in the ruleset's document: the changed ruleset's field, and what the message says of it.
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "prices": (
        {"prices_atoms": (Atoms(250_001), *RULESET_1.prices_atoms[1:])},
        "prices is 250001, 500000, 1000000, 5000000, 10000000, the contracts have 250000, 500000, 1000000, 5000000, "
        "10000000",
    ),
    "number_max": ({"number_max": 39}, "number_max is 39, the contracts have 38"),
    "max_paid_tips": ({"max_paid_tips": 143}, "max_paid_tips is 143, the contracts have 144"),
    "max_tips": ({"max_tips": 254}, "max_tips is 254, the contracts have 255"),
    "fee_bps": ({"fee_bps": Bps(2500)}, "fee_bps is 2500, the contracts have 2750"),
    "rollover_bps": ({"rollover_bps": Bps(501)}, "rollover_bps is 501, the contracts have 500"),
    "jackpot_bps": ({"jackpot_bps": Bps(3999)}, "jackpot_bps is 3999, the contracts have 4000"),
    "tiers": (
        {"tier_bps": ((4, Bps(4000)), (5, Bps(2400)), (6, Bps(3600)))},
        "tiers is 4000 bps for 4 matches, 2400 bps for 5 matches, 3600 bps for 6 matches, the contracts have 4000 bps "
        "for 4 matches, 2500 bps for 5 matches, 3500 bps for 6 matches",
    ),
    "a tier less": (
        {"tier_bps": ((5, Bps(2500)), (6, Bps(3500)))},
        "tiers is 2500 bps for 5 matches, 3500 bps for 6 matches, the contracts have 4000 bps for 4 matches, 2500 bps "
        "for 5 matches, 3500 bps for 6 matches",
    ),
    "jackpot_payout_bps": ({"jackpot_payout_bps": Bps(8000)}, "jackpot_payout_bps is 8000, the contracts have 9000"),
    "affiliate_default_bps": (
        {"affiliate_default_bps": Bps(400)},
        "affiliate_default_bps is 400, the contracts have 500",
    ),
    "affiliate_max_bps": ({"affiliate_max_bps": Bps(1001)}, "affiliate_max_bps is 1001, the contracts have 1000"),
    "drand.delay_s": ({"drand": replace(QUICKNET, delay_s=900)}, "drand.delay_s is 900, the contracts have 3600"),
}


def test_ruleset_1_has_the_contracts_numbers() -> None:
    assert differences(RULESET_1, BUILT) == []
    require_same(RULESET_1, BUILT)


@pytest.mark.parametrize("name", OTHERS)
def test_a_ruleset_with_another_number_is_refused_and_its_field_named(name: str) -> None:
    change, said = OTHERS[name]
    ruleset = replace(RULESET_1, **change)
    assert differences(ruleset, BUILT) == [said]
    with pytest.raises(InvalidInput, match="ruleset_differs") as refusal:
        require_same(ruleset, BUILT)
    assert refusal.value.message == said


def test_all_fields_that_differ_are_named_at_once() -> None:
    ruleset = replace(RULESET_1, fee_bps=Bps(2500), max_tips=200, drand=replace(QUICKNET, delay_s=900))
    with pytest.raises(InvalidInput) as refusal:
        require_same(ruleset, BUILT)
    assert refusal.value.message == "; ".join(
        (
            "max_tips is 200, the contracts have 255",
            "fee_bps is 2500, the contracts have 2750",
            "drand.delay_s is 900, the contracts have 3600",
        )
    )


def test_what_the_contracts_do_not_know_is_free() -> None:
    ruleset = replace(RULESET_1, version=7, charity_bps=Bps(900), jackpot_streak_days=30)
    assert differences(ruleset, BUILT) == []
    assert differences(replace(ruleset, drand=replace(QUICKNET, period_s=30, genesis_s=1)), BUILT) == []


@pytest.mark.parametrize("field", [field.name for field in fields(GameConstants)])
def test_a_contract_with_another_number_is_noticed_in_every_field(field: str) -> None:
    value = getattr(BUILT, field)
    changed = (*value[:-1], value[-1] + 1) if isinstance(value, tuple) else value + 1
    other = replace(BUILT, **{field: changed})
    assert len(differences(RULESET_1, other)) == 1
    assert constants_hash(other) != constants_hash(BUILT)


STRUCT = (
    "(uint256[5],uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[3],uint256[3],uint256,uint256,uint256,"
    "uint256)"
)
words = st.integers(0, MAX_UINT256)


@quick
@given(
    st.lists(words, min_size=5, max_size=5),
    st.lists(words, min_size=7, max_size=7),
    st.lists(words, min_size=10, max_size=10),
)
def test_the_hash_is_that_of_the_abi_encoding(prices: list[int], sizes: list[int], rest: list[int]) -> None:
    values = [tuple(prices), *sizes, tuple(rest[:3]), tuple(rest[3:6]), *rest[6:]]
    constants = GameConstants(*values)  # type: ignore[arg-type]  # any numbers do
    assert constants_hash(constants) == keccak256(encode([STRUCT], [tuple(values)]))
