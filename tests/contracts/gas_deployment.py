"""A deployment of the contracts onto a local chain, by the contracts' names and nothing else of the engine.

The gas table is about the contracts alone, so it can be measured before the engine knows a new interface.
"""

from collections.abc import Callable, Sequence
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3

from bo_engine.keccak import keccak256
from core.creations import create_address
from local_world.deploy import LocalSender, contract_at

#: In the order of their creation; SettlementV4 asks all others, and several ask Roles for it.
NAMES = (
    *("GameTreasury", "Roles", "CharityVault", "ReserveVault", "GameManager", "VRFReceiver"),
    *("PrizeVault", "AffiliateVault", "ClaimRouter", "SettlementV4"),
)
WIRING = (
    *("TestUSDT", "Roles", "GameManager", "GameTreasury", "ReserveVault"),
    *("PrizeVault", "AffiliateVault", "CharityVault", "VRFReceiver", "ClaimRouter"),
)
NUMBER_MAX = 38
CHALLENGE_S = 600
VOUCHER_CAP_ATOMS = 10**12
KEY_HASH = keccak256(b"lane")
LINK_JUELS = 10**24
# The mock's base fee, gas price and price of LINK.
COORDINATOR_TERMS = (10**17, 10**9, 4 * 10**15)
VRF_CONFIG = (KEY_HASH, 200_000, 3, 10**18)


def deploy(
    w3: Web3, owner: LocalAccount, *, account: Callable[[str], str], first_day: int, ruleset_hash: bytes
) -> dict[str, str]:
    """Create all contracts; returns their addresses by name. ``account`` gives the address of an office or receiver."""
    sender = LocalSender(w3, owner)

    def create(name: str, arguments: Sequence[Any]) -> str:
        return str(sender.wait(sender.send_creation(name, arguments))["contractAddress"])

    at = {"TestUSDT": create("TestUSDT", ()), "TestCoordinator": create("TestCoordinator", COORDINATOR_TERMS)}
    coordinator: Any = contract_at(w3, "TestCoordinator", at["TestCoordinator"])  # type: ignore[arg-type]
    sender.wait(sender.send_call(coordinator.functions.setProvingKey(KEY_HASH, True)))
    for place, name in enumerate(NAMES):
        at[name] = Web3.to_checksum_address(create_address(sender.wallet, sender.nonce + place))
    offices = [account(office) for office in ("owner", "guardian", "relayer", "settler", "promotions")]
    receivers = (account("fee receiver"), account("gas safe"))
    vaults = (at["PrizeVault"], at["AffiliateVault"])
    links = (at["TestUSDT"], at["GameManager"], *vaults, at["CharityVault"], *receivers, VOUCHER_CAP_ATOMS)
    arguments = {
        "GameTreasury": (NUMBER_MAX,),
        "Roles": (*offices, at["SettlementV4"]),
        "CharityVault": (at["TestUSDT"], at["Roles"]),
        "ReserveVault": (at["Roles"], links),
        "GameManager": (at["Roles"], at["ReserveVault"], at["GameTreasury"], first_day, ruleset_hash),
        "VRFReceiver": (at["TestCoordinator"], at["Roles"], at["GameManager"], VRF_CONFIG),
        "PrizeVault": (at["ReserveVault"], at["Roles"]),
        "AffiliateVault": (at["ReserveVault"], at["Roles"]),
        "ClaimRouter": (*vaults, at["ReserveVault"]),
        "SettlementV4": (tuple(at[name] for name in WIRING), CHALLENGE_S, account("heir")),
    }
    for name in NAMES:
        assert create(name, arguments[name]) == at[name], name
    receiver: Any = contract_at(w3, "VRFReceiver", at["VRFReceiver"])  # type: ignore[arg-type]
    subscription_id = receiver.functions.subscriptionId().call()
    sender.wait(sender.send_call(coordinator.functions.fundSubscription(subscription_id, LINK_JUELS)))
    return at
