"""The part of the checklist that the deployment itself decides: code, wiring, offices, and the terms of the game."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from abi import is_code_of
from bo_engine.units import ZERO_WALLET, DayId, Hash32, Wallet, day_of, hex_of, parse_wallet, usdt
from core.deployment.creations import CREATIONS, WIRING_ORDER
from core.deployment.terms import DeployTerms
from core.lottery.game_constants import GameConstants, differences
from core.lottery.notices import Office, WindowState
from core.lottery.ruleset import Ruleset
from io_layer.lottery.contracts.constants import read_constants
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.reader import Block, Call, ChainReader
from merkle.leaf import leaf_domain
from services.deployment.checklist import Checklist, Verdict

CONTRACT_NAMES: Final = dict(CREATIONS)
#: Contract, its getter, and whom it must name.
PARTNERS: Final = (
    *(("roles", "settlement", "settlement"), ("settlement", "roles", "roles")),
    *(("game_manager", "roles", "roles"), ("game_manager", "settlement", "settlement")),
    *(("game_manager", "reserveVault", "reserve_vault"), ("game_manager", "gameTreasury", "game_treasury")),
    *(("reserve_vault", "roles", "roles"), ("reserve_vault", "usdt", "usdt")),
    *(("reserve_vault", "gameManager", "game_manager"), ("reserve_vault", "settlement", "settlement")),
    *(("reserve_vault", "prizeVault", "prize_vault"), ("reserve_vault", "affiliateVault", "affiliate_vault")),
    ("reserve_vault", "charityVault", "charity_vault"),
    *(("prize_vault", "roles", "roles"), ("prize_vault", "reserveVault", "reserve_vault")),
    ("prize_vault", "settlement", "settlement"),
    *(("affiliate_vault", "roles", "roles"), ("affiliate_vault", "reserveVault", "reserve_vault")),
    ("affiliate_vault", "settlement", "settlement"),
    *(("charity_vault", "roles", "roles"), ("charity_vault", "usdt", "usdt")),
    *(("claim_router", "prizeVault", "prize_vault"), ("claim_router", "affiliateVault", "affiliate_vault")),
    ("claim_router", "reserveVault", "reserve_vault"),
    *(("vrf_receiver", "roles", "roles"), ("vrf_receiver", "gameManager", "game_manager")),
)
SHORT_CHALLENGE_S: Final = 7_200


@dataclass(frozen=True, slots=True)
class Installation:
    """One deployment as it is looked at: addresses by key (``usdt`` too) at a final block, and what it was meant to
    be, if anybody says so."""

    chain: ChainReader
    block: Block
    at: Mapping[str, Wallet]
    terms: DeployTerms | None

    def call(self, key: str, function: str, *arguments: object) -> Call:
        """A call of one of the contracts."""
        return Call(CONTRACT_NAMES[key], self.at[key], function, arguments)

    def read(self, key: str, function: str, *arguments: object) -> Any:
        """The answer of both endpoints at the final block."""
        return self.chain.read(self.block, [self.call(key, function, *arguments)])[0]

    def wallet(self, key: str, function: str) -> Wallet:
        """An address that a contract names."""
        return parse_wallet(self.read(key, function))


def read_addresses(chain: ChainReader, block: Block, settlement: Wallet) -> dict[str, Wallet]:
    """All addresses, as SettlementV4 names them. Raises: UsageError ``contract_unexpected``."""
    wiring = chain.read(block, [Call("SettlementV4", settlement, "contracts")])[0]
    named = dict(zip(WIRING_ORDER, (parse_wallet(address) for address in wiring), strict=True))
    return {**named, "settlement": settlement}


def check_code(lines: Checklist, here: Installation) -> bool:
    """Each contract's code is ours, byte for byte but for its immutables; whether all are."""
    ours = 0
    for key, name in CREATIONS:
        with lines.asking(f"code of {name}"):
            code = here.chain.read_code(here.at[key], here.block)
            found = f"{here.at[key]}: {len(code)} bytes" if code else f"{here.at[key]}: nothing"
            todo = "this is not the code of abi/: whose is it? Do not use it" if code else "not deployed, or not final"
            ours += lines.add(f"code of {name}", is_code_of(name, code), found, todo)
    return ours == len(CREATIONS)


