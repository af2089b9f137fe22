"""Voided days (rule 2.12): the state that they leave, and from when the contract lets a day be voided (rule 7.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import require_input
from bo_engine.units import MAX_UINT256, Atoms, DayId, day_end
from core.lottery.model import PoolState

# The contract's own limits (SettlementV4), in seconds after the day's close.
EMPTY_DAY_S: Final = 86_400
OWNER_S: Final = 3 * 86_400
ANYONE_S: Final = 7 * 86_400
LATEST_S: Final = 30 * 86_400
#: Chainlink answers a request within a day or never.
REQUEST_S: Final = 86_400


def closing_of_void(opening: Sequence[PoolState]) -> tuple[PoolState, ...]:
    """The five pools after a voided day: yesterday's rollover joins the carry, reserve and streak stay.

    The day itself leaves nothing in a pool: its whole stake is owed to the buyers and the promotions account.
    Raises: InvalidInput ``amount_overflow`` for a carry that would exceed uint256.
    """
    carried = [state.carry_atoms + state.last_rollover_atoms for state in opening]
    require_input(max(carried) <= MAX_UINT256, "amount_overflow", "the carry of a voided day exceeds 2^256-1")
    return tuple(
        PoolState(Atoms(carry), state.reserve_atoms, Atoms(0), state.streak)
        for carry, state in zip(carried, opening, strict=True)
    )


@dataclass(frozen=True, slots=True)
class VoidTimes:
    """From when a day may be voided, in unix seconds of the chain, apart from its order and a pending commit."""

    owner_s: int
    anyone_s: int

    def allowed_to(self, at_s: int) -> str | None:
        """Who may void the day at a moment: ``anyone``, ``OWNER``, or None."""
        if at_s >= self.anyone_s:
            return "anyone"
        return "OWNER" if at_s >= self.owner_s else None


def void_times(*, day_id: DayId, has_tips: bool, has_word: bool, requested_at_s: int) -> VoidTimes:
    """Rule 7.4. ``requested_at_s``: block time of the day's VRF request, 0 without one."""
    close_s = day_end(day_id)
    if not has_tips:
        return VoidTimes(close_s + EMPTY_DAY_S, close_s + EMPTY_DAY_S)
    latest_s = close_s + LATEST_S
    if has_word:
        return VoidTimes(latest_s, latest_s)
    answered_s = requested_at_s + REQUEST_S if requested_at_s else 0
    return VoidTimes(
        owner_s=min(max(close_s + OWNER_S, answered_s), latest_s),
        anyone_s=min(max(close_s + ANYONE_S, answered_s), latest_s),
    )


def why_not_voidable(
    times: VoidTimes, *, day_id: DayId, next_day: DayId, at_s: int, is_committed: bool, is_finished: bool
) -> str | None:
    """What keeps everyone from voiding a closed, unreleased day at a moment; None if nothing does."""
    if is_finished:
        return "the game has ended: no day is settled or voided any more"
    if day_id != next_day:
        return f"days go in order: the contract voids day {next_day} and no other"
    if is_committed:
        return "its commit is pending: it is released, or OWNER or GUARDIAN vetoes it first"
    if times.allowed_to(at_s) is None:
        return f"too early: OWNER may from {times.owner_s} on, anyone from {times.anyone_s} on"
    return None
