"""The SETTLER's key: signs what the engine may send, nothing else, and never shows itself."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.settings import Settings
from bo_engine.units import Hash32, Wallet, parse_wallet

MAX_FEE_PER_GAS_WEI: Final = 100 * 10**9
MAX_GAS_LIMIT: Final = 30_000_000


class Signer:
    """Signs EIP-1559 transactions to allowed (contract, selector) pairs, value 0, under fee caps."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address: Wallet = parse_wallet(account.address)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign(
        self, transaction: Mapping[str, int | str | bytes], allowed: frozenset[tuple[Wallet, bytes]]
    ) -> tuple[bytes, Hash32]:
        """Raw bytes and hash of the signed transaction.

        Raises: InvalidInput ``signer_refused`` for another contract or function, a value, or fees above the caps.
        """
        target = (parse_wallet(transaction["to"]), bytes(transaction["data"])[:4])  # type: ignore[arg-type]
        if target not in allowed:
            raise InvalidInput("signer_refused", f"the engine's key signs no {target[1].hex()} to {target[0]}")
        if transaction.get("value", 0) != 0:
            raise InvalidInput("signer_refused", "the engine's key sends no ether")
        if int(transaction["maxFeePerGas"]) > MAX_FEE_PER_GAS_WEI or int(transaction["gas"]) > MAX_GAS_LIMIT:
            raise InvalidInput("signer_refused", "the fee is above the cap; wait for a quieter hour")
        checksummed = {**transaction, "to": to_checksum_address(target[0])}
        signed = self._account.sign_transaction(checksummed)  # type: ignore[arg-type]
        return bytes(signed.raw_transaction), Hash32(bytes(signed.hash))


def load_signer(settings: Settings, *, is_local: bool) -> Signer:
    """The signer from the keystore file, or from a plain key on a local chain.

    Raises: UsageError ``missing_setting``, ``plain_key``, ``key_file_exposed``, ``bad_keystore``.
    """
    if settings.has("SETTLER_PRIVATE_KEY"):
        if not is_local:
            raise UsageError(
                "plain_key", "SETTLER_PRIVATE_KEY is for local chains only: use SETTLER_KEYSTORE_FILE and its password"
            )
        return Signer(Account.from_key(settings.settler_private_key))
    keystore = _read_private(settings.settler_keystore_file, "SETTLER_KEYSTORE_FILE")
    password = _read_private(settings.settler_password_file, "SETTLER_PASSWORD_FILE").rstrip("\r\n")
    try:
        return Signer(Account.from_key(Account.decrypt(keystore, password)))
    except (ValueError, KeyError, TypeError):
        raise UsageError("bad_keystore", "the keystore does not open with this password") from None


def _read_private(path: Path, setting: str) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except OSError:
        raise UsageError("missing_setting", f"{setting} names a file that cannot be read: {path}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError("key_file_exposed", f"others can read {path}: run `chmod 600 {path}`")
    return text
