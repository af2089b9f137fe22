"""The deployer's key: signs the creations of one plan, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from bo_engine.errors import InvalidInput, UsageError, require_input
from bo_engine.units import Hash32, Wallet, parse_wallet
from io_layer.keys.key_file import account_of, keystore_address, open_keystore, read_private
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI, MAX_GAS_LIMIT
from io_layer.rpc.sender import Fees


class CreationSigner:
    """Signs EIP-1559 transactions without a target on one chain: value 0, under the fee caps, planned code only."""

    def __init__(self, account: LocalAccount, *, chain_id: int) -> None:
        self._account = account
        self._chain_id = chain_id
        self.address: Wallet = parse_wallet(account.address)

    def __repr__(self) -> str:
        return f"CreationSigner({self.address})"

    def sign(self, creation: bytes, *, nonce: int, fees: Fees, planned: frozenset[bytes]) -> tuple[bytes, Hash32]:
        """Raw bytes and hash. Raises: InvalidInput ``signer_refused``."""
        within = fees.max_fee_per_gas <= MAX_FEE_PER_GAS_WEI and fees.gas_limit <= MAX_GAS_LIMIT
        require_input(within, "signer_refused", "the deployer's key does not sign a fee above the cap")
        require_input(creation in planned, "signer_refused", "the deployer's key signs planned creations only")
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": nonce,
                "value": 0,
                "data": creation,
                "gas": fees.gas_limit,
                "maxFeePerGas": fees.max_fee_per_gas,
                "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
            }
        )
        return bytes(signed.raw_transaction), Hash32(bytes(signed.hash))


@dataclass(frozen=True, slots=True)
class DeployerKey:
    """Where the deployer's key lies, and its address. A keystore tells that in clear: a plan opens no key."""

    address: Wallet
    path: Path
    is_plain: bool

    def open(self, password: str, *, chain_id: int) -> CreationSigner:
        """The signer. ``password``: of the keystore; a plain key needs none.

        Raises: UsageError ``unreadable_file``, ``key_file_exposed``, ``bad_keystore``, ``bad_key``, ``wrong_key`` when
        the key is not that of the address.
        """
        signer = CreationSigner(self._account(password), chain_id=chain_id)
        if signer.address != self.address:
            raise UsageError("wrong_key", f"{self.path} says {self.address}, but its key is that of {signer.address}")
        return signer

    def _account(self, password: str) -> LocalAccount:
        if self.is_plain:
            return _plain_account(self.path)
        text = read_private(self.path, "--keystore-file", code="unreadable_file")
        try:
            return open_keystore(text, password)
        except UsageError as error:
            raise UsageError(error.code, f"{self.path} does not open with this password") from None


def find_deployer(*, is_local: bool, keystore: Path | None, key_file: Path | None) -> DeployerKey:
    """The deployer's key in an encrypted keystore, or in a file with a plain key on a local chain.

    Raises: UsageError ``plain_key``, ``missing_key``, ``unreadable_file``, ``key_file_exposed``, ``bad_keystore``,
    ``bad_key``.
    """
    if key_file is not None:
        if not is_local:
            raise UsageError(
                "plain_key", "--key-file holds a plain key and is for local chains only: use --keystore-file"
            )
        return DeployerKey(parse_wallet(_plain_account(key_file).address), key_file, is_plain=True)
    if keystore is None:
        raise UsageError("missing_key", "name the deployer's key: --keystore-file FILE (`bo-engine key new`)")
    text = read_private(keystore, "--keystore-file", code="unreadable_file")
    try:
        address = parse_wallet(keystore_address(text))
    except InvalidInput:
        raise UsageError(
            "bad_keystore", f"{keystore} is no keystore that names its address: make one with `bo-engine key`"
        ) from None
    return DeployerKey(address, keystore, is_plain=False)


def _plain_account(key_file: Path) -> LocalAccount:
    return account_of(read_private(key_file, "--key-file", code="unreadable_file"))
