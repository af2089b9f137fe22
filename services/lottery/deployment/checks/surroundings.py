"""The part of the checklist that others decide: the token, Chainlink, the promotions account, the charity, ether."""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from eth_abi.abi import encode

from bo_engine.errors import UsageError
from bo_engine.keccak import keccak256
from bo_engine.units import ZERO_WALLET, Hash32, Wallet, hex_of, parse_wallet, usdt
from core.deployment.terms import MAX_LAG_DAYS, VrfTerms
from core.lottery.notices import WindowState
from io_layer.contracts.code import USDT_DECIMALS
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.notices import charity_word, read_charity_announcement, vrf_config_in_words
from io_layer.rpc.reader import Call
from io_layer.rpc.sender import read_balance_wei, read_base_fees, simulate
from services.deployment.checklist import Checklist, Verdict
from services.lottery.deployment.checks.deployment import Installation

#: Gas of a day's VRF request, commit and release on the chain, with room for Arbitrum's share for the parent chain.
DAILY_GAS: Final = 2_000_000

_ENOUGH_DAYS: Final = 14
_TRANSFER_AND_CALL: Final = keccak256(b"transferAndCall(address,uint256,bytes)")[:4]  # of LINK (ERC-677)
# How VRF v2.5 is asked for payment in LINK, as VRFV2PlusClient writes it.
_PAY_IN_LINK: Final = keccak256(b"VRF ExtraArgsV1")[:4] + encode(["bool"], [False])


class OthersLine(StrEnum):
    """Lines on what others decide, by the name that is shown: a deployment is done without them."""

    USDT = "USDT"
    VRF_KEY_HASH = "VRF key hash"
    VRF_BALANCE = "VRF balance"
    VRF_REQUEST = "VRF request"
    CHARITY = "charity"
    SETTLER_ETHER = "SETTLER's ether"


def check_usdt(lines: Checklist, here: Installation) -> None:
    """The token answers, with six decimals, and is the one that was meant."""
    with lines.asking(OthersLine.USDT):
        token = here.at["usdt"]
        decimals = here.chain.read(here.block, [Call("IERC20Metadata", token, "decimals")])[0]
        meant = here.terms.money.usdt if here.terms else token
        holds = token == meant and decimals == USDT_DECIMALS
        todo = f"expected {meant} with {USDT_DECIMALS}: deploy anew"
        lines.add(OthersLine.USDT, holds, f"{token}, {decimals} decimals", todo)


def check_vrf(lines: Checklist, here: Installation) -> None:
    """The receiver's coordinator and configuration, its subscription, and whether a request would be accepted."""
    with lines.asking("VRF"):
        coordinator = here.wallet("vrf_receiver", "coordinator")
        key_hash, gas, confirmations, link_per_request = here.read("vrf_receiver", "config")
        found = VrfTerms(coordinator, Hash32(key_hash), gas, confirmations, link_per_request)
        meant = here.terms.vrf if here.terms else found
        todo = f"expected {meant.coordinator}; it is fixed for good: deploy anew"
        lines.add("VRF coordinator", coordinator == meant.coordinator, coordinator, todo)
        said = vrf_config_in_words(found.key_hash, gas, confirmations, link_per_request)
        holds = replace(found, coordinator=meant.coordinator) == meant
        todo = "the file says otherwise: `contracts roles --announce vrf-config ..`, or correct the file"
        lines.add("VRF configuration", holds, said, todo)
        check_key_hash(lines, here, found)
        _check_subscription(lines, here, found)


def check_key_hash(lines: Checklist, here: Installation, vrf: VrfTerms, *, otherwise: Verdict = Verdict.WRONG) -> None:
    """The coordinator knows the key hash: a request with another reverts."""
    with lines.asking(OthersLine.VRF_KEY_HASH):
        call = Call("TestCoordinator", vrf.coordinator, "s_provingKeys", (vrf.key_hash,))
        try:
            is_known, _ = here.chain.read(here.block, [call])[0]
        except UsageError:
            todo = "VRFReceiver asks it so before each request: this is no coordinator of VRF v2.5"
            lines.add(OthersLine.VRF_KEY_HASH, False, f"{vrf.coordinator} does not answer s_provingKeys", todo)
            return
        todo = "the coordinator does not know it: look it up anew at Chainlink"
        lines.add(OthersLine.VRF_KEY_HASH, is_known, hex_of(vrf.key_hash), todo, otherwise=otherwise)


def _check_subscription(lines: Checklist, here: Installation, vrf: VrfTerms) -> None:
    """The receiver's own subscription: it pays, in LINK, and anyone may fund it."""
    with lines.asking("VRF subscription"):
        receiver, number = here.at["vrf_receiver"], here.read("vrf_receiver", "subscriptionId")
        call = Call("TestCoordinator", vrf.coordinator, "getSubscription", (number,))
        try:
            juels, _, _, owner, consumers = here.chain.read(here.block, [call])[0]
        except UsageError:
            lines.add("VRF subscription", False, f"{number}: not there", "it was closed: no word can be requested")
            return
        is_whole = parse_wallet(owner) == receiver and receiver in [parse_wallet(each) for each in consumers]
        todo = "VRFReceiver must own it and be its consumer, or no word can be requested"
        lines.add("VRF subscription", is_whole, f"{number} of {parse_wallet(owner)}", todo)
        needed = vrf.link_per_request * (1 + _outstanding(here))
        said = f"{_in_ether(juels)} LINK, {_in_ether(needed)} needed for the next request"
        todo = _how_to_fund(here, vrf, number, needed - juels)
        if not lines.add(OthersLine.VRF_BALANCE, juels >= needed and juels > 0, said, todo):
            return
        _check_request(lines, here, vrf, number)
        enough = _ENOUGH_DAYS * vrf.link_per_request
        if juels < enough:
            todo = _how_to_fund(here, vrf, number, enough - juels)
            said = f"{said}; less than {_ENOUGH_DAYS} requests"
            lines.add("VRF balance lasts", False, said, todo, otherwise=Verdict.WARNING)


