"""Lets the jobs go on after a person has looked at a chain that took back what it had called final (fault C03), also
when no day is HALTED for it: a job may meet it before a day is due."""

from typing import Any, Final

from bo_engine.errors import InvalidInput, InvariantBroken
from io_layer.stores.audit import insert_audit
from services.chain.reorg_guard import AHEAD, CHANGED, require_final_blocks, take_chain_as_it_is
from services.running.context import RunContext
from services.running.lease import held_lease

RESUMED: Final = "chain_resumed"


def resume_chain(context: RunContext, *, by: str) -> dict[str, Any]:
    """Hold no earlier block against the chain any more, with an audit row; all purchases are read again.

    Raises: InvalidInput ``chain_not_changed``; Unavailable ``lease_held``.
    """
    with held_lease(context, context.policy.job) as context:
        found = _what_changed(context)
        with context.transaction():
            take_chain_as_it_is(context)
            details = {"error_code": found.code, "reason": found.message}
            insert_audit(context.conn, actor=by, action=RESUMED, details=details)
    return {"chain": "taken as it is", "resumed_by": by, "was": found.code}


def _what_changed(context: RunContext) -> InvariantBroken:
    try:
        require_final_blocks(context)
    except InvariantBroken as error:
        if error.code in (AHEAD, CHANGED):
            return error
        raise
    raise InvalidInput(
        "chain_not_changed", "every block that was final before still stands on both endpoints: nothing to resume"
    )
