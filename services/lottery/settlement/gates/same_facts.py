"""Whether the facts that a day was computed from are still those that both endpoints tell (rule 4.5).

Both may have given the same false answer once, for a moment or for an hour. So all that entered the result is read
again at every look at the day and before its release: as long as it is not released, a lie costs time and no money.
"""

from typing import Final

from bo_engine.errors import InvariantBroken
from bo_engine.log import get_logger
from io_layer.lottery.contracts.day_record import RELEASED
from io_layer.lottery.recount.day import recount_affiliates
from io_layer.lottery.stores.runs import RunStatus, select_affiliate_payouts, select_live_run
from io_layer.stores.audit import insert_audit
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened, rates_in_force, seeds_of_day
from services.lottery.settlement.gates.gates import recount_rules
from services.lottery.settlement.steps.approve_day import require_approved_rows

FACTS_DIFFER: Final = "facts_differ"
_LOG = get_logger("settle")


def require_same_facts(context: LotteryContext, opened: Opened) -> None:
    """Compare what the day was computed from with what ``opened`` and its block tell now: ruleset, seeds and affiliate
    rates. Tickets and opening state are compared with ours when a day is opened. Of a day that is released already the
    difference is only recorded.

    Raises: InvariantBroken ``facts_differ``, naming what differs; as ``require_approved_rows`` and ``seeds_of_day``.
    """
    differing = _difference(context, opened)
    if differing is not None and opened.facts.record.status == RELEASED:
        # Nothing is left to stop, and a day that never ends would stop the later ones and the sales.
        details = {"differs": differing, "block": opened.facts.block.number}
        _LOG.error(FACTS_DIFFER, extra={"day_id": opened.day_id, **details})
        with context.conn.transaction():
            insert_audit(context.conn, actor="engine", action=FACTS_DIFFER, day_id=opened.day_id, details=details)
    elif differing is not None:
        raise InvariantBroken(
            FACTS_DIFFER,
            f"day {opened.day_id}: what both RPC endpoints say of {differing} at final block "
            f"{opened.facts.block.number} is not what the day was computed from; nothing is signed or released. Their "
            "answer before or their answer now is wrong: ask a third endpoint. If the day is committed with what "
            f"is wrong, the guardian vetoes it; then `bo-engine resume --day {opened.day_id} --by NAME` computes and "
            "approves it anew",
        )


def _difference(context: LotteryContext, opened: Opened) -> str | None:
    run = select_live_run(context.conn, opened.day_id)
    if run is None:
        return None
    if run.ruleset_hash != opened.facts.ruleset_hash:
        return "the ruleset"
    seeds_of_day(context, opened)
    if run.status in (RunStatus.APPROVED, RunStatus.COMMITTED):  # before, gate G13 reads the rates anew
        require_approved_rows(context, run)
        rules = recount_rules(opened.ruleset, context.game.deployment)
        commissions = recount_affiliates(context.conn, opened.day_id, rules, rates_in_force(context, opened))
        stored = select_affiliate_payouts(context.conn, run.run_id)
        if commissions != tuple((payout.wallet, payout.amount_atoms) for payout in stored):
            return "the affiliates' rates"
    return None
