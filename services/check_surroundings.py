"""The part of the checklist that others decide: the token, Chainlink, the promotions account, the charity, ether."""

from typing import Final

from eth_abi.abi import decode, encode

from bo_engine.errors import UsageError
from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, Wallet, hex_of, parse_wallet, usdt
from core.deployment import VrfTerms
from io_layer import wire
from io_layer.chain_reader import Call
from io_layer.chain_sender import read_balance_wei, read_base_fees, simulate
from io_layer.contract_code import USDT_DECIMALS
from io_layer.contract_codec import codec
from io_layer.rpc import RpcRefused
from services.check_deployment import Installation
from services.checklist import Checklist

#: Gas of a day's VRF request, commit and release on the chain, with room for Arbitrum's share for the parent chain.
DAILY_GAS: Final = 2_000_000

_ENOUGH_DAYS: Final = 14
_ENOUGH_JUELS: Final = 5 * 10**18
# How VRF v2.5 is asked for payment in LINK, as VRFV2PlusClient writes it.
_PAY_IN_LINK: Final = keccak256(b"VRF ExtraArgsV1")[:4] + encode(["bool"], [False])


def check_usdt(lines: Checklist, here: Installation) -> None:
    """The token answers, with six decimals, and is the one that was meant."""
    with lines.asking("USDT"):
        token = here.at["usdt"]
        decimals = here.chain.read(here.block, [Call("IERC20Metadata", token, "decimals")])[0]
        meant = here.terms.money.usdt if here.terms else token
        holds = token == meant and decimals == USDT_DECIMALS
        lines.add("USDT", holds, f"{token}, {decimals} decimals", f"expected {meant} with {USDT_DECIMALS}: deploy anew")


def check_vrf(lines: Checklist, here: Installation) -> None:
    """The receiver's coordinator and configuration, its subscription, and whether a request would be accepted."""
    with lines.asking("VRF"):
        coordinator = here.wallet("vrf_receiver", "coordinator")
        key_hash, gas, confirmations, subscription_id = here.read("vrf_receiver", "config")
        found = VrfTerms(coordinator, subscription_id, Hash32(key_hash), gas, confirmations)
        meant = here.terms.vrf if here.terms else found
        todo = f"expected {meant.coordinator}; it is fixed for good: deploy anew"
        lines.add("VRF coordinator", coordinator == meant.coordinator, coordinator, todo)
        settings = (found.key_hash, gas, confirmations, subscription_id)
        wanted = (meant.key_hash, meant.callback_gas_limit, meant.confirmations, meant.subscription_id)
        said = f"key hash {hex_of(found.key_hash)}, {gas} gas, {confirmations} confirmations"
        lines.add("VRF configuration", settings == wanted, said, "not as in the file: setVrfConfig, by OWNER")
        check_coordinator(lines, here, found, here.at["vrf_receiver"])


def check_coordinator(lines: Checklist, here: Installation, vrf: VrfTerms, consumer: Wallet | None) -> None:
    """The subscription at the coordinator; with a consumer also whether it may ask for a word."""
    with lines.asking("VRF key hash"):
        known = _is_known_key(here, vrf)
        if known is None:
            lines.skip("VRF key hash", "this coordinator does not tell which it knows (Chainlink's mock)")
        else:
            lines.add("VRF key hash", known, hex_of(vrf.key_hash), "the coordinator does not know it: look it up anew")
    with lines.asking("VRF subscription"):
        call = Call("TestCoordinator", vrf.coordinator, "getSubscription", (vrf.subscription_id,))
        try:
            juels, wei, _, owner, consumers = here.chain.read(here.block, [call])[0]
        except UsageError:
            todo = "no such subscription there: look up coordinator and id at Chainlink"
            lines.add("VRF subscription", False, f"{vrf.subscription_id} at {vrf.coordinator}", todo)
            return
        lines.add("VRF subscription", True, f"{vrf.subscription_id} of {parse_wallet(owner)}")
        said = f"{_in_ether(juels)} LINK, {_in_ether(wei)} ETH"
        lines.add("VRF balance", juels > 0, said, "fund the subscription with LINK: words are paid in it")
        if 0 < juels < _ENOUGH_JUELS:
            lines.add("VRF balance lasts", False, said, "less than 5 LINK", otherwise="warning")
        if consumer is not None:
            is_consumer = consumer in [parse_wallet(each) for each in consumers]
            todo = f"the subscription's owner calls addConsumer({vrf.subscription_id}, {consumer}) at the coordinator"
            if lines.add("VRF consumer", is_consumer, "yes" if is_consumer else "missing", todo):
                _check_request(lines, here, vrf, consumer)


