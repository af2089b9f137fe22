"""Step 4: the gates, and a person's yes where one is wanted (rule 4.4)."""

from typing import Any, Final

from bo_engine.errors import InvariantBroken, Unavailable, require_invariant
from bo_engine.units import DayId, Hash32, hex_of
from io_layer.lottery.stores.pipeline import Step, finish_step
from io_layer.lottery.stores.run_digest import select_run_digest
from io_layer.lottery.stores.runs import Run, RunStatus, approve_run, select_live_run
from io_layer.stores.audit import insert_audit, select_audit
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened
from services.lottery.settlement.gates.gates import Finding, check_gates, require_gates

APPROVED: Final = "run_approved"  # the audit log's word
ROWS: Final = "rows_sha256"  # and its detail: the digest of the rows that were approved


def approve_day(context: LotteryContext, opened: Opened, *, by: str | None = None) -> dict[str, Any]:
    """Run all gates and approve the open run if every one holds; warnings do not stop it.

    Raises: InvariantBroken ``gates_failed`` with all findings; Unavailable ``approval_wanted`` while
    APPROVAL_MODE=manual and no person has said yes.
    """
    seen = _digest(context, opened.day_id)
    findings = check_gates(context, opened)
    require_gates(opened.day_id, findings)
    run = select_live_run(context.conn, opened.day_id)
    if run is None:
        raise InvariantBroken("gates_failed", f"day {opened.day_id} lost its run while the gates looked at it")
    if by is None and context.settings.approval_mode == "manual":
        raise Unavailable(
            "approval_wanted",
            f"all gates hold for run_hash {hex_of(run.run_hash)}; a person says yes with `bo-engine approve --day "
            f"{opened.day_id} --by NAME`",
        )
    approver = by or "gates"
    with context.transaction():
        digest = select_run_digest(context.conn, opened.day_id, run.run_id)
        require_invariant(
            digest == seen,
            "run_rows_differ",
            f"rows of run {run.run_id} (day {opened.day_id}) changed while the gates looked at them; look who did it",
        )
        if run.status == RunStatus.DRY_RUN and not approve_run(context.conn, run.run_id, run.run_hash, approver):
            raise InvariantBroken("approval_lost", f"run {run.run_id} changed while it was approved")
        finish_step(context.conn, opened.day_id, Step.APPROVE, approved_by=run.approved_by or approver)
        details = {"run_id": run.run_id, "run_hash": hex_of(run.run_hash), ROWS: hex_of(digest)}
        insert_audit(context.conn, actor=approver, action=APPROVED, day_id=opened.day_id, details=details)
    return {
        "run_hash": hex_of(run.run_hash),
        "approved_by": run.approved_by or approver,
        "findings": documents(findings),
        "difference_to_yesterday": difference_to_yesterday(context, run),
    }


def _digest(context: LotteryContext, day_id: DayId) -> Hash32 | None:
    run = select_live_run(context.conn, day_id)
    return select_run_digest(context.conn, day_id, run.run_id) if run else None


def require_approved_rows(context: LotteryContext, run: Run) -> None:
    """The rows are, to the bit, those that were approved. Raises: InvariantBroken ``settlement_differs``."""
    said = [
        row.details.get(ROWS)
        for row in select_audit(context.conn, run.day_id)
        if row.action == APPROVED and row.details.get("run_id") == run.run_id
    ]
    require_invariant(
        hex_of(select_run_digest(context.conn, run.day_id, run.run_id)) in said,
        "settlement_differs",
        f"the rows of run {run.run_id} (day {run.day_id}) are not those that were approved; nothing is signed; look "
        f"who changed them, then {way_out(run)}",
    )


def way_out(run: Run) -> str:
    """How a day comes by good rows again."""
    if run.status in (RunStatus.DRY_RUN, RunStatus.APPROVED):
        return f"`bo-engine resume --day {run.day_id} --by NAME` computes and approves the day anew"
    return "restore the database (docs/operations.md): what is committed is not computed anew"


def documents(findings: list[Finding]) -> list[dict[str, Any]]:
    """The findings for tables and machines."""
    return [
        {
            "gate": finding.gate,
            "holds": finding.holds,
            "severity": _severity(finding),
            "text": finding.text,
            "detail": finding.detail,
        }
        for finding in findings
    ]


def _severity(finding: Finding) -> str:
    return "ok" if finding.holds else "warning" if finding.is_warning else "FAILED"


def difference_to_yesterday(context: LotteryContext, run: Run) -> dict[str, str]:
    """Today's totals beside those of the day before, so that a person sees what is unusual."""
    before = select_live_run(context.conn, DayId(run.day_id - 1))
    if before is None:
        return {}
    names = ("total_payout_atoms", "affiliate_total_atoms", "charity_total_atoms", "net_fee_atoms", "winner_count")
    return {name.removesuffix("_atoms"): f"{getattr(run, name)} (yesterday {getattr(before, name)})" for name in names}
