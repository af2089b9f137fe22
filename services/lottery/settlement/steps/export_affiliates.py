"""Step 2: the day's stakes per referred player and the rates in force, and affiliates.json (rule 4.2)."""

from typing import Any

from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.pipeline import finish_step
from services.lottery.engine import Engine
from services.lottery.settlement.day import Opened, affiliates_document, rates_in_force, referred_of_day
from services.running.lease import Lease


def export_affiliates(engine: Engine, lease: Lease, opened: Opened) -> dict[str, Any]:
    """Read the rates from the chain and store affiliates.json. Raises: InvariantBroken ``tickets_differ``,
    ``artifact_conflict``."""
    rates = rates_in_force(engine, opened)
    with lease.transaction():
        referred = referred_of_day(engine, opened, rates)
        document = affiliates_document(engine, opened, referred)
        sha256, _ = put_artifact(engine.conn, opened.day_id, None, "affiliates.json", document)
        finish_step(engine.conn, opened.day_id, "affiliate")
    return {"referred_players": len(referred), "affiliates_sha256": f"0x{sha256.hex()}"}
