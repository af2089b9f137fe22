"""The job recover-intents: every purchase on the chain becomes a ticket, every intent finds its end."""

from typing import TYPE_CHECKING, Final

from services.job import Done, Job, Look, Run

if TYPE_CHECKING:
    from services.engine import Engine
    from services.recover_intents import Recovered

NAME: Final = "recover-intents"


def run(engine: "Engine") -> "Recovered":
    """Run once, under the job's lease, without a record."""
    from services.lease import held_lease
    from services.recover_intents import recover_intents

    with held_lease(engine.conn, NAME, engine.stop) as lease:
        return recover_intents(engine, lease)


def _work(run: Run) -> Done:
    from services.recover_intents import recover_intents

    with run.engine() as engine:
        counts = recover_intents(engine, run.lease).document()
    return Done(counts, counts=counts)


def _plan(look: Look) -> Done:
    from services.recover_intents import plan_recovery

    with look.engine() as engine:
        return Done(plan_recovery(engine))


JOB: Final = Job(
    name=NAME,
    area="recovery",
    schedule="*/2 * * * *",
    does="Turn final purchases into tickets, tie them to their intents, close dead intents. Safe to repeat.",
    work=_work,
    plan=_plan,
)
