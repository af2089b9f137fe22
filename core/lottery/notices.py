"""What OWNER names or announces in public, and from when to when it can come into force (rules 7.1 and 7.3)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from bo_engine.errors import UsageError
from bo_engine.units import Wallet
from core.deployment.terms import MAX_LAG_DAYS

#: The five offices, in the order of the contracts' enum Office.
OFFICES: Final = ("owner", "guardian", "relayer", "settler", "promotions")
#: Those that OWNER may leave empty and GUARDIAN may suspend, at once.
KEY_OFFICES: Final = ("relayer", "settler")

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


class WindowState(StrEnum):
    """Whether something can come into force: not yet, now, or never again."""

    WAITS = "waits"
    DUE = "due"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Window:
    """When something can come into force: both ends in unix seconds, inclusive."""

    not_before_s: int
    not_after_s: int

    def state_at(self, now_s: int) -> WindowState:
        """Whether it can come into force now."""
        if now_s < self.not_before_s:
            return WindowState.WAITS
        return WindowState.DUE if now_s <= self.not_after_s else WindowState.EXPIRED

    def in_words(self, now_s: int) -> str:
        """The window with its countdown, for people: times in UTC, durations rounded down to minutes."""
        state = self.state_at(now_s)
        if state == WindowState.WAITS:
            begins = f"from {utc(self.not_before_s)}, in {duration(self.not_before_s - now_s)}"
            return f"{begins}, to {utc(self.not_after_s)}"
        if state == WindowState.DUE:
            return f"now, for {duration(self.not_after_s - now_s)}, to {utc(self.not_after_s)}"
        return f"never: expired at {utc(self.not_after_s)}"


@dataclass(frozen=True, slots=True)
class Naming:
    """A named successor, who takes office by a call of its own."""

    account: Wallet
    window: Window


@dataclass(frozen=True, slots=True)
class Office:
    """One office of Roles. ``holder``: also while suspended; zero while the office is empty."""

    name: str
    holder: Wallet
    is_suspended: bool
    naming: Naming | None


def office_number(name: str) -> int:
    """The office's place in the contracts' enum. Raises: UsageError ``bad_role``."""
    if name not in OFFICES:
        raise UsageError("bad_role", f"an office is one of {', '.join(OFFICES)}")
    return OFFICES.index(name)


def utc(timestamp_s: int) -> str:
    """A time of the chain as people read it: ``2026-12-02 22:19 UTC``."""
    return f"{datetime.fromtimestamp(timestamp_s, UTC):%Y-%m-%d %H:%M} UTC"


def duration(seconds: int) -> str:
    """A duration in its two largest units: ``13 d 4 h``, ``47 h 59 min``, ``12 min``."""
    if seconds >= 2 * _DAY_S:
        return f"{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"
    if seconds >= _HOUR_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // 60} min"
    return f"{seconds // 60} min"


class SalesState(StrEnum):
    """Whether tickets are sold, or why not."""

    OPEN = "open"
    NOT_BEGUN = "not begun"
    PAUSED = "paused"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Sales:
    """Whether tickets are sold on a day (rule 7.2). ``oldest_open``: the first day that is neither settled nor voided;
    ``stops``: the last day on which tickets are sold while it stays open."""

    state: SalesState
    words: str
    oldest_open: int
    stops: int


def sales_on(today: int, *, first: int, oldest_open: int, last: int, is_paused: bool) -> Sales:
    """What GameManager allows on ``today``, from the days that it names; all are day ids."""
    stops = oldest_open + MAX_LAG_DAYS

    def said(state: SalesState, words: str) -> Sales:
        return Sales(state, words, oldest_open, stops)

    if is_paused:
        return said(SalesState.PAUSED, "paused by GUARDIAN")
    if today > last:
        return said(SalesState.ENDED, f"day {last} was the last")
    if today > stops:
        return said(SalesState.STOPPED, f"stopped: day {oldest_open} is not settled, today is {today}")
    if today < first:
        return said(SalesState.NOT_BEGUN, f"from day {first} on")
    return said(SalesState.OPEN, f"open, while day {oldest_open} is the oldest open one until day {stops}")
