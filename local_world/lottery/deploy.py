"""Deploys the contracts onto a local chain, with the test token and Chainlink's VRF mock in place of the real ones.

The order, the addresses and the arguments are core's, the same as of a real deployment; this one does not mind being
killed, because its world goes with it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

import abi
from bo_engine.errors import InvariantBroken, require_input, require_invariant
from bo_engine.keccak import keccak256
from bo_engine.units import DayId, Hash32, Wallet, parse_wallet
from core.deployment.creations import CREATIONS, constructor_arguments, create_address, creation_addresses, wiring_of
from core.deployment.terms import DeployTerms, GameTerms, MoneyTerms, RoleWallets, VrfTerms
from io_layer.contracts.codec import codec

# Enough for the largest contract; an estimate is impossible while its partners are not deployed yet.
DEPLOY_GAS = 5_000_000
CALL_GAS = 1_000_000
RECEIPT_TIMEOUT_S = 30.0
_POLL_S = 0.02
VRF_KEY_HASH = Hash32(keccak256(b"bo-engine local vrf lane"))
VRF_CALLBACK_GAS = 200_000
VRF_CONFIRMATIONS = 3
VRF_BASE_FEE = 10**17
VRF_GAS_PRICE = 10**9
VRF_WEI_PER_UNIT_LINK = 4 * 10**15
VRF_FUNDS = 10**6 * 10**18  # juels; a word costs about a quarter LINK
VRF_LINK_PER_REQUEST = 10**18
VOUCHER_CAP = 10**10  # atoms: 10,000 USDT a day
WORDS = 2**256  # a VRF word is one of so many


@dataclass(frozen=True, slots=True)
class DeployedContracts:
    """Every address of a deployment, and the first block that can hold one of its events."""

    usdt: Wallet
    roles: Wallet
    game_manager: Wallet
    game_treasury: Wallet
    reserve_vault: Wallet
    prize_vault: Wallet
    affiliate_vault: Wallet
    charity_vault: Wallet
    vrf_receiver: Wallet
    claim_router: Wallet
    settlement: Wallet
    vrf_coordinator: Wallet
    vrf_subscription_id: int
    fee_receiver: Wallet
    gas_safe: Wallet
    charity: Wallet
    heir: Wallet
    from_block: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for world.json; ``vrf_subscription_id`` as text, because it has up to 256 bits."""
        return asdict(self) | {"vrf_subscription_id": str(self.vrf_subscription_id)}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> "DeployedContracts":
        """The inverse of ``as_dict``."""
        return DeployedContracts(**{**document, "vrf_subscription_id": int(document["vrf_subscription_id"])})


def contract_at(w3: Web3, name: str, address: Wallet) -> Contract:
    """Return web3's contract object for one of our artifacts at an address."""
    return w3.eth.contract(address=Web3.to_checksum_address(address), abi=abi.load(name).abi)


def deploy_contracts(
    w3: Web3,
    owner_account: LocalAccount,
    *,
    roles: RoleWallets,
    number_max: int,
    first_day: DayId,
    ruleset_hash: Hash32,
    challenge_period_s: int,
    fee_receiver: Wallet,
    gas_safe: Wallet,
    charity: Wallet,
    heir: Wallet,
    charity_name: str = "Local charity",
) -> DeployedContracts:
    """Deploy everything as the owner, fund the VRF subscription, announce the charity (in force two days later).

    The owner pays the gas and deploys, so his nonce decides the addresses: it must send nothing else meanwhile.
    Raises: InvariantBroken ``deploy_failed`` if a transaction fails or a contract names another partner.
    """
    deployer = LocalSender(w3, owner_account)
    usdt, vrf_coordinator = (create_address(deployer.wallet, deployer.nonce + place) for place in range(2))
    coordinator = contract_at(w3, "TestCoordinator", vrf_coordinator)
    first = [
        deployer.send_creation("TestUSDT", ()),
        deployer.send_creation("TestCoordinator", (VRF_BASE_FEE, VRF_GAS_PRICE, VRF_WEI_PER_UNIT_LINK)),
    ]
    terms = DeployTerms(
        chain_id=int(w3.eth.chain_id),
        roles=roles,
        game=GameTerms(first_day, number_max, ruleset_hash, challenge_period_s),
        money=MoneyTerms(usdt, fee_receiver, gas_safe, charity, charity_name, heir, VOUCHER_CAP),
        vrf=VrfTerms(vrf_coordinator, VRF_KEY_HASH, VRF_CALLBACK_GAS, VRF_CONFIRMATIONS, VRF_LINK_PER_REQUEST),
    )
    at = creation_addresses(deployer.wallet, deployer.nonce)
    arguments = constructor_arguments(terms, at)
    from_block = deployer.wait_all(
        [*first, *(deployer.send_creation(name, arguments[key]) for key, name in CREATIONS)]
    )[0]
    receiver = contract_at(w3, "VRFReceiver", at["vrf_receiver"])
    # The receiver makes its subscription itself; the id is the coordinator's to choose.
    subscription_id = int(receiver.functions.subscriptionId().call())
    charity_vault = contract_at(w3, "CharityVault", at["charity_vault"])
    deployer.wait_all(
        [
            deployer.send_call(coordinator.functions.setProvingKey(VRF_KEY_HASH, True)),
            deployer.send_call(coordinator.functions.fundSubscription(subscription_id, VRF_FUNDS)),
            deployer.send_call(charity_vault.functions.announceCharity(*_checksum(charity), charity_name)),
        ]
    )
    deployed = DeployedContracts(
        **at,
        usdt=usdt,
        vrf_coordinator=vrf_coordinator,
        vrf_subscription_id=subscription_id,
        fee_receiver=fee_receiver,
        gas_safe=gas_safe,
        charity=charity,
        heir=heir,
        from_block=from_block["blockNumber"],
    )
    stands = contract_at(w3, "SettlementV4", deployed.settlement).functions.contracts().call()
    wiring = _checksum(*wiring_of(terms, at))
    require_invariant(tuple(stands) == wiring, "deploy_failed", "the contracts stand elsewhere than computed")
    return deployed


