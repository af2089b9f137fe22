"""Which contracts a deployment creates, in which order, at which addresses and with which arguments.

No contract has a setter for its partners: all references are immutable. So every address is computed from the
deployer's nonce before anything is deployed, and SettlementV4, the last one, asks every other whether it agrees.
"""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, Final

import rlp

from bo_engine.errors import require_input
from bo_engine.keccak import keccak256
from bo_engine.units import Wallet, hex_of, parse_wallet, wallet_bytes
from core.deployment.terms import DeployTerms

#: Key and contract, as abi/ names it, one transaction each, nonce after nonce.
CREATIONS: Final = (
    ("roles", "Roles"),
    ("game_treasury", "GameTreasury"),
    ("charity_vault", "CharityVault"),
    ("reserve_vault", "ReserveVault"),
    ("game_manager", "GameManager"),
    ("prize_vault", "PrizeVault"),
    ("affiliate_vault", "AffiliateVault"),
    ("claim_router", "ClaimRouter"),
    ("vrf_receiver", "VRFReceiver"),
    ("settlement", "SettlementV4"),
)
#: Those whose constructor asks a partner: it must stand already, also for a simulation.
ASKS_PARTNERS: Final = frozenset({"reserve_vault", "game_manager", "prize_vault", "affiliate_vault", "settlement"})
#: The fields of the contracts' struct Wiring, in its order.
WIRING_ORDER: Final = (
    "usdt",
    "roles",
    "game_manager",
    "game_treasury",
    "reserve_vault",
    "prize_vault",
    "affiliate_vault",
    "charity_vault",
    "vrf_receiver",
    "claim_router",
)


def create_address(deployer: Wallet, nonce: int) -> Wallet:
    """Return the address of the contract that ``deployer`` creates with transaction ``nonce`` (CREATE, RLP)."""
    require_input(nonce >= 0, "bad_nonce", f"a nonce is not negative, got {nonce}")
    return parse_wallet(hex_of(keccak256(rlp.encode([wallet_bytes(deployer), nonce]))[12:]))


def creation_addresses(deployer: Wallet, first_nonce: int) -> dict[str, Wallet]:
    """Where each contract will stand, by key, if its deployer's next transactions are these and no others."""
    return {key: create_address(deployer, first_nonce + place) for place, (key, _) in enumerate(CREATIONS)}


def wiring_of(terms: DeployTerms, at: Mapping[str, Wallet]) -> tuple[Wallet, ...]:
    """What SettlementV4.contracts() says of such a deployment."""
    addresses = {**at, "usdt": terms.money.usdt}
    return tuple(addresses[key] for key in WIRING_ORDER)


def constructor_arguments(terms: DeployTerms, at: Mapping[str, Wallet]) -> dict[str, tuple[Any, ...]]:
    """The arguments of each contract's constructor, by key."""
    usdt, roles, reserve_vault = terms.money.usdt, at["roles"], at["reserve_vault"]
    links = (
        usdt,
        at["game_manager"],
        at["prize_vault"],
        at["affiliate_vault"],
        at["charity_vault"],
        terms.money.fee_receiver,
        terms.money.gas_safe,
        terms.money.voucher_cap,
    )
    game, vrf = terms.game, terms.vrf
    vrf_config = (vrf.key_hash, vrf.callback_gas_limit, vrf.confirmations, vrf.link_per_request)
    return {
        "roles": (*astuple(terms.roles), at["settlement"]),
        "game_treasury": (game.number_max,),
        "charity_vault": (usdt, roles),
        "reserve_vault": (roles, links),
        "game_manager": (roles, reserve_vault, at["game_treasury"], game.first_day, game.ruleset_hash),
        "prize_vault": (reserve_vault, roles),
        "affiliate_vault": (reserve_vault, roles),
        "claim_router": (at["prize_vault"], at["affiliate_vault"], reserve_vault),
        "vrf_receiver": (vrf.coordinator, roles, at["game_manager"], vrf_config),
        "settlement": (wiring_of(terms, at), game.challenge_period_s, terms.money.heir),
    }
