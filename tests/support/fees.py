"""What the network does to a signed transaction: gas that gets dearer, broadcasts that are swallowed."""

from typing import Any

from local_world.faults.rules import Rule
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

SEND = "eth_sendRawTransaction"
#: Far above what is signed for while the chain is idle, and it takes minutes of empty blocks to fall back to that.
DEAR_WEI = 10 * 10**9
#: What an idle chain asks for.
CHEAP_WEI = 10
#: Above what the engine ever offers; empty blocks bring it down below that within half a minute.
ABSURD_WEI = 10**16


def set_base_fee(played: PlayedWorld, wei: int) -> None:
    """The newest block asks this, once this returns."""
    asked = None
    # anvil forgets what it was told when its block clock is making a block in that very moment.
    while asked != wei:
        played.chain.call("anvil_setNextBlockBaseFeePerGas", hex(wei))
        played.chain.mine(1)
        asked = int(played.chain.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)


def swallow(played: PlayedWorld, broadcasts: int, *others: Rule) -> dict[str, str]:
    """So many broadcasts are answered as accepted and never arrive; the settings under which both endpoints do so."""
    says = {"value": "0x" + "77" * 32}
    played.world.proxy.set_rules(Rule("says", SEND, calls=2 * broadcasts, args=says), *others)
    return {"RPC_URL": played.world.proxy.url}


def tries(played: PlayedWorld) -> list[dict[str, Any]]:
    """All signed transactions in the order of their making: nonce, fees, gas, state, hash."""
    columns = ("nonce", "fee", "tip", "gas", "state", "hash", "sender")
    found = rows(
        played,
        """SELECT nonce, max_fee_per_gas::text, max_priority_fee::text, gas_limit, state,
                  '0x' || encode(tx_hash, 'hex'), sender
             FROM chain_transaction_attempts AS a JOIN chain_transactions AS t USING (tx_id)
            WHERE t.contract <> (SELECT contract FROM chain_transactions ORDER BY tx_id LIMIT 1)
            ORDER BY a.created_at, attempt""",
    )
    return [{**dict(zip(columns, row, strict=True)), "fee": int(row[1]), "tip": int(row[2])} for row in found]
