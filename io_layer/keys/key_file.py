"""Key files: read only if nobody else can read them, written once and never over another."""

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from bo_engine.errors import UsageError
from bo_engine.redaction import know_secrets
from bo_engine.strict_json import parse_json
from bo_engine.units import Wallet, parse_wallet
from io_layer.files.folder_sync import sync_folder

_MAX_KEY_FILE: Final = 65_536
_BROKEN: Final = (
    *(ValueError, KeyError, TypeError, AttributeError),
    *(NotImplementedError, OverflowError, RecursionError),
)
#: The work of scrypt (n = 2^18, r = 8): 256 MB and about a second for each guess at the password.
_SCRYPT_N: Final = 2**18


def read_private(path: Path, name: str, *, code: str = "missing_setting") -> str:
    """A short text file that only its owner can read. ``name``: the setting or flag that names it.

    Raises: UsageError ``code`` when it cannot be read, ``key_file_exposed``.
    """
    try:
        # Not waiting: a pipe would hold the run for ever.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(fd, encoding="utf-8") as file:
            # Of the file that is open, not of what stands under its name a moment later.
            mode = os.fstat(fd).st_mode
            text = file.read(_MAX_KEY_FILE) if stat.S_ISREG(mode) else None
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        raise UsageError(code, f"{name} names a file that cannot be read: {path}")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError("key_file_exposed", f"others can read {path}: run `chmod 600 {path}`")
    return text


def open_keystore(text: str, password: str) -> LocalAccount:
    """The account in a keystore document (JSON, version 3). Raises: UsageError ``bad_keystore``."""
    know_secrets([password])
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(parse_json(text), password))
    except _BROKEN:
        raise UsageError(
            "bad_keystore", "SETTLER_KEYSTORE_FILE does not open with the password in SETTLER_PASSWORD_FILE"
        ) from None
    return account


def keystore_address(text: str) -> str:
    """The address that a keystore document names in clear, with 0x. Raises: UsageError ``bad_keystore``."""
    try:
        named: str = parse_json(text)["address"].removeprefix("0x")
    except _BROKEN:
        raise UsageError("bad_keystore", "the keystore names no address") from None
    return f"0x{named}"


def new_account() -> LocalAccount:
    """A fresh key of the system's randomness."""
    account: LocalAccount = Account.from_key(secrets.token_bytes(32))
    return account


def account_of(key: str) -> LocalAccount:
    """The account of a private key in hex; its complaint never repeats the text. Raises: UsageError ``bad_key``."""
    text = key.strip()
    know_secrets([text, text.removeprefix("0x")])
    try:
        number = bytes.fromhex(text.removeprefix("0x"))
        if len(number) != 32:
            raise ValueError
        account: LocalAccount = Account.from_key(number)
    except Exception:  # eth-keys has errors of its own, and their text has the key
        raise UsageError(
            "bad_key", "a private key is 64 hex digits, neither zero nor above the curve's order"
        ) from None
    return account


def write_keystore(path: Path, account: LocalAccount, password: str) -> Wallet:
    """Encrypt the key into a new file of mode 0600 and return its address.

    The file is whole or not there: it is written beside, opened again with the password, and only then linked to its
    name, which fails if the name is taken, by a link that leads nowhere too.
    Raises: UsageError ``key_file_exists``, ``key_file_unwritable``.
    """
    _require_free(path)
    document = Account.encrypt(account.key, password, kdf="scrypt", iterations=_SCRYPT_N)
    text = json.dumps({**document, "address": to_checksum_address(account.address)[2:].lower()}, indent=2) + "\n"
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                os.fchmod(fd, 0o600)
                file.write(text)
                file.flush()
                os.fsync(fd)
            opened = open_keystore(read_private(beside, str(beside)), password)
            if opened.address != account.address:
                raise UsageError("bad_keystore", "the new keystore does not hold the key; it was removed")
            os.link(beside, path, follow_symlinks=False)
        finally:
            beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        _refuse_taken(path)
    except OSError as error:
        raise UsageError("key_file_unwritable", f"{path} cannot be written: {error.strerror}") from error
    return parse_wallet(account.address)


def _require_free(path: Path) -> None:
    # Before a second of scrypt; what counts is the link.
    if os.path.lexists(path):
        _refuse_taken(path)


def _refuse_taken(path: Path) -> None:
    raise UsageError("key_file_exists", f"{path} exists and is never overwritten: name a new file") from None
