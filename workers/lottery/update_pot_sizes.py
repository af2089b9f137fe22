"""The job update-pot-sizes: what the next draw is worth, for people who look at it."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from io_layer.postgres.connection import Conn
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.display.update_pot_sizes import update_pot_sizes

    document = update_pot_sizes(lottery_of(run), dry_run=False)
    return Done(document, counts={"shown": document["shown"]})


def _plan(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.display.update_pot_sizes import update_pot_sizes

    return Done(update_pot_sizes(lottery_of(run), dry_run=True))


def _is_idle(conn: "Conn") -> bool:
    from services.lottery.days.idle import pots_are_shown

    return pots_are_shown(conn)


JOB: Final = Job(
    name="update-pot-sizes",
    area="stats",
    schedule="*/5 * * * *",
    does="Show what each pool could pay in the next draw (budget, reserve, streak), as the chain has it. For display. "
    "Safe to repeat.",
    work=_work,
    is_idle=_is_idle,
    plan=_plan,
)
