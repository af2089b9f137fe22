"""Says whose key the engine would sign with, and whether that is the contracts' SETTLER. Needs no database."""

from typing import Any, Final

from bo_engine.settings import Settings
from io_layer.keys.signer import load_address
from io_layer.lottery.contracts.game import open_game
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.connect import open_chain

_CHAIN_SETTINGS: Final = ("RPC_URL", "RPC_FALLBACK_URL", "CHAIN_ID", "SETTLEMENT_ADDRESS")


def key_facts(settings: Settings) -> dict[str, Any]:
    """The configured key's address and, where a chain is configured, whether it is the contracts' SETTLER, suspended,
    or named as the next one."""
    address = load_address(settings, is_local=settings.is_local)
    facts: dict[str, Any] = dict.fromkeys(("address", "settler", "is_settler", "is_suspended", "can_take_office"))
    facts["address"] = address
    if all(settings.has(name) for name in _CHAIN_SETTINGS):
        chain = open_chain(
            settings.rpc_url, settings.rpc_fallback_url, chain_id=settings.chain_id, says_local=settings.is_local
        )
        game, block = open_game(chain, settings.settlement_address), chain.read_final_block()
        office = read_offices(chain, block, game.contracts.roles)["settler"]
        named = office.naming if office.naming and office.naming.account == address else None
        facts |= {
            "settler": office.holder,
            "is_settler": office.holder == address,
            "is_suspended": office.holder == address and office.is_suspended,
            "can_take_office": named.window.in_words(block.timestamp_s) if named else "not named",
        }
    return facts
