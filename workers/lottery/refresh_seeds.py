"""The job refresh-seeds: both seeds of every closed day with tips."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job, Look, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from bo_engine.errors import InvariantBroken
    from io_layer.postgres.connection import Conn


def _work(run: Run) -> Done:
    from services.lottery.seeds.refresh_seeds import refresh_seeds

    with run.engine() as engine:
        done = refresh_seeds(engine, run.lease)
    document = done.document()
    counts = {name: len(days) for name, days in document.items() if isinstance(days, list)}
    if done.waiting:
        message = "; ".join(f"day {one['day_id']}: {one['reason']}" for one in done.waiting)
        return Done(document, done.exit_code, counts, "seeds_missing", message)
    return Done(document, done.exit_code, counts)


def _plan(look: Look) -> Done:
    from services.lottery.seeds.refresh_seeds import plan_seeds

    with look.engine() as engine:
        return Done(plan_seeds(engine))


def _look_first(look: Look) -> "Callable[[], InvariantBroken | None]":
    from services.lottery.days.foreign_commit import look_for_foreign_commit

    return look_for_foreign_commit(look)


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
