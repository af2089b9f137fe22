"""The job recover-intents: every purchase on the chain becomes a ticket, every intent finds its end."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.purchases.recover import recover_intents

    counts = recover_intents(lottery_of(run)).document()
    return Done(counts, counts=counts)


def _plan(run: "RunContext") -> Done:
    from services.lottery.context import lottery_of
    from services.lottery.purchases.recover import plan_recovery

    return Done(plan_recovery(lottery_of(run)))


JOB: Final = Job(
    name="recover-intents",
    area="recovery",
    schedule="*/2 * * * *",
    does="Turn final purchases into tickets, tie them to their intents, close dead intents. Safe to repeat.",
    work=_work,
    plan=_plan,
)
