"""Makes the SETTLER's key file, and says whose key the engine would sign with. Needs no database."""

from pathlib import Path
from typing import Any, Final

from bo_engine.errors import UsageError
from bo_engine.settings import Settings
from bo_engine.units import Wallet
from io_layer.keys.key_file import account_of, new_account, write_keystore
from io_layer.keys.signer import load_address
from io_layer.lottery.contracts.game import open_game
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.connect import open_chain

#: A keystore may be copied, and then its password is all that stands between a thief and the key.
SHORTEST_PASSWORD: Final = 12
_CHAIN_SETTINGS: Final = ("RPC_URL", "RPC_FALLBACK_URL", "CHAIN_ID", "SETTLEMENT_ADDRESS")


def make_key(path: Path, password: str) -> Wallet:
    """A new key in a new keystore file; its address.

    Raises: UsageError ``weak_password``, ``key_file_exists``, ``key_file_unwritable``.
    """
    _require_password(password)
    return write_keystore(path, new_account(), password)


def import_key(path: Path, key: str, password: str) -> Wallet:
    """A key that exists already (hex) in a new keystore file; its address. Raises: as ``make_key``, and ``bad_key``."""
    _require_password(password)
    return write_keystore(path, account_of(key), password)


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


def _require_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(
            "weak_password", f"the password has fewer than {SHORTEST_PASSWORD} characters; take a longer one"
        )
