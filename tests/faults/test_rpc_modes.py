"""The played day is settled while an endpoint fails in each way there is, on the first one, on the second, on both.

Each mode of local_world/faults/modes.py, one at a time: the result is that of the quiet run, or the jobs end with 75,
or the day is HALTED with its reason; never a wrong commit. When the fault has ended, the ticks settle the day. The jobs
begin from nothing (no ticket, no seed, no cursor), so that every call that a day needs meets the fault. FAULT_SEED
chooses another sample (faults R02, R07 to R12, R14 to R16, R21 and the modes of all other rows of RPC).
"""

import os
import random
from zlib import crc32

import pytest

from local_world.faults.chaos import chaos_rule
from local_world.faults.limits import DEFAULT_PERCENT
from local_world.faults.modes import MODES
from tests.support.fault_modes import (
    PLACES,
    Told,
    forget_the_chain,
    impatient,
    require_sane,
    rule_of,
    set_fault,
    settle_after,
    standing,
    tick,
)
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

SEED = os.environ.get("FAULT_SEED", "1")
NAMES = [each.name for each in MODES]
#: What changes nothing at all: the day is settled as if the endpoint were well, wherever it is.
HARMLESS = frozenset({"pass", "delay", "log_range_limit", "log_result_limit", "duplicate_logs", "replacement_rule"})
SAMPLE = random.Random(f"{SEED} modes").sample([(name, place) for name in NAMES for place in PLACES], 2)


@pytest.fixture(autouse=True)
def _from_nothing(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    forget_the_chain(played)


def settle_under(played: PlayedWorld, name: str, place: str) -> None:
    """The fault stands from the first call on, until the jobs have tried again and again."""
    set_fault(played, place, rule_of(name))
    told = Told()
    for _ in range(4 if name in HARMLESS else 2):
        told = tick(played)
        require_sane(played, told)
        played.chain.mine(3)
        if standing(played).not_before is not None:
            break  # committed: nothing but time is missing
    assert name not in HARMLESS or standing(played).not_before is not None, told.ends
    # What both say of our receipt in the same words, the journal keeps; the contract's state decides all the same.
    settle_after(played, journal_is_true=(name, place) != ("wrong_receipts", "both"))


def settle_with_a_spell_of(played: PlayedWorld, name: str, rng: random.Random) -> None:
    """The fault begins in the middle of a run and ends again in the middle of one."""
    rule = rule_of(name)
    every = rule.method == "*"
    spell = rule_of(name, from_call=rng.randint(1, 120 if every else 2), calls=rng.randint(1, 60 if every else 3))
    set_fault(played, rng.choice(PLACES), spell)
    for _ in range(2):
        require_sane(played, tick(played))
        played.chain.mine(3)
    settle_after(played, journal_is_true=name != "wrong_receipts")


@pytest.mark.parametrize(("name", "place"), SAMPLE)
def test_a_sample_of_modes_costs_time_and_no_truth(played: PlayedWorld, name: str, place: str) -> None:
    settle_under(played, name, place)


@pytest.mark.slow
def test_a_fault_that_begins_and_ends_within_a_run_costs_time_and_no_truth(played: PlayedWorld) -> None:
    rng = random.Random(f"{SEED} spell")
    settle_with_a_spell_of(played, rng.choice(NAMES), rng)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_day_in_a_world_with_chaos_is_settled_by_the_ticks_alone(played: PlayedWorld, seed: int) -> None:
    for name, proxy in (("primary", played.world.primary_proxy), ("fallback", played.world.proxy)):
        proxy.set_rules(chaos_rule(seed, DEFAULT_PERCENT, name))
    for _ in range(30):
        told = tick(played)
        require_sane(played, told)
        assert {exit_code for _, exit_code, _ in told.ends} <= {75}, told.ends
        found = standing(played)
        if found.status == "DONE":
            break
        if found.not_before is not None:
            played.pass_challenge()
        played.chain.mine(3)
    assert found.status == "DONE", told.ends
    settle_after(played)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_a_day_under_each_mode_is_the_quiet_one_or_waits_or_is_halted(
    played: PlayedWorld, name: str, place: str
) -> None:
    settle_under(played, name, place)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_mode_for_a_while_costs_time_and_no_truth(played: PlayedWorld, name: str) -> None:
    settle_with_a_spell_of(played, name, random.Random(crc32(f"{SEED} {name}".encode())))