def check_wiring(lines: Checklist, here: Installation) -> None:
    """Each contract names the right partners, and the vaults' leaves are tied to this chain and vault."""
    with lines.asking("wiring"):
        wrong = []
        found = here.chain.read(here.block, [here.call(key, getter) for key, getter, _ in PARTNERS])
        for (key, getter, partner), address in zip(PARTNERS, found, strict=True):
            if parse_wallet(address) != here.at[partner]:
                wrong.append(f"{CONTRACT_NAMES[key]}.{getter}() is {parse_wallet(address)}")
        wrong += [
            f"{CONTRACT_NAMES[key]}.leafDomain() is of another chain or vault"
            for key in ("prize_vault", "affiliate_vault")
            if Hash32(here.read(key, "leafDomain")) != leaf_domain(here.chain.chain_id, here.at[key])
        ]
        said = "; ".join(wrong) or f"{len(PARTNERS)} references agree"
        lines.add("wiring", not wrong, said, "the contracts belong to different deployments: deploy anew")


def check_offices(lines: Checklist, here: Installation) -> dict[str, Wallet]:
    """Who holds the five offices, what kind of account each is, who is suspended and who is named next; the holders of
    those that are not empty."""
    holders: dict[str, Wallet] = {}
    with lines.asking("offices"):
        offices = read_offices(here.chain, here.block, here.at["roles"])
        for name, office in offices.items():
            with lines.asking(name):
                _check_office(lines, here, office)
                if office.holder != ZERO_WALLET:
                    holders[name] = office.holder
        _check_owner(lines, here, offices["owner"].holder)
        _check_namings(lines, here, offices)
    return holders


def _check_office(lines: Checklist, here: Installation, office: Office) -> None:
    name, holder = office.name, office.holder
    todo = f"OWNER names a holder: `contracts roles --name {name} 0x..`"
    if holder == ZERO_WALLET:
        lines.add(name, False, "empty: OWNER has removed its holder", todo)
        return
    found = f"{holder}, {'a contract' if is_contract(here, holder) else 'a single key'}"
    if office.is_suspended:
        lifted = f"find out why; OWNER lifts it (`contracts roles --lift {holder}`) or names another"
        lines.add(name, False, f"{found}, suspended by GUARDIAN: it can do nothing", lifted)
        return
    wanted = getattr(here.terms.roles, name) if here.terms else holder
    todo = f"the file says {wanted}: `contracts roles --name {name} {wanted}`, or correct the file"
    lines.add(name, holder == wanted, found, todo)


def _check_owner(lines: Checklist, here: Installation, owner: Wallet) -> None:
    with lines.asking("OWNER is a multisig"):
        is_multisig = here.chain.is_local or is_contract(here, owner)
        said = "a contract or a local chain" if is_multisig else "a single key"
        lines.add("OWNER is a multisig", is_multisig, said, "name a multisig as OWNER", otherwise=Verdict.WARNING)


def _check_namings(lines: Checklist, here: Installation, offices: Mapping[str, Office]) -> None:
    now_s, is_any = here.block.timestamp_s, False
    for name, office in offices.items():
        if office.naming is None:
            continue
        is_any = True
        window = office.naming.window
        found = f"{office.naming.account} can take the office {window.in_words(now_s)}"
        by = "OWNER cancels it" if name == "guardian" else "GUARDIAN or OWNER cancels it"
        todo = f"is it meant? {by}: `contracts roles --cancel-naming {name}`"
        lines.add(
            f"naming of {name}", window.state_at(now_s) == WindowState.EXPIRED, found, todo, otherwise=Verdict.WARNING
        )
    if not is_any:
        lines.add("namings", True, "none")


def is_contract(here: Installation, account: Wallet) -> bool:
    """Whether code stands at the address."""
    return bool(here.chain.read_code(account, here.block))


