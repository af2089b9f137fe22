"""The job backfill-claim-events: every claim and every refund on the chain becomes a row, once."""

from typing import Final

from services.jobs.job import Done, Job, Look, Run


def _work(run: Run) -> Done:
    from services.lottery.claims.index import backfill_claim_events

    with run.engine() as engine:
        document = backfill_claim_events(engine, run.lease).document()
    return Done(document, counts={name: value for name, value in document.items() if value is not None})


def _plan(look: Look) -> Done:
    from services.lottery.claims.index import plan_claim_events

    with look.engine() as engine:
        return Done(plan_claim_events(engine))


JOB: Final = Job(
    name="backfill-claim-events",
    area="claim-recovery",
    schedule="*/5 * * * *",
    does="Turn claims and refunds into rows, each once, and compare them with the contracts' own sums, our payouts and "
    "our tickets. Safe to repeat.",
    work=_work,
    plan=_plan,
)
