"""The closing account of the demo adds up, and notices when it does not."""

from dataclasses import replace

import pytest

from bo_engine.units import Atoms, DayId
from local_world.lottery.demo.summary import amount, cents, date_of
from local_world.lottery.money import MoneyFlow, Place, share_percent

GOOD = MoneyFlow(
    player_stake_atoms=Atoms(90),
    voucher_stake_atoms=Atoms(10),
    places=(
        Place("prizes", "wallets", Atoms(60), Atoms(60)),
        Place("kept", "vault", Atoms(40), Atoms(40)),
    ),
    gas=Place("gas", "safe", Atoms(5), Atoms(5)),
)


def test_all_that_came_in_is_found() -> None:
    assert (GOOD.stake_atoms, GOOD.placed_atoms, GOOD.missing_atoms) == (100, 100, 0)
    assert GOOD.adds_up


def test_a_single_missing_atom_is_noticed() -> None:
    kept = Place("kept", "vault", Atoms(40), Atoms(39))
    flow = replace(GOOD, places=(GOOD.places[0], kept))
    assert flow.missing_atoms == 1
    assert not flow.adds_up


def test_two_places_that_differ_by_the_same_atom_do_not_add_up() -> None:
    swapped = (Place("prizes", "wallets", Atoms(60), Atoms(61)), Place("kept", "vault", Atoms(40), Atoms(39)))
    flow = replace(GOOD, places=swapped)
    assert flow.missing_atoms == 0
    assert not flow.adds_up


def test_gas_that_is_not_where_it_belongs_is_noticed() -> None:
    assert not replace(GOOD, gas=Place("gas", "safe", Atoms(5), Atoms(4))).adds_up


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(1, 3, "33.3 %"), (3, 3, "100.0 %"), (0, 3, "0.0 %"), (0, 0, "0.0 %"), (1, 1001, "0.0 %")],
)
def test_a_share_is_rounded_down(part: int, whole: int, shown: str) -> None:
    assert share_percent(part, whole) == shown


def test_amounts_stand_under_each_other_to_the_atom() -> None:
    assert amount(1_234_567_000_001) == "1,234,567.000001"
    assert amount(0) == "0.000000"
    assert cents(250_000) == "0.25"


def test_a_day_is_shown_by_its_date() -> None:
    assert date_of(DayId(20_000)) == "2024-10-04"
