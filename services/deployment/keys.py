"""Makes key files. Needs neither database nor chain."""

from pathlib import Path
from typing import Final

from bo_engine.errors import UsageError
from bo_engine.units import Wallet
from io_layer.keys.key_file import account_of, new_account, write_keystore

#: A keystore may be copied, and then its password is all that stands between a thief and the key.
SHORTEST_PASSWORD: Final = 12


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


def _require_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(
            "weak_password", f"the password has fewer than {SHORTEST_PASSWORD} characters; take a longer one"
        )
