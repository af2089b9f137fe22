"""The job recover-intents: every purchase on the chain becomes a ticket, every intent finds its end."""

from typing import Final

from services.jobs.job import Done, Job, Look, Run


def _work(run: Run) -> Done:
    from services.lottery.purchases.recover import recover_intents

    with run.engine() as engine:
        counts = recover_intents(engine, run.lease).document()
    return Done(counts, counts=counts)


def _plan(look: Look) -> Done:
    from services.lottery.purchases.recover import plan_recovery

    with look.engine() as engine:
        return Done(plan_recovery(engine))


JOB: Final = Job(
    name="recover-intents",
    area="recovery",
    schedule="*/2 * * * *",
    does="Turn final purchases into tickets, tie them to their intents, close dead intents. Safe to repeat.",
    work=_work,
    plan=_plan,
)