def _outstanding(here: Installation) -> int:
    """Unsettled days whose word is requested and has not come: each keeps its LINK."""
    next_day = here.read("settlement", "nextDay")
    days = range(next_day, next_day + MAX_LAG_DAYS + 1)
    found = here.chain.read(here.block, [here.call("vrf_receiver", "seedStatus", day) for day in days])
    return sum(1 for requested_at, has_word in found if requested_at and not has_word)


def _how_to_fund(here: Installation, vrf: VrfTerms, number: int, juels: int) -> str:
    """The call with which anyone who holds LINK funds the subscription."""
    link = here.chain.read(here.block, [Call("TestCoordinator", vrf.coordinator, "LINK")])[0]
    token = "the LINK token" if parse_wallet(link) == ZERO_WALLET else parse_wallet(link)
    values = (vrf.coordinator, max(juels, 1), encode(["uint256"], [number]))
    data = _TRANSFER_AND_CALL + encode(["address", "uint256", "bytes"], values)
    return (
        f"anyone funds it: transferAndCall({vrf.coordinator}, juels, abi.encode({number})) of {token}; for "
        f"{_in_ether(max(juels, 1))} LINK: {hex_of(data)}"
    )


def _check_request(lines: Checklist, here: Installation, vrf: VrfTerms, number: int) -> None:
    with lines.asking(OthersLine.VRF_REQUEST):
        request = (vrf.key_hash, number, vrf.confirmations, vrf.callback_gas_limit, 1, _PAY_IN_LINK)
        data = codec("TestCoordinator").call_data("requestRandomWords", (request,))
        simulate(here.chain, here.at["vrf_receiver"], vrf.coordinator, data)
        lines.add(OthersLine.VRF_REQUEST, True, "the coordinator would take one")


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
        lines.add("promotions budget", budget > 0, said, todo, otherwise=Verdict.WARNING)


def check_charity(lines: Checklist, here: Installation) -> None:
    """The charity of the deployment file is registered, or its announcement waits."""
    if here.terms is None:
        lines.skip(OthersLine.CHARITY, "which one is meant stands in the deployment file only (--file)")
        return
    with lines.asking(OthersLine.CHARITY):
        money, vault = here.terms.money, here.at["charity_vault"]
        if here.read("charity_vault", "isCharity", money.charity):
            lines.add(OthersLine.CHARITY, True, f"{money.charity} is registered")
            return
        found = read_charity_announcement(here.chain, here.block, vault, money.charity)
        now_s, speaks = here.block.timestamp_s, codec("CharityVault")
        state = WindowState.EXPIRED if found is None else found.window.state_at(now_s)
        if found is None or state == WindowState.EXPIRED:
            data = speaks.call_data("announceCharity", (money.charity, money.charity_name))
            todo = f"OWNER calls announceCharity at {vault}: {hex_of(data)}; 48 h later anyone executes it"
            lines.add(OthersLine.CHARITY, False, f"{money.charity} is neither registered nor announced", todo)
            return
        data = speaks.call_data("execute", (charity_word(money.charity),))
        todo = f"anyone calls execute at {vault}: {hex_of(data)}"
        lines.add(OthersLine.CHARITY, False, f"{found.value} is announced", f"{found.window.in_words(now_s)} {todo}",
                  otherwise=Verdict.WARNING)  # fmt: skip


def check_ether(lines: Checklist, here: Installation, settler: Wallet | None) -> None:
    """The SETTLER's ether, and how many days it lasts at the present price of gas."""
    if settler is None:
        return
    with lines.asking(OthersLine.SETTLER_ETHER):
        wei = read_balance_wei(here.chain, settler)
        days = wei // (DAILY_GAS * max(*read_base_fees(here.chain), 1))
        said = f"{_in_ether(wei)} ETH, about {days} days" if days < 100_000 else f"{_in_ether(wei)} ETH"
        if lines.add(OthersLine.SETTLER_ETHER, days > 0, said, f"send ether to {settler}") and days < _ENOUGH_DAYS:
            lines.add(
                "ether lasts", False, said, f"less than {_ENOUGH_DAYS} days: send more", otherwise=Verdict.WARNING
            )


def check_pauses(lines: Checklist, here: Installation) -> None:
    """No claims are paused; of sales `check_sales` tells."""
    with lines.asking("pauses"):
        paused = []
        for key, what in (("prize_vault", "claims of prizes"), ("affiliate_vault", "claims of commissions")):
            if here.read(key, "pausedUntil") > here.block.timestamp_s:
                paused.append(what)
        todo = "`contracts roles --unpause ..`"
        lines.add("pauses", not paused, ", ".join(paused) or "none", todo, otherwise=Verdict.WARNING)


def _in_ether(wei: int) -> str:
    whole, rest = divmod(wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").ljust(len(str(whole)) + 2, "0")


def _in_usdt(atoms: int) -> str:
    return "without limit" if atoms >= 2**255 else usdt(atoms)