def check_constants(lines: Checklist, ruleset: Ruleset, constants: GameConstants) -> None:
    """A line on the numbers that the ruleset and the contracts both name."""
    found = differences(ruleset, constants)
    said = "; ".join(found) or "the ruleset's numbers are the contracts'"
    lines.add("game constants", not found, said, "no day can be settled under it: take a ruleset with their numbers")


def check_terms(lines: Checklist, here: Installation, rulesets: Mapping[Hash32, Ruleset]) -> None:
    """First day, challenge period, range of numbers, ruleset, receivers."""
    terms = here.terms
    with lines.asking("first day"):
        first = DayId(here.read("game_manager", "firstDay"))
        settles = here.read("settlement", "firstDay")
        wanted = terms.game.first_day if terms else first
        lines.add(
            "first day", first == settles == wanted, f"{first}", f"expected {wanted}; it is fixed for good: deploy anew"
        )
    with lines.asking("challenge period"):
        period = int(here.read("settlement", "challengePeriod"))
        wanted_s = terms.game.challenge_period_s if terms else period
        lines.add(
            "challenge period", period == wanted_s, f"{period} s", f"expected {wanted_s} s; fixed for good: deploy anew"
        )
        if not here.chain.is_local and period < SHORT_CHALLENGE_S:
            lines.add(
                "time to veto", False, f"{period} s", "short for people: 7200 s is usual", otherwise=Verdict.WARNING
            )
    ruleset: Ruleset | None = None
    with lines.asking("ruleset"):
        first = DayId(here.read("game_manager", "firstDay"))
        day = max(first, day_of(here.block.timestamp_s))
        found = Hash32(here.read("game_manager", "rulesetHashOf", day))
        ruleset = rulesets.get(found)
        lines.add("ruleset", ruleset is not None, f"{hex_of(found)} on day {day}", "unknown here: RULESET_FILES")
        if terms:
            begins = Hash32(here.read("game_manager", "rulesetHashOf", first))
            wanted_hash = terms.game.ruleset_hash
            lines.add(
                "first ruleset", begins == wanted_hash, hex_of(begins), f"expected {hex_of(wanted_hash)}: deploy anew"
            )
        number_max = int(here.read("game_manager", "numberMax"))
        lines.add(
            "range of numbers",
            ruleset is None or ruleset.number_max == number_max,
            f"1 to {number_max}",
            f"the ruleset says 1 to {ruleset.number_max if ruleset else '?'}: no day can be settled",
        )
    with lines.asking("game constants"):
        constants = read_constants(here.chain, here.block, here.at["game_treasury"])
        if ruleset is None:
            lines.skip("game constants", "the ruleset is not known here")
        else:
            check_constants(lines, ruleset, constants)
    check_money(lines, here)


def check_money(lines: Checklist, here: Installation) -> None:
    """Receivers, heir and voucher cap."""
    terms = here.terms
    for name, getter, subject, wanted in (
        ("fee receiver", "feeReceiver", "fee-receiver", terms and terms.money.fee_receiver),
        ("gas safe", "gasSafe", "gas-safe", terms and terms.money.gas_safe),
    ):
        with lines.asking(name):
            receiver = here.wallet("reserve_vault", getter)
            meant = wanted or receiver
            todo = f"the file says {meant}: `contracts roles --announce {subject} {meant}`, or correct it"
            lines.add(name, receiver == meant, receiver, todo)
    with lines.asking("heir"):
        heir = here.wallet("settlement", "heir")
        meant = terms.money.heir if terms else heir
        lines.add("heir", heir == meant, heir, f"expected {meant}; it is fixed for good: deploy anew")
    with lines.asking("voucher cap"):
        cap = int(here.read("reserve_vault", "voucherCap"))
        meant_cap = terms.money.voucher_cap if terms else cap
        todo = f"the file says {usdt(meant_cap)}: `contracts roles --announce voucher-cap {meant_cap}`, or correct it"
        lines.add("voucher cap", cap == meant_cap, f"{usdt(cap)} a day", todo)
