"""The job backfill-claim-events: every claim on the chain becomes a row, once."""

from typing import TYPE_CHECKING, Final

from services.job import Done, Job, Look, Run

if TYPE_CHECKING:
    from services.backfill_claim_events import Backfilled
    from services.engine import Engine

NAME: Final = "backfill-claim-events"


def run(engine: "Engine") -> "Backfilled":
    """Run once, under the job's lease, without a record."""
    from services.backfill_claim_events import backfill_claim_events
    from services.lease import held_lease

    with held_lease(engine.conn, NAME, engine.stop) as lease:
        return backfill_claim_events(engine, lease)


def _work(run: Run) -> Done:
    from services.backfill_claim_events import backfill_claim_events

    with run.engine() as engine:
        document = backfill_claim_events(engine, run.lease).document()
    return Done(document, counts={name: value for name, value in document.items() if value is not None})


def _plan(look: Look) -> Done:
    from services.backfill_claim_events import plan_claim_events

    with look.engine() as engine:
        return Done(plan_claim_events(engine))


JOB: Final = Job(
    name=NAME,
    area="claim-recovery",
    schedule="*/5 * * * *",
    does="Turn the claims of both vaults into rows, each once, and compare them with the vaults' counters and with our "
    "payouts. Safe to repeat.",
    work=_work,
    plan=_plan,
)
