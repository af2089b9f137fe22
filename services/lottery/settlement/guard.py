"""Turns what went wrong with a day into the day's state: HALTED, FAILED, WAITING, or as it was.

Whatever happens while an error is written down, the error itself is what the operator is told (fault P08).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from traceback import clear_frames
from typing import Final, TypeVar

from bo_engine.errors import (
    INTERRUPTED,
    OUT_OF_MEMORY,
    EngineError,
    InvariantBroken,
    Stopped,
    Unavailable,
)
from bo_engine.log import get_logger
from bo_engine.units import DayId
from io_layer.lottery.contracts.game import SUSPENDED
from io_layer.lottery.stores.pipeline import (
    STEPS,
    DayStatus,
    PipelineDay,
    fail_day,
    halt_day,
    insert_day,
    select_day,
    wait_day,
)
from services.lottery.context import LotteryContext

POISON_AFTER: Final = 3  # equal failures of a day in a row
T = TypeVar("T")
_LOG = get_logger("settle")


def guarded(context: LotteryContext, day_id: DayId, work: Callable[[], T]) -> T:
    """Do the work of a day; an error becomes the day's state and goes on its way."""
    try:
        return work()
    except (Exception, KeyboardInterrupt) as error:
        _let_go(error)
        _write_down(context, day_id, error)
        raise


def _let_go(error: BaseException) -> None:
    """Empty the frames in which the work was broken off: they hold its data, which may be what fills the memory, and
    its half-read cursors, whose transaction would swallow what is written down now."""
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            # An error may stand in its own chain.
            seen.add(id(one))
            clear_frames(one.__traceback__)
            left += [one.__cause__, one.__context__]


def _write_down(context: LotteryContext, day_id: DayId, error: BaseException) -> None:
    """What is refused before a step has begun leaves the day as it was; only an alarm, what a day under way waits for,
    and what no run could expect are written down."""
    if isinstance(error, InvariantBroken):
        with _told_anyway(context):
            insert_day(context.conn, day_id)
            halt_day(context.conn, day_id, error.code, _told(error))
        return
    if isinstance(error, EngineError) and error.code in ("lease_lost", "database_unreachable"):
        return
    row = _row_if_readable(context, day_id)
    if row is None:
        return
    # A suspended key says nothing of the day: its row waits, and it must not become poison.
    if isinstance(error, Unavailable) or (isinstance(error, EngineError) and error.code == SUSPENDED):
        with _told_anyway(context):
            wait_day(context.conn, day_id, error.message, error_code=error.code)
    elif isinstance(error, Stopped | KeyboardInterrupt):
        ended = error if isinstance(error, Stopped) else INTERRUPTED
        if row.status == DayStatus.RUNNING:
            with _told_anyway(context):
                wait_day(context.conn, day_id, ended.message, error_code=ended.code)
    elif isinstance(error, EngineError):
        # A day that has FAILED and is refused for the same reason has failed again, though no step began.
        if row.status == DayStatus.RUNNING or (row.status == DayStatus.FAILED and row.error_code == error.code):
            _fail(context, row, error.code, error.message)
    elif isinstance(error, MemoryError):
        _fail(context, row, OUT_OF_MEMORY.code, OUT_OF_MEMORY.message)
    else:
        _fail(context, row, "unexpected_error", f"{type(error).__name__}, a bug of the engine")


def _fail(context: LotteryContext, row: PipelineDay, code: str, message: str) -> None:
    """Mark the day FAILED; a step that fails in the same way again and again stops its day (fault P09)."""
    step = row.next_step() or STEPS[-1]
    with _told_anyway(context):
        times = fail_day(context.conn, row.day_id, step, code, message)
        if len(times) >= POISON_AFTER:
            shown = ", ".join(f"{one.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for one in times)
            reason = (
                f"poison: {step} failed {len(times)} times in a row with {code} ({shown} UTC), the last time: "
                f"{message}; it is not tried again before somebody has removed the cause and called `bo-engine resume "
                f"--day {row.day_id} --by NAME`"
            )
            halt_day(context.conn, row.day_id, "poison", reason)
            _LOG.error("day_halted", extra={"day_id": row.day_id, "code": "poison", "reason": reason})


def _row_if_readable(context: LotteryContext, day_id: DayId) -> PipelineDay | None:
    try:
        return select_day(context.conn, day_id)
    except Exception:
        return None  # the error that is being handled is the one to tell


@contextmanager
def _told_anyway(context: LotteryContext) -> Iterator[None]:
    """A transaction that writes an error down, also in a run that is to end. If it fails too, whatever the reason, the
    first error is still the one that is told."""
    try:
        with context.cancel.finishing(), context.transaction():
            yield
    except EngineError as error:
        _LOG.error("state_not_written", extra={"code": error.code, "reason": error.message})
    except Exception as error:
        _LOG.error("state_not_written", extra={"code": "unexpected_error", "reason": type(error).__name__})


def _told(error: InvariantBroken) -> str:
    return "; ".join((error.message, *error.findings))
