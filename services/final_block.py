"""Remembers the newest final block on which anything was done, and notices when the chain takes it back (fault C03).

A final block that changes is what the chain promises never to happen: every job that moves money stops, both hashes are
kept as evidence, and only a person's `resume` takes the chain as it is now.
"""

from typing import Final

from bo_engine.errors import InvariantBroken
from bo_engine.units import Hash32, hex_of
from io_layer.audit_store import has_audit, insert_audit
from io_layer.cursor_store import EventCursor, delete_cursors, move_cursor_on, select_cursor
from services.engine import Engine
from services.lease import Lease

CHANGED: Final = "final_block_changed"
CURSOR: Final = "final block"
TICKETS: Final = "tickets"  # up to where purchases were read


def require_final_blocks(engine: Engine, lease: Lease) -> None:
    """Whatever was done upon a final block before, that block is still the chain's.

    Raises: InvariantBroken ``final_block_changed`` with both hashes, which also stand in the audit log then.
    """
    final = engine.game.chain.read_final_block()
    for name in (CURSOR, TICKETS):
        known = select_cursor(engine.conn, name)
        # One that lies beyond the final block: an endpoint lags, and nothing can be said yet.
        if known is not None and known.block_number <= final.number:
            is_newest = known.block_number == final.number
            block = final if is_newest else engine.game.chain.read_block(known.block_number)
            if block.block_hash != hex_of(known.block_hash):
                raise _changed(engine, lease, known, block.block_hash)


def _changed(engine: Engine, lease: Lease, known: EventCursor, found: str) -> InvariantBroken:
    was = hex_of(known.block_hash)
    evidence = {"block_number": known.block_number, "was": was, "is": found, "known_as": known.name}
    if not has_audit(engine.conn, CHANGED, evidence):
        with lease.transaction():
            insert_audit(engine.conn, actor="engine", action=CHANGED, details=evidence)
    return InvariantBroken(
        CHANGED,
        f"block {known.block_number} was final as {was}, and is {found} now on both RPC endpoints: the chain has taken "
        "back what it called final, or the endpoints are on another chain; nothing is sent. Once `settle` has halted a "
        "day, `bo-engine resume --day N --by NAME` takes the chain as it is now",
    )


def remember_final_block(engine: Engine) -> None:
    """What is written now rests on the newest final block that was read. Run it in the transaction of what rests on it;
    it asks the chain nothing."""
    newest = engine.game.chain.newest_final
    if newest is not None:
        move_cursor_on(engine.conn, CURSOR, newest.number, Hash32(bytes.fromhex(newest.block_hash[2:])))


def take_chain_as_it_is(engine: Engine) -> None:
    """After a person has looked: no earlier block is held against the chain any more, and all purchases are read again
    from the first block. In the transaction of the resume."""
    delete_cursors(engine.conn, (CURSOR, TICKETS))
