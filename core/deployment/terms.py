"""What people decide before the contracts are deployed, as one small file that can be reviewed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import (
    MAX_DAY_ID,
    ZERO_HASH,
    ZERO_WALLET,
    DayId,
    Hash32,
    Wallet,
    hex_of,
    parse_hash32,
    parse_typed_wallet,
)

# What the contracts' own constructors refuse, said before anything is sent.
NUMBER_MAX_RANGE: Final = range(6, 50)
CHALLENGE_S_RANGE: Final = range(600, 20 * 3_600 + 1)
FIRST_DAY_AHEAD: Final = 30
LEAST_CALLBACK_GAS: Final = 100_000
MAX_VOUCHER_CAP: Final = 2**88 - 1
MAX_LINK: Final = 2**96 - 1
#: Sales stop when today is more than so many days after the oldest unsettled day.
MAX_LAG_DAYS: Final = 5
MAX_CHARITY_NAME: Final = 80
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RoleWallets:
    """The five accounts with a part to play; all distinct."""

    owner: Wallet
    guardian: Wallet
    relayer: Wallet
    settler: Wallet
    promotions: Wallet


@dataclass(frozen=True, slots=True)
class GameTerms:
    """What the game begins with."""

    first_day: DayId
    number_max: int
    ruleset_hash: Hash32
    challenge_period_s: int


@dataclass(frozen=True, slots=True)
class MoneyTerms:
    """The token, which exists already, and who is paid by the vaults."""

    usdt: Wallet
    fee_receiver: Wallet
    gas_safe: Wallet
    charity: Wallet
    charity_name: str
    heir: Wallet  # receives the pools' money of an abandoned game
    voucher_cap: int  # atoms of voucher stake on one day


@dataclass(frozen=True, slots=True)
class VrfTerms:
    """Chainlink's coordinator, which exists already, and how words are asked for."""

    coordinator: Wallet
    key_hash: Hash32
    callback_gas_limit: int
    confirmations: int
    link_per_request: int  # juels that must be there for each outstanding word


@dataclass(frozen=True, slots=True)
class DeployTerms:
    """All of it."""

    chain_id: int
    roles: RoleWallets
    game: GameTerms
    money: MoneyTerms
    vrf: VrfTerms


def parse_terms(document: Mapping[str, Any]) -> DeployTerms:
    """The terms in a TOML document, each checked; nothing may be missing and nothing more may stand there.

    Raises: InvalidInput ``bad_deployment_file`` naming the entry and its rule; ``roles_not_distinct``.
    """
    parts = {"roles": RoleWallets, "game": GameTerms, "money": MoneyTerms, "vrf": VrfTerms}
    _require_keys("", document, {"chain_id", *parts})
    values = {name: _parse_table(name, kind, document[name]) for name, kind in parts.items()}
    terms = DeployTerms(chain_id=_entry("chain_id", document["chain_id"], _positive), **values)
    wallets = asdict(terms.roles)
    for name, wallet in wallets.items():
        twin = next(other for other, each in wallets.items() if each == wallet)
        require_input(
            twin == name,
            "roles_not_distinct",
            f"roles.{twin} and roles.{name} are both {wallet}: the five must be distinct, so that no stolen key "
            "holds two powers",
        )
    return terms


def terms_document(terms: DeployTerms) -> dict[str, Any]:
    """The terms as plain JSON values that ``parse_terms`` reads; what has 256 bits is text."""
    document = asdict(terms)
    document["game"]["ruleset_hash"] = hex_of(terms.game.ruleset_hash)
    document["vrf"]["key_hash"] = hex_of(terms.vrf.key_hash)
    document["money"]["voucher_cap"] = str(terms.money.voucher_cap)
    document["vrf"]["link_per_request"] = str(terms.vrf.link_per_request)
    return document


def _parse_table(table: str, kind: type[Any], document: object) -> Any:
    if not isinstance(document, dict):
        raise _bad(table, "a table")
    names = {field.name for field in fields(kind)}
    _require_keys(f"{table}.", document, names)
    return kind(**{name: _entry(f"{table}.{name}", document[name], _RULES.get(name, _wallet)) for name in names})


def _require_keys(prefix: str, document: Mapping[str, Any], names: set[str]) -> None:
    for name in sorted(names ^ set(document)):
        what = "is missing" if name in names else "is not known: is it misspelt?"
        raise InvalidInput("bad_deployment_file", f"the deployment file's entry {prefix}{name} {what}")


def _entry(name: str, value: object, rule: Callable[[object], T]) -> T:
    try:
        return rule(value)
    except ValueError as wanted:
        raise _bad(name, str(wanted)) from None
    except InvalidInput as error:
        raise InvalidInput("bad_deployment_file", f"the deployment file's entry {name}: {error.message}") from None


def _bad(name: str, wanted: str) -> InvalidInput:
    return InvalidInput("bad_deployment_file", f"the deployment file's entry {name} must be {wanted}")


def _wallet(value: object) -> Wallet:
    wallet = parse_typed_wallet(value)
    if wallet == ZERO_WALLET:
        raise ValueError("an address that is not zero")
    return wallet


def _hash(value: object) -> Hash32:
    # Bytes cannot stand in TOML, but parse_hash32 would take them.
    found = parse_hash32(str(value))
    if found == ZERO_HASH:
        raise ValueError("a hash that is not zero")
    return found


def _number(least: int, most: int, what: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        # Not isinstance: true would pass for 1.
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{what} from {least} to {most}")
        return value

    return check


def _positive(value: object) -> int:
    return _number(1, 2**63 - 1, "a whole number")(value)


def _amount(most: int, what: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        # TOML's whole numbers end at 64 bits, so an amount stands there as text.
        if not isinstance(value, str) or not re.fullmatch(r"0|[1-9][0-9]{0,38}", value) or int(value) > most:
            raise ValueError(f"{what} in quotes, a whole number from 0 to {most}")
        return int(value)

    return check


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_CHARITY_NAME or not value.isprintable():
        raise ValueError(f"a printable text of up to {MAX_CHARITY_NAME} characters")
    return value.strip()


_RULES: Final[dict[str, Callable[[object], Any]]] = {
    "first_day": _number(1, MAX_DAY_ID, "a day id (whole days since 1970-01-01 UTC)"),
    "number_max": _number(NUMBER_MAX_RANGE[0], NUMBER_MAX_RANGE[-1], "the highest number of a tip,"),
    "ruleset_hash": _hash,
    "challenge_period_s": _number(CHALLENGE_S_RANGE[0], CHALLENGE_S_RANGE[-1], "seconds,"),
    "charity_name": _name,
    "voucher_cap": _amount(MAX_VOUCHER_CAP, "atoms"),
    "link_per_request": _amount(MAX_LINK, "juels of LINK"),
    "key_hash": _hash,
    "callback_gas_limit": _number(LEAST_CALLBACK_GAS, 2**32 - 1, "an amount of gas"),
    "confirmations": _number(1, 200, "a number of blocks"),
}
