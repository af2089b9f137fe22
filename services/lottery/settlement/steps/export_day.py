"""Step 1: freeze a day's tickets, tips and opening state, and write inputs.json (rule 4.1)."""

from typing import Any

from bo_engine.errors import InvariantBroken
from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.inputs import insert_day_inputs, lock_day, select_day_inputs
from io_layer.lottery.stores.pipeline import Step, finish_step
from services.chain.clock_guard import require_right_clock
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened, inputs_document


def export_day(context: LotteryContext, opened: Opened) -> dict[str, Any]:
    """Seal the inputs and store inputs.json, in one transaction with the step's flag.

    The tickets are locked before they are counted, folded once more on the way into the file, and the transaction
    stands only if their digests are the chain's.
    Raises: Unavailable ``clock_wrong``; InvariantBroken ``tickets_differ``, ``seal_mismatch``, ``inputs_differ``.
    """
    day_id = opened.day_id
    require_right_clock(context)
    with context.transaction():
        lock_day(context.conn, day_id)
        sealed = select_day_inputs(context.conn, day_id)
        if sealed is None:
            insert_day_inputs(context.conn, day_id, opened.facts.pools, opened.opening)
        elif (sealed.sold, sealed.opening) != (opened.facts.pools, opened.opening):
            raise InvariantBroken("inputs_differ", f"day {day_id} is sealed with other inputs than the chain's")
        sha256, size = put_artifact(context.conn, day_id, None, "inputs.json", inputs_document(context, opened))
        finish_step(context.conn, day_id, Step.EXPORT)
    return {
        "tickets": opened.facts.ticket_count,
        "tips": opened.facts.tip_count,
        "inputs_sha256": f"0x{sha256.hex()}",
        "bytes": size,
    }
