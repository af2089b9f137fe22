"""The job resolve-pending-claims: every claim that the App wrote down finds its end."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from io_layer.postgres.connection import Conn
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.lottery.claims.resolve import resolve_pending_claims
    from services.lottery.context import lottery_of

    counts = resolve_pending_claims(lottery_of(run))
    return Done(counts, counts=counts)


def _plan(run: "RunContext") -> Done:
    from services.lottery.claims.resolve import plan_pending_claims
    from services.lottery.context import lottery_of

    return Done(plan_pending_claims(lottery_of(run)))


def _is_idle(conn: "Conn") -> bool:
    from io_layer.lottery.stores.payments.claims import has_pending

    return not has_pending(conn)


JOB: Final = Job(
    name="resolve-pending-claims",
    area="claim-recovery",
    schedule="*/2 * * * *",
    does="Set the App's pending claims to PAID or RELEASED, as the vault and the receipt say at a final block. Safe to "
    "repeat.",
    work=_work,
    is_idle=_is_idle,
    plan=_plan,
)
