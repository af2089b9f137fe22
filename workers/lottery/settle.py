"""The job settle: every closed, unsettled day, oldest first."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bo_engine.errors import EXIT_DONE
from bo_engine.units import DayId
from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from bo_engine.errors import InvariantBroken
    from io_layer.postgres.connection import Conn
    from services.running.context import RunContext

NAME: Final = "settle"


def settle_one(day: DayId) -> Job:
    """The job for one day that a person names: it is looked at even when nothing is due."""
    return replace(JOB, work=lambda run: _work(run, day), is_idle=None)


def _work(run: "RunContext", day: DayId | None = None) -> Done:
    from io_layer.lottery.stores.pipeline import DayStatus
    from services.lottery.context import lottery_of
    from services.lottery.settlement.settle_days import settle_due

    context = lottery_of(run)
    outcomes = settle_due(context, day=day)
    calls = context.chain.count_calls()
    code = max((outcome.exit_code for outcome in outcomes), default=EXIT_DONE)
    document = {"days": [outcome.document() for outcome in outcomes], "rpc_calls": calls, "exit_code": code}
    statuses = [outcome.status for outcome in outcomes]
    told = (DayStatus.DONE, DayStatus.VOIDED, DayStatus.WAITING, DayStatus.HALTED)
    counts = {status.lower(): statuses.count(status) for status in told}
    counts = {"days": len(outcomes), **counts}
    for one in outcomes:
        if one.status == DayStatus.HALTED:
            message = (
                f"day {one.day_id} is HALTED: {one.reason}; look, then `bo-engine resume --day {one.day_id} --by NAME`"
            )
            return Done(document, code, counts, "day_halted", message)
    return Done(document, code, counts)


def _look_first(run: "RunContext") -> "Callable[[], InvariantBroken | None]":
    from services.lottery.days.foreign_commit import look_for_foreign_commit

    return look_for_foreign_commit(run)


def _is_idle(conn: "Conn") -> bool:
    from services.lottery.days.idle import all_days_ended

    return all_days_ended(conn)


JOB: Final = Job(
    name=NAME,
    area="settlement",
    schedule="*/10 * * * *",
    does="Settle every closed, unsettled day, oldest first.",
    work=_work,
    look_first=_look_first,
    is_idle=_is_idle,
)