def _check_request(lines: Checklist, here: Installation, vrf: VrfTerms, consumer: Wallet) -> None:
    with lines.asking("VRF request"):
        request = (
            vrf.key_hash, vrf.subscription_id, vrf.confirmations, vrf.callback_gas_limit, 1, _PAY_IN_LINK,
        )  # fmt: skip
        data = codec("TestCoordinator").call_data("requestRandomWords", (request,))
        simulate(here.chain, consumer, vrf.coordinator, data)
        lines.add("VRF request", True, "the coordinator would take one")


def _is_known_key(here: Installation, vrf: VrfTerms) -> bool | None:
    # A public mapping of the real coordinator, which the mock does not have.
    data = keccak256(b"s_provingKeys(bytes32)")[:4] + vrf.key_hash
    question = [{"to": vrf.coordinator, "data": hex_of(data)}, {"blockHash": here.block.block_hash}]
    try:
        answer = here.chain.request_both("eth_call", question, wire.data)
        return bool(decode(["bool", "uint64"], answer)[0])
    except (RpcRefused, ValueError, OverflowError):
        return None


def check_promotions(lines: Checklist, here: Installation, promotions: Wallet | None) -> None:
    """What the promotions account can pay for vouchers."""
    if promotions is None:
        return
    with lines.asking("promotions budget"):
        token, vault = here.at["usdt"], here.at["reserve_vault"]
        allowance, balance = here.chain.read(
            here.block,
            [
                Call("IERC20", token, "allowance", (promotions, vault)),
                Call("IERC20", token, "balanceOf", (promotions,)),
            ],
        )
        budget = min(allowance, balance)
        said = f"allows {_in_usdt(allowance)}, holds {_in_usdt(balance)}"
        todo = f"vouchers cannot be paid: promotions calls approve({vault}, amount) at the USDT, and holds that much"
        lines.add("promotions budget", budget > 0, said, todo, otherwise="warning")


def check_charity(lines: Checklist, here: Installation) -> None:
    """The charity of the deployment file is registered."""
    if here.terms is None:
        lines.skip("charity", "which one is meant stands in the deployment file only (--file)")
        return
    with lines.asking("charity"):
        charity = here.terms.money.charity
        holds = bool(here.read("charity_vault", "isCharity", charity))
        data = codec("CharityVault").call_data("registerCharity", (charity, here.terms.money.charity_name))
        todo = f"OWNER calls registerCharity at {here.at['charity_vault']}: {hex_of(data)}"
        lines.add("charity", holds, f"{charity} {'is' if holds else 'is not'} registered", todo)


def check_ether(lines: Checklist, here: Installation, settler: Wallet | None) -> None:
    """The SETTLER's ether, and how many days it lasts at the present price of gas."""
    if settler is None:
        return
    with lines.asking("SETTLER's ether"):
        wei = read_balance_wei(here.chain, settler)
        days = wei // (DAILY_GAS * max(*read_base_fees(here.chain), 1))
        said = f"{_in_ether(wei)} ETH, about {days} days" if days < 100_000 else f"{_in_ether(wei)} ETH"
        if lines.add("SETTLER's ether", days > 0, said, f"send ether to {settler}") and days < _ENOUGH_DAYS:
            lines.add("ether lasts", False, said, f"less than {_ENOUGH_DAYS} days: send more", otherwise="warning")


def check_pauses(lines: Checklist, here: Installation) -> None:
    """Nothing is paused."""
    with lines.asking("pauses"):
        paused = ["purchases"] if here.read("game_manager", "purchasesPaused") else []
        for key, what in (("prize_vault", "claims of prizes"), ("affiliate_vault", "claims of commissions")):
            if here.read(key, "pausedUntil") > here.block.timestamp_s:
                paused.append(what)
        lines.add("pauses", not paused, ", ".join(paused) or "none", "`contracts roles --unpause`", otherwise="warning")


def _in_ether(wei: int) -> str:
    whole, rest = divmod(wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").ljust(len(str(whole)) + 2, "0")


def _in_usdt(atoms: int) -> str:
    return "without limit" if atoms >= 2**255 else usdt(atoms)
