"""Remembers the newest final block on which anything was done, and notices when the chain takes it back (fault C03).

A final block that changes is what the chain promises never to happen: every job that moves money stops, both hashes are
kept as evidence, and only a person's `resume` takes the chain as it is now.
"""

from typing import Final

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Hash32, hex_of
from io_layer.rpc.reader import Block
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.cursors import EventCursor, delete_cursors, move_cursor_on, select_cursor
from services.running.context import RunContext

CHANGED: Final = "final_block_changed"
AHEAD: Final = "cursor_ahead"
CURSOR: Final = "final block"


def require_final_blocks(context: RunContext) -> Block:
    """Whatever was done upon a final block before, that block is still the chain's; the newest final block.

    Raises: InvariantBroken ``final_block_changed`` with both hashes, which also stand in the audit log then,
    ``cursor_ahead``; Unavailable ``rpc_out_of_step`` while an endpoint does not know what was final before.
    """
    final = context.chain.read_final_block()
    scans = context.policy.scans
    for name in (CURSOR, *scans):
        known = select_cursor(context.conn, name)
        if known is None:
            continue
        if known.block_number > final.number:
            _require_height(context, known)
            if name in scans:
                continue  # an endpoint lags, and events are not read up to there again
        found = final.block_hash if known.block_number == final.number else _hash_now(context, known, final)
        if found != known.block_hash:
            raise _changed(context, known, found)
    return final


def _require_height(context: RunContext, known: EventCursor) -> None:
    """A cursor beyond every endpoint's head was never read from this chain; following it would lose events."""
    heads = [context.chain.read_head_number(endpoint) for endpoint in context.chain.endpoints]
    if known.block_number > max(heads):
        raise InvariantBroken(
            AHEAD,
            f"the cursor {known.name} says that block {known.block_number} was final, but the endpoints' newest is "
            f"{max(heads)}: the chain is not the one that it was, or the row was edited; once you know which, "
            "`bo-engine resume --chain --by NAME` forgets it, and purchases and claims are read again from FIRST_BLOCK",
        )


def _hash_now(context: RunContext, known: EventCursor, final: Block) -> Hash32:
    try:
        return context.chain.read_block(known.block_number).block_hash
    except Unavailable as error:
        if known.block_number < final.number:
            raise
        # Not passed over: what is written next would be remembered in its place, and this never be compared.
        raise Unavailable(
            "rpc_out_of_step",
            f"block {known.block_number} was final before, the newest final block is {final.number} now, and "
            f"{error.message}: until that endpoint has caught up or is replaced, nothing is done",
        ) from error


def _changed(context: RunContext, known: EventCursor, found: Hash32) -> InvariantBroken:
    was, now = hex_of(known.block_hash), hex_of(found)
    evidence = {"block_number": known.block_number, "was": was, "is": now, "known_as": known.name}
    if not has_audit(context.conn, CHANGED, evidence):
        with context.transaction():
            insert_audit(context.conn, actor="engine", action=CHANGED, details=evidence)
    return InvariantBroken(
        CHANGED,
        f"block {known.block_number} was final as {was}, and is {now} now on both RPC endpoints: the chain has taken "
        "back what it called final, or the endpoints are on another chain; nothing is sent. Once you know why, "
        "`bo-engine resume --chain --by NAME` (or --day N of a day that it has halted) takes the chain as it is now",
    )


def remember_final_block(context: RunContext) -> None:
    """What is written now rests on the newest final block that was read. Run it in the transaction of what rests on it;
    it asks the chain nothing."""
    newest = context.chain.newest_final
    if newest is not None:
        move_cursor_on(context.conn, CURSOR, newest.number, newest.block_hash)


def take_chain_as_it_is(context: RunContext) -> None:
    """After a person has looked: no earlier block is held against the chain any more, and all purchases and claims are
    read again from the first block. In the transaction of the resume."""
    delete_cursors(context.conn, (CURSOR, *context.policy.scans))
    context.policy.read_again()
