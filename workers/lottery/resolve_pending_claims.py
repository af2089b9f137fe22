"""The job resolve-pending-claims: every claim that the App wrote down finds its end."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job, Look, Run

if TYPE_CHECKING:
    from io_layer.postgres.connection import Conn


def _work(run: Run) -> Done:
    from services.lottery.claims.resolve import resolve_pending_claims

    with run.engine() as engine:
        counts = resolve_pending_claims(engine, run.lease)
    return Done(counts, counts=counts)


def _plan(look: Look) -> Done:
    from services.lottery.claims.resolve import plan_pending_claims

    with look.engine() as engine:
        return Done(plan_pending_claims(engine))


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
