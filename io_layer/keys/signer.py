"""The SETTLER's key: signs what the engine may send, nothing else, and never shows itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from bo_engine.errors import UsageError, require_input, require_invariant
from bo_engine.settings import Settings
from bo_engine.units import Hash32, Wallet, parse_wallet
from io_layer.keys.key_file import open_keystore, read_private

MAX_FEE_PER_GAS_WEI: Final = 100 * 10**9
MAX_GAS_LIMIT: Final = 30_000_000
FIELDS: Final = frozenset(
    {"type", "chainId", "nonce", "to", "value", "data", "gas", "maxFeePerGas", "maxPriorityFeePerGas"}
)
_HALF_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2  # of secp256k1
#: Contract and first four bytes of the call.
Allowed: TypeAlias = frozenset[tuple[Wallet, bytes]]


class Signer:
    """Signs EIP-1559 transactions on one chain to allowed (contract, selector) pairs, value 0, under fee caps; and
    messages with an allowed title."""

    def __init__(self, account: LocalAccount, *, chain_id: int, allowed: Allowed, titles: Sequence[bytes] = ()) -> None:
        # An empty title would sign everything, and one that does not end its line the beginning of another message.
        require_invariant(
            all(len(title) > 1 and title.endswith(b"\n") for title in titles), "bad_title", "a title is a whole line"
        )
        self._account = account
        self._allowed = allowed
        self._titles = tuple(titles)
        self.chain_id = chain_id
        self.address: Wallet = parse_wallet(account.address)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign(self, transaction: Mapping[str, Any]) -> tuple[bytes, Hash32]:
        """Raw bytes and hash of the signed transaction, which has exactly the fields ``FIELDS``.

        Raises: InvalidInput ``signer_refused`` for another chain, contract or function, a value, fees above the caps,
        or a field more or less: whatever is not known to be harmless is not signed.
        """
        _require(set(transaction) == FIELDS, "a transaction with other fields than the engine's own")
        numbers = [transaction[name] for name in FIELDS - {"to", "data"}]
        # Not isinstance: True would pass for 1.
        _require(all(type(number) is int and number >= 0 for number in numbers), "a field that is no whole number")
        _require(transaction["type"] == 2 and transaction["chainId"] == self.chain_id, "another chain or type")
        to, data = transaction["to"], transaction["data"]
        is_known = isinstance(to, str) and isinstance(data, bytes) and (to, data[:4]) in self._allowed
        _require(is_known, "another contract or function than the engine's own")
        _require(transaction["value"] == 0, "a transfer of ether")
        fee, tip, gas = (transaction[name] for name in ("maxFeePerGas", "maxPriorityFeePerGas", "gas"))
        within = fee <= MAX_FEE_PER_GAS_WEI and tip <= fee and gas <= MAX_GAS_LIMIT
        _require(within, "a fee above the cap; wait for a quieter hour")
        signed = self._account.sign_transaction({**transaction, "to": to_checksum_address(to)})
        return bytes(signed.raw_transaction), Hash32(bytes(signed.hash))

    def sign_message(self, message: bytes) -> bytes:
        """r, s and v of a message under EIP-191, deterministic (RFC 6979).

        Only a message that begins with a title of ``titles``, each of which ends its line: with EIP-191's own prefix
        no transaction and no permit can be made of it. Raises: InvalidInput ``signer_refused``.
        """
        _require(any(message.startswith(title) for title in self._titles), "a message without a title of the engine's")
        return bytes(self._account.sign_message(encode_defunct(primitive=message)).signature)


def recovered_signer(message: bytes, signature: bytes) -> Wallet:
    """Who has signed the message under EIP-191. Raises: ValueError for a signature that is none, or has a second
    spelling (s in the upper half, v other than 27 and 28)."""
    s = int.from_bytes(signature[32:64], "big")
    if len(signature) != 65 or signature[64] not in (27, 28) or s > _HALF_ORDER:
        raise ValueError("not r, s in the lower half, and v of 27 or 28")
    try:
        found = Account.recover_message(encode_defunct(primitive=message), signature=signature)
    except Exception as error:  # eth_keys has exceptions of its own, which are no ValueErrors
        raise ValueError("no key has made this signature") from error
    return parse_wallet(found)


def _require(holds: bool, what: str) -> None:
    require_input(holds, "signer_refused", f"the engine's key does not sign {what}")


def load_signer(
    settings: Settings, *, is_local: bool, chain_id: int, allowed: Allowed, titles: Sequence[bytes] = ()
) -> Signer:
    """The signer from the keystore file, or from a plain key on a local chain; it signs what is ``allowed`` only,
    and messages with one of the ``titles``.

    Raises: UsageError ``missing_setting``, ``plain_key``, ``key_file_exposed``, ``bad_keystore``.
    """
    return Signer(_load_account(settings, is_local=is_local), chain_id=chain_id, allowed=allowed, titles=titles)


def load_address(settings: Settings, *, is_local: bool) -> Wallet:
    """The address of the key that the settings name; it opens the keystore to know. Raises: as ``load_signer``."""
    return parse_wallet(_load_account(settings, is_local=is_local).address)


def _load_account(settings: Settings, *, is_local: bool) -> LocalAccount:
    if settings.has("SETTLER_PRIVATE_KEY"):
        if not is_local:
            raise UsageError(
                "plain_key", "SETTLER_PRIVATE_KEY is for local chains only: use SETTLER_KEYSTORE_FILE and its password"
            )
        account: LocalAccount = Account.from_key(settings.settler_private_key)
        return account
    return open_keystore(
        read_private(settings.settler_keystore_file, "SETTLER_KEYSTORE_FILE"),
        read_private(settings.settler_password_file, "SETTLER_PASSWORD_FILE").rstrip("\r\n"),
    )
