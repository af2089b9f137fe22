"""A voided day: what it leaves in the pools, who may void it from when, and its one file (rules 2.12 and 7.4)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given

from bo_engine.errors import InvalidInput
from bo_engine.units import MAX_UINT256, Atoms, DayId, Hash32
from core.lottery.documents.voided import render_voided
from core.lottery.model import PoolState, VoidedDay
from core.lottery.void import VoidTimes, closing_of_void, void_times, why_not_voidable
from tests.support.days import DAY, DEPLOYMENT, Day, days, quick

CLOSE = (DAY + 1) * 86_400
HOUR, A_DAY = 3_600, 86_400
VOIDED = VoidedDay(
    day_id=DAY,
    stake_atoms=Atoms(8_500_000),
    closing=tuple(PoolState(Atoms(79), Atoms(80), Atoms(0), streak) for streak in range(5)),
    block_number=1_234,
    block_hash=Hash32(b"\xab" * 32),
    block_time_s=CLOSE + 7 * A_DAY,
    tx_hash=b"\xcd" * 32,  # type: ignore[arg-type]
)


def test_a_voided_day_keeps_reserve_and_streak_and_moves_the_rollover_to_the_carry() -> None:
    state = PoolState(Atoms(70), Atoms(80), Atoms(9), 12)
    assert closing_of_void((state,) * 5) == (PoolState(Atoms(79), Atoms(80), Atoms(0), 12),) * 5


@quick
@given(days())
def test_a_void_creates_and_loses_no_atom_and_a_second_one_changes_nothing(day: Day) -> None:
    def kept(states: tuple[PoolState, ...]) -> list[int]:
        return [state.carry_atoms + state.reserve_atoms + state.last_rollover_atoms for state in states]

    after = closing_of_void(day.opening)
    assert kept(after) == kept(day.opening)
    assert closing_of_void(after) == after


def test_a_carry_beyond_uint256_is_refused() -> None:
    most = PoolState(Atoms(MAX_UINT256 - 1), Atoms(0), Atoms(1), 0)
    assert closing_of_void((most,) * 5)[0].carry_atoms == MAX_UINT256
    full = PoolState(Atoms(MAX_UINT256), Atoms(0), Atoms(1), 0)
    with pytest.raises(InvalidInput, match="amount_overflow"):
        closing_of_void((full,) * 5)


@pytest.mark.parametrize(
    ("facts", "owner", "anyone"),
    [
        ({"has_tips": False}, A_DAY, A_DAY),
        ({"has_tips": False, "has_word": True}, A_DAY, A_DAY),
        ({}, 3 * A_DAY, 7 * A_DAY),
        ({"has_word": True, "requested_at_s": CLOSE}, 30 * A_DAY, 30 * A_DAY),
        # A request is given a day to be answered, but never more than the thirtieth.
        ({"requested_at_s": CLOSE + HOUR}, 3 * A_DAY, 7 * A_DAY),
        ({"requested_at_s": CLOSE + 5 * A_DAY}, 6 * A_DAY, 7 * A_DAY),
        ({"requested_at_s": CLOSE + 10 * A_DAY}, 11 * A_DAY, 11 * A_DAY),
        ({"requested_at_s": CLOSE + 30 * A_DAY - 1}, 30 * A_DAY, 30 * A_DAY),
    ],
)
def test_who_may_void_a_day_and_from_when(facts: Mapping[str, Any], owner: int, anyone: int) -> None:
    times = void_times(day_id=DAY, **{"has_tips": True, "has_word": False, "requested_at_s": 0, **facts})
    assert (times.owner_s - CLOSE, times.anyone_s - CLOSE) == (owner, anyone)


def test_the_owner_is_allowed_first_and_then_everyone_to_the_second() -> None:
    times = VoidTimes(owner_s=100, anyone_s=200)
    assert [times.allowed_to(at_s) for at_s in (99, 100, 199, 200)] == [None, "OWNER", "OWNER", "anyone"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"at_s": 99}, "too early: OWNER may from 100 on, anyone from 200 on"),
        ({"is_committed": True}, "its commit is pending"),
        ({"next_day": DayId(DAY - 1)}, f"the contract voids day {DAY - 1} and no other"),
        ({"is_finished": True, "is_committed": True}, "the game has ended"),
    ],
)
def test_what_keeps_a_day_from_being_voided_is_said(changes: Mapping[str, Any], why: str | None) -> None:
    asked = {"day_id": DAY, "next_day": DAY, "at_s": 100, "is_committed": False, "is_finished": False, **changes}
    found = why_not_voidable(VoidTimes(owner_s=100, anyone_s=200), **asked)
    assert found is None if why is None else why in (found or "")


def rendered(voided: VoidedDay) -> bytes:
    """voided.json."""
    return b"".join(render_voided(voided, chain_id=DEPLOYMENT.chain_id, settlement=DEPLOYMENT.settlement))


def test_voided_json_is_canonical_and_tells_the_fact_and_its_anchor() -> None:
    data = rendered(VOIDED)
    document = json.loads(data)
    assert data == rfc8785.dumps(document)
    assert document == {
        "schema": "bo-engine/voided/1",
        "day_id": DAY,
        "chain_id": DEPLOYMENT.chain_id,
        "settlement": DEPLOYMENT.settlement,
        "stake": "8500000",
        "closing_state": [
            {"carry": "79", "reserve": "80", "last_rollover": "0", "streak": streak} for streak in range(5)
        ],
        "block": {"number": 1_234, "hash": "0x" + "ab" * 32, "time_s": CLOSE + 7 * A_DAY},
        "tx_hash": "0x" + "cd" * 32,
    }


def test_another_fact_gives_other_bytes() -> None:
    others = {
        "stake_atoms": Atoms(1),
        "closing": VOIDED.closing[::-1],
        "block_number": 1,
        "block_hash": bytes(32),
        "block_time_s": 1,
        "tx_hash": bytes(32),
    }
    assert len({rendered(VOIDED), *(rendered(replace(VOIDED, **{name: value})) for name, value in others.items())}) == 7
