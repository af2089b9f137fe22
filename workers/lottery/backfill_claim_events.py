"""The job backfill-claim-events: every claim and every refund on the chain becomes a row, once."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.lottery.claims.index import backfill_claim_events
    from services.lottery.context import lottery_of

    document = backfill_claim_events(lottery_of(run)).document()
    return Done(document, counts={name: value for name, value in document.items() if value is not None})


def _plan(run: "RunContext") -> Done:
    from services.lottery.claims.index import plan_claim_events
    from services.lottery.context import lottery_of

    return Done(plan_claim_events(lottery_of(run)))


JOB: Final = Job(
    name="backfill-claim-events",
    area="claim-recovery",
    schedule="*/5 * * * *",
    does="Turn claims and refunds into rows, each once, and compare them with the contracts' own sums, our payouts and "
    "our tickets. Safe to repeat.",
    work=_work,
    plan=_plan,
)
