"""A day that the owner has voided on-chain: what was begun as a settlement gives way, the refunds become its result."""

from typing import Any

from bo_engine.errors import InvariantBroken
from bo_engine.units import hex_of
from io_layer.artifact_store import delete_inputs_artifacts, put_artifact, select_digests
from io_layer.audit_store import insert_audit
from io_layer.pipeline_store import finish_step, rewind_day, select_day
from io_layer.run_store import Run, mark_committed, mark_settled, mark_vetoed, select_live_run, supersede_run
from io_layer.ticket_store import stream_purchase_places
from services.artifacts import remove_input_copies
from services.day_work import Opened, sha256_of
from services.engine import Engine
from services.lease import Lease
from services.provenance import render_provenance
from services.sign_manifest import ensure_manifest
from services.void_gates import check_refund
from services.void_work import read_void, void_affiliates_document


def set_settlement_aside(engine: Engine, lease: Lease, opened: Opened) -> None:
    """Once a day is voided, drop what was begun of its settlement, so that it is exported and computed as a void.

    Changes nothing on a day that was not begun, or begun as a void. A HALTED day is not touched: a person resumes it.
    Raises: InvariantBroken ``settled_day_voided``.
    """
    day_id = opened.day_id
    row, run = select_day(engine.conn, day_id), select_live_run(engine.conn, day_id)
    if row is None or row.status in ("DONE", "HALTED") or not _is_begun_as_settlement(engine, opened, run):
        return
    if run is not None and run.status == "settled":
        raise InvariantBroken("settled_day_voided", f"day {day_id} is settled here and voided on the chain")
    remove_input_copies(engine, day_id)
    with lease.transaction():
        if run is not None and run.status == "committed":
            mark_vetoed(engine.conn, run.run_id)  # or the contract would not have let it be voided
        elif run is not None:
            supersede_run(engine.conn, run.run_id)
        delete_inputs_artifacts(engine.conn, day_id)
        rewind_day(engine.conn, day_id, "export")
        details = {"run_hash": hex_of(run.run_hash) if run else None, "run_status": run.status if run else None}
        insert_audit(engine.conn, actor="engine", action="settlement_set_aside", day_id=day_id, details=details)


def commit_void(engine: Engine, lease: Lease, opened: Opened) -> dict[str, Any]:
    """Step 5 of a voided day: nothing is sent; the approved run must be the refund that stands on the chain.

    Raises: InvariantBroken ``not_approved``, ``refund_differs``.
    """
    day_id = opened.day_id
    run = select_live_run(engine.conn, day_id)
    if run is None or run.kind != "void" or run.status not in ("approved", "committed", "settled"):
        raise InvariantBroken("not_approved", f"day {day_id} has no approved refund; approve it first")
    void = read_void(engine, opened)
    check_refund(engine, opened, run)
    manifest = ensure_manifest(engine, lease, run)
    purchases = stream_purchase_places(engine.conn, day_id)
    provenance = render_provenance(opened.facts, opened.facts.record, purchases, commit_tx=None, release_tx=None)
    with lease.transaction():
        mark_committed(engine.conn, run.run_id)
        if mark_settled(engine.conn, run.run_id):
            details = {
                "void_reason": void.reason,
                "refund_root": hex_of(run.winner_root),
                "refund_total": str(run.total_payout_atoms),
                "void_tx": hex_of(void.refund.tx_hash),
                "run_hash": hex_of(run.run_hash),
            }
            insert_audit(engine.conn, actor="engine", action="day_refunded", day_id=day_id, details=details)
        put_artifact(engine.conn, day_id, run.run_id, "provenance.json", provenance, replace=True)
        finish_step(engine.conn, day_id, "commit")
    return {
        "run_hash": hex_of(run.run_hash),
        "run_status": "settled",
        "void_reason": void.reason,
        "refund_root": hex_of(run.winner_root),
        "refund_total": str(run.total_payout_atoms),
        "void_tx": hex_of(void.refund.tx_hash),
        "manifest": manifest,
    }


def _is_begun_as_settlement(engine: Engine, opened: Opened, run: Run | None) -> bool:
    if run is not None:
        return run.kind != "void"
    digest = select_digests(engine.conn, opened.day_id, None).get("affiliates.json")
    return digest is not None and digest != sha256_of(void_affiliates_document(engine, opened))
