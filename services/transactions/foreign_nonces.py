"""Looks whether the chain has transactions of our key that this database does not know: a backup was restored, or the
key is in other hands.

What an event of our contracts explains (``Policy.explaining``) is ours and is adopted with an audit row. Anything else
needs a person.
"""

from typing import Final

from bo_engine.errors import InvariantBroken
from bo_engine.units import Wallet, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.rpc import wire
from io_layer.rpc.reader import Block
from io_layer.stores.audit import insert_audit, select_known_nonce
from io_layer.stores.journal import select_block_before, select_unknown_nonces
from services.running.context import RunContext

UNKNOWN: Final = "unknown_transaction"


def require_known_nonces(context: RunContext) -> None:
    """Adopt what our key has done on the chain and this database lacks.

    Raises: InvariantBroken ``unknown_transaction`` for what no event of our contracts explains.
    """
    chain = context.chain
    final = chain.read_final_block()
    settler, counted = _counted(context, final)
    known = select_known_nonce(context.conn, settler)
    unknown = select_unknown_nonces(context.conn, chain.chain_id, settler, known, counted)
    if not unknown:
        return
    since = select_block_before(context.conn, chain.chain_id, settler, unknown[0])
    found = _read_effects(context, settler, max(since, context.settings.first_block), final)
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
    with context.transaction():
        insert_audit(context.conn, actor="engine", action="transactions_adopted", details=details)


def known_nonces(context: RunContext) -> dict[str, object]:
    """The details of an audit row that says: all that our key has sent up to the final block is known; with the nonces
    that nothing else explains, because more may stand there than when the day was halted."""
    final = context.chain.read_final_block()
    settler, counted = _counted(context, final)
    known = select_known_nonce(context.conn, settler)
    unknown = select_unknown_nonces(context.conn, context.chain.chain_id, settler, known, counted)
    return {"settler": settler, "settler_nonce": counted, "taken_as_known": unknown}


def _counted(context: RunContext, final: Block) -> tuple[Wallet, int]:
    chain = context.chain
    settler = context.policy.read_sender(final)
    return settler, chain.read_final_nonce(final, settler)


def _read_effects(context: RunContext, settler: Wallet, first: int, final: Block) -> dict[int, str]:
    """What our key has done to our contracts since a block, by nonce. The way may be long: it renews the lease."""
    chain = context.chain
    effects: dict[int, str] = {}
    for contract, events, counts in context.policy.explaining:
        at = context.policy.address_of(contract)
        names = {codec(contract).topic(event): event for event in events}
        for _, logs in chain.read_log_pages(at, [list(names)], first, final.number):
            context.renew_lease()
            for log in logs:
                sender, nonce = chain.request_both("eth_getTransactionByHash", [log["transactionHash"]], _sent_by)
                if sender == settler:
                    effects[nonce] = f"{names[log['topics'][0]]} {counts} {int(log['topics'][1], 16)}"
    return effects


def _sent_by(answer: object) -> tuple[Wallet, int]:
    sent = wire.fields(answer)
    return parse_wallet(wire.text(sent.get("from"))), wire.count(sent.get("nonce"))
