"""Remembers the newest final block on which anything was done, and notices when the chain takes it back (fault C03).

A final block that changes is what the chain promises never to happen: every job that moves money stops, both hashes are
kept as evidence, and only a person's `resume` takes the chain as it is now.
"""

from typing import Final

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Hash32, hex_of
from io_layer.lottery.stores.payments.claims import reopen_claims
from io_layer.rpc.reader import Block
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.cursors import EventCursor, delete_cursors, move_cursor_on, select_cursor
from services.lottery.engine import Engine
from services.running.lease import Lease

CHANGED: Final = "final_block_changed"
AHEAD: Final = "cursor_ahead"
CURSOR: Final = "final block"
TICKETS: Final = "tickets"  # up to where purchases were read
CLAIMS: Final = "claims"  # up to where claims were read
_SCANS: Final = (TICKETS, CLAIMS)


def require_final_blocks(engine: Engine, lease: Lease) -> Block:
    """Whatever was done upon a final block before, that block is still the chain's; the newest final block.

    Raises: InvariantBroken ``final_block_changed`` with both hashes, which also stand in the audit log then,
    ``cursor_ahead``; Unavailable ``rpc_out_of_step`` while an endpoint does not know what was final before.
    """
    final = engine.game.chain.read_final_block()
    for name in (CURSOR, *_SCANS):
        known = select_cursor(engine.conn, name)
        if known is None:
            continue
        if known.block_number > final.number:
            _require_height(engine, known)
            if name in _SCANS:
                continue  # an endpoint lags, and events are not read up to there again
        found = final.block_hash if known.block_number == final.number else _hash_now(engine, known, final)
        if found != hex_of(known.block_hash):
            raise _changed(engine, lease, known, found)
    return final


def _require_height(engine: Engine, known: EventCursor) -> None:
    """A cursor beyond every endpoint's head was never read from this chain; following it would lose events."""
    heads = [engine.game.chain.read_head_number(endpoint) for endpoint in engine.game.chain.endpoints]
    if known.block_number > max(heads):
        raise InvariantBroken(
            AHEAD,
            f"the cursor {known.name} says that block {known.block_number} was final, but the endpoints' newest is "
            f"{max(heads)}: the chain is not the one that it was, or the row was edited; once you know which, "
            "`bo-engine resume --chain --by NAME` forgets it, and purchases and claims are read again from FIRST_BLOCK",
        )


def _hash_now(engine: Engine, known: EventCursor, final: Block) -> str:
    try:
        return engine.game.chain.read_block(known.block_number).block_hash
    except Unavailable as error:
        if known.block_number < final.number:
            raise
        # Not passed over: what is written next would be remembered in its place, and this never be compared.
        raise Unavailable(
            "rpc_out_of_step",
            f"block {known.block_number} was final before, the newest final block is {final.number} now, and "
            f"{error.message}: until that endpoint has caught up or is replaced, nothing is done",
        ) from error


def _changed(engine: Engine, lease: Lease, known: EventCursor, found: str) -> InvariantBroken:
    was = hex_of(known.block_hash)
    evidence = {"block_number": known.block_number, "was": was, "is": found, "known_as": known.name}
    if not has_audit(engine.conn, CHANGED, evidence):
        with lease.transaction():
            insert_audit(engine.conn, actor="engine", action=CHANGED, details=evidence)
    return InvariantBroken(
        CHANGED,
        f"block {known.block_number} was final as {was}, and is {found} now on both RPC endpoints: the chain has taken "
        "back what it called final, or the endpoints are on another chain; nothing is sent. Once you know why, "
        "`bo-engine resume --chain --by NAME` (or --day N of a day that it has halted) takes the chain as it is now",
    )


def remember_final_block(engine: Engine) -> None:
    """What is written now rests on the newest final block that was read. Run it in the transaction of what rests on it;
    it asks the chain nothing."""
    newest = engine.game.chain.newest_final
    if newest is not None:
        move_cursor_on(engine.conn, CURSOR, newest.number, Hash32(bytes.fromhex(newest.block_hash[2:])))


def take_chain_as_it_is(engine: Engine) -> None:
    """After a person has looked: no earlier block is held against the chain any more, and all purchases and claims are
    read again from the first block. In the transaction of the resume."""
    delete_cursors(engine.conn, (CURSOR, *_SCANS))
    # The vault may have said so in a block that is gone, before the event was read.
    reopen_claims(engine.conn)
