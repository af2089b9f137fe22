"""Step 2: the day's stakes per referred player and the rates in force, and affiliates.json (rule 4.2)."""

from typing import Any

from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.pipeline import Step, finish_step
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened, affiliates_document, rates_in_force, referred_of_day


def export_affiliates(context: LotteryContext, opened: Opened) -> dict[str, Any]:
    """Read the rates from the chain and store affiliates.json. Raises: InvariantBroken ``tickets_differ``,
    ``artifact_conflict``."""
    rates = rates_in_force(context, opened)
    with context.transaction():
        referred = referred_of_day(context, opened, rates)
        document = affiliates_document(context, opened, referred)
        sha256, _ = put_artifact(context.conn, opened.day_id, None, "affiliates.json", document)
        finish_step(context.conn, opened.day_id, Step.AFFILIATE)
    return {"referred_players": len(referred), "affiliates_sha256": f"0x{sha256.hex()}"}