def fulfil_vrf(
    w3: Web3, deployed: DeployedContracts, sender: LocalAccount, day_id: DayId, word: int | None = None
) -> int:
    """Answer the pending VRF request of a day with a word of the system's randomness, or a given one; return the word.

    Plays Chainlink's part: any funded account may send it. Raises: InvalidInput ``no_vrf_request`` before
    ``requestSeed``; InvariantBroken ``vrf_callback_failed`` if the receiver does not hold the word afterwards.
    """
    receiver = contract_at(w3, "VRFReceiver", deployed.vrf_receiver)
    request_id, requested_at, _ = receiver.functions.requestOf(day_id).call()
    require_input(requested_at != 0, "no_vrf_request", f"no word of day {day_id} is requested yet")
    word = secrets.randbelow(WORDS) if word is None else word
    coordinator = contract_at(w3, "TestCoordinator", deployed.vrf_coordinator)
    deployer = LocalSender(w3, sender)
    deployer.wait(
        deployer.send_call(
            coordinator.functions.fulfillRandomWordsWithOverride(request_id, receiver.address, [word]),
        )
    )
    fulfilled, stored = receiver.functions.wordOf(day_id).call()
    require_invariant(fulfilled and stored == word, "vrf_callback_failed", f"day {day_id} holds no word, or another")
    return word


def _checksum(*wallets: Wallet) -> tuple[str, ...]:
    # web3 takes addresses in EIP-55 form only.
    return tuple(Web3.to_checksum_address(wallet) for wallet in wallets)


class LocalSender:
    """Signs and sends one account's transactions in order, without waiting for each."""

    def __init__(self, w3: Web3, account: LocalAccount) -> None:
        self._w3 = w3
        self._account = account
        self._chain_id = w3.eth.chain_id
        self.wallet = parse_wallet(account.address)
        self.nonce = int(w3.eth.get_transaction_count(account.address, "pending"))

    def send_creation(self, name: str, arguments: Sequence[Any]) -> bytes:
        return self._sign_and_send({**self._terms(DEPLOY_GAS), "data": codec(name).creation(arguments)})

    def send_call(self, call: Any) -> bytes:
        return self._sign_and_send(call.build_transaction({"from": self._account.address, **self._terms(CALL_GAS)}))

    def _terms(self, gas: int) -> dict[str, Any]:
        return {
            "chainId": self._chain_id,
            "nonce": self.nonce,
            "gas": gas,
            "maxFeePerGas": 2 * int(self._w3.eth.gas_price),
            "maxPriorityFeePerGas": 0,
            "value": 0,
        }

    def _sign_and_send(self, transaction: dict[str, Any]) -> bytes:
        signed = self._account.sign_transaction(transaction)
        self.nonce += 1
        return bytes(self._w3.eth.send_raw_transaction(signed.raw_transaction))

    def wait(self, tx_hash: bytes) -> TxReceipt:
        receipt = self._w3.eth.wait_for_transaction_receipt(
            HexBytes(tx_hash), timeout=RECEIPT_TIMEOUT_S, poll_latency=_POLL_S
        )
        if receipt["status"] != 1:
            raise InvariantBroken("deploy_failed", f"transaction 0x{tx_hash.hex()} was reverted")
        return receipt

    def wait_all(self, tx_hashes: Sequence[bytes]) -> list[TxReceipt]:
        return [self.wait(tx_hash) for tx_hash in tx_hashes]
