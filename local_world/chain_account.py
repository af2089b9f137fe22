"""One account of the local chain: signs its transactions, counts its nonces, waits for the receipts."""

import time
from typing import Any, Final, NewType

from eth_account import Account
from eth_account.signers.local import LocalAccount

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Wallet, hex_of, parse_wallet
from io_layer.rpc.endpoint import RpcRefused
from io_layer.rpc.sender import revert_reason
from local_world.chain import CHAIN_ID, Chain

TxHash = NewType("TxHash", str)  # lower-case 0x hex

_GAS_LIMIT: Final = 1_500_000  # more than the largest ticket needs; what is not used is not paid
_MAX_FEE_PER_GAS: Final = 10**11
_RECEIPT_WAIT_S: Final = 20.0


class ChainAccount:
    """Sends from one key. Nobody else may send from it meanwhile, because the nonces are counted here."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self.account = account
        self.wallet: Wallet = parse_wallet(account.address)
        self._chain = chain
        self._nonce: int | None = None

    @staticmethod
    def from_key(chain: Chain, key: str) -> "ChainAccount":
        """The account of a private key (0x hex)."""
        return ChainAccount(chain, Account.from_key(key))

    def send(self, target: Wallet, data: bytes, *, gas_limit: int = _GAS_LIMIT) -> TxHash:
        """Sign and broadcast a call; returns at once, whatever becomes of it. Raises: RpcRefused, Unavailable."""
        if self._nonce is None:
            self._nonce = int(self._chain.call("eth_getTransactionCount", self.wallet, "pending"), 16)
        signed = self.account.sign_transaction(
            {
                "to": bytes.fromhex(target[2:]),
                "data": data,
                "chainId": CHAIN_ID,
                "nonce": self._nonce,
                "gas": gas_limit,
                "maxFeePerGas": _MAX_FEE_PER_GAS,
                "maxPriorityFeePerGas": 0,
                "value": 0,
            }
        )
        tx_hash = TxHash(self._chain.call("eth_sendRawTransaction", hex_of(bytes(signed.raw_transaction))))
        self._nonce += 1
        return tx_hash

    def execute(self, target: Wallet, data: bytes, *, gas_limit: int = _GAS_LIMIT) -> dict[str, Any]:
        """Send a call that must succeed and return its receipt.

        Raises: InvariantBroken ``transaction_reverted`` with the contract's reason.
        """
        receipt = self.receipt(self.send(target, data, gas_limit=gas_limit))
        if not succeeded(receipt):
            reason = self.refusal_of(target, data) or "no reason given"
            raise InvariantBroken("transaction_reverted", f"transaction {receipt['transactionHash']}: {reason}")
        return receipt

    def refusal_of(self, target: Wallet, data: bytes) -> str | None:
        """Why the contract would refuse this call now, in words; None if it would not."""
        try:
            self._chain.call("eth_call", {"from": self.wallet, "to": target, "data": hex_of(data)}, "latest")
        except RpcRefused as refusal:
            return revert_reason(refusal) or refusal.rpc_message
        return None

    def receipt(self, tx_hash: TxHash) -> dict[str, Any]:
        """The receipt, waited for. Raises: Unavailable ``no_receipt``."""
        deadline = time.monotonic() + _RECEIPT_WAIT_S
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = self._chain.call("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise Unavailable("no_receipt", f"transaction {tx_hash} has no receipt after {_RECEIPT_WAIT_S:.0f} s")


def succeeded(receipt: dict[str, Any]) -> bool:
    """Whether the transaction took effect."""
    return int(receipt["status"], 16) == 1
