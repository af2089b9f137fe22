"""The job refresh-seeds: both seeds of every closed day with tips."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from bo_engine.errors import InvariantBroken
    from io_layer.postgres.connection import Conn
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.seeds.refresh_seeds import refresh_seeds

    done = refresh_seeds(lottery_of(run))
    document = done.document()
    counts = {name: len(days) for name, days in document.items() if isinstance(days, list)}
    if done.waiting:
        message = "; ".join(f"day {one['day_id']}: {one['reason']}" for one in done.waiting)
        return Done(document, done.exit_code, counts, "seeds_missing", message)
    return Done(document, done.exit_code, counts)


def _plan(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.seeds.refresh_seeds import plan_seeds

    return Done(plan_seeds(lottery_of(run)))


def _look_first(run: "RunContext") -> "Callable[[], InvariantBroken | None]":
    from services.lottery.days.foreign_commit import look_for_foreign_commit

    return look_for_foreign_commit(run)


def _is_idle(conn: "Conn") -> bool:
    from services.lottery.days.idle import all_seeds_known

    return all_seeds_known(conn)


JOB: Final = Job(
    name="refresh-seeds",
    area="seeds",
    schedule="* * * * *",
    does="Request and collect VRF words, fetch and verify drand beacons of closed days. Safe to repeat.",
    work=_work,
    look_first=_look_first,
    is_idle=_is_idle,
    plan=_plan,
)
