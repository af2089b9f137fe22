"""Looks whether the chain has transactions of our key that this database does not know: a backup was restored, or the
key is in other hands.

What stands there as a commit, a release, a seed request or the taking of office is ours: the contract takes each only
once and the steps compare its contents. It is adopted with an audit row. Anything else needs a person.
"""

from typing import Final

from bo_engine.errors import InvariantBroken
from bo_engine.units import Wallet, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.rpc import wire
from io_layer.rpc.reader import Block
from io_layer.stores.audit import insert_audit, select_known_nonce
from io_layer.stores.journal import select_block_before, select_unknown_nonces
from services.lottery.engine import Engine
from services.running.lease import Lease

UNKNOWN: Final = "unknown_transaction"
_EVENTS: Final = (
    ("SettlementV4", ("DayCommitted", "DayReleased")),
    ("VRFReceiver", ("SeedRequested",)),
    # A key takes office by its own call, which any wallet may have sent with it.
    ("Roles", ("HolderSet",)),
)


def require_known_nonces(engine: Engine, lease: Lease) -> None:
    """Adopt what our key has done on the chain and this database lacks.

    Raises: InvariantBroken ``unknown_transaction`` for what no event of our contracts explains.
    """
    chain = engine.game.chain
    final = chain.read_final_block()
    settler, counted = _counted(engine, final)
    known = select_known_nonce(engine.conn, settler)
    unknown = select_unknown_nonces(engine.conn, chain.chain_id, settler, known, counted)
    if not unknown:
        return
    since = select_block_before(engine.conn, chain.chain_id, settler, unknown[0])
    found = _read_effects(engine, lease, settler, max(since, engine.settings.first_block), final)
    odd = [nonce for nonce in unknown if nonce not in found]
    if odd:
        raise InvariantBroken(
            UNKNOWN,
            f"the SETTLER {settler} has sent transactions that neither this database nor an event of our contracts "
            f"explains (nonce {', '.join(map(str, odd[:10]))}): is the key in other hands? Look at them; once "
            "`settle` has halted the day, `bo-engine resume --day N --by NAME` takes them as known",
        )
    adopted = {str(nonce): found[nonce] for nonce in unknown}
    details = {"settler": settler, "settler_nonce": counted, "adopted": adopted}
    with lease.transaction():
        insert_audit(engine.conn, actor="engine", action="transactions_adopted", details=details)


def known_nonces(engine: Engine) -> dict[str, object]:
    """The details of an audit row that says: all that our key has sent up to the final block is known; with the nonces
    that nothing else explains, because more may stand there than when the day was halted."""
    final = engine.game.chain.read_final_block()
    settler, counted = _counted(engine, final)
    known = select_known_nonce(engine.conn, settler)
    unknown = select_unknown_nonces(engine.conn, engine.game.chain.chain_id, settler, known, counted)
    return {"settler": settler, "settler_nonce": counted, "taken_as_known": unknown}


def _counted(engine: Engine, final: Block) -> tuple[Wallet, int]:
    chain = engine.game.chain
    _, settler = engine.game.read_settlers(final)
    return settler, chain.read_final_nonce(final, settler)


def _read_effects(engine: Engine, lease: Lease, settler: Wallet, first: int, final: Block) -> dict[int, str]:
    """What our key has done to our contracts since a block, by nonce. The way may be long: it renews the lease."""
    chain = engine.game.chain
    effects: dict[int, str] = {}
    for contract, events in _EVENTS:
        at = engine.game.contracts.of(contract)
        names = {codec(contract).topic(event): event for event in events}
        for _, logs in chain.read_log_pages(at, [list(names)], first, final.number):
            lease.renew()
            for log in logs:
                sender, nonce = chain.request_both("eth_getTransactionByHash", [log["transactionHash"]], _sent_by)
                if sender == settler:
                    what = "office" if contract == "Roles" else "day"
                    effects[nonce] = f"{names[log['topics'][0]]} {what} {int(log['topics'][1], 16)}"
    return effects


def _sent_by(answer: object) -> tuple[Wallet, int]:
    sent = wire.fields(answer)
    return parse_wallet(wire.text(sent.get("from"))), wire.count(sent.get("nonce"))
