"""The calls that announce, execute and cancel what changes a deployment: receivers, the voucher cap, VRF, charities,
rulesets, the end of the game (rule 7.3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.units import MAX_DAY_ID, Hash32, parse_hash32
from core.deployment.terms import LEAST_CALLBACK_GAS, MAX_CHARITY_NAME, MAX_LINK, MAX_VOUCHER_CAP
from io_layer.lottery.contracts.notices import CHARITY, SUBJECTS, Subject, charity_word
from services.lottery.deployment.calls import ANYONE, Call, Desk, require_outside, typed_number, typed_wallet
from services.lottery.rulesets import ruleset_to_schedule

_ANNOUNCE: Final = "--announce"
_MOST_GAS: Final = 2**32 - 1
_MOST_CONFIRMATIONS: Final = 200
_LATER: Final = "48 hours to 14 days after the first call is mined"


def announce(desk: Desk, subject: str, value: str) -> list[Call]:
    """OWNER's call, and the one with which anyone brings it into force. A lower voucher cap needs no second one: it is
    in force at once.

    Raises: UsageError ``bad_subject``, ``bad_value``, ``bad_wallet``, ``bad_number``; InvalidInput ``account_is_ours``.
    """
    if subject == CHARITY.name:
        address, _, name = value.partition(",")
        charity = require_outside(desk, typed_wallet(address, f"{_ANNOUNCE} charity"), f"{_ANNOUNCE} charity")
        if not 0 < len(name.strip()) <= MAX_CHARITY_NAME or not name.isprintable():
            raise UsageError("bad_value", f"{_ANNOUNCE} charity wants ADDRESS,NAME; a name of 1 to {MAX_CHARITY_NAME}")
        return _announced(desk, CHARITY, (charity, name.strip()), charity_word(charity))
    one = _subject(subject)
    flag = f"{_ANNOUNCE} {subject}"
    if subject == "vrf-config":
        return _announced(desk, one, (_vrf_config(value, flag),), one.word)
    if one.types == ("address",):
        return _announced(desk, one, (require_outside(desk, typed_wallet(value, flag), flag),), one.word)
    amount = typed_number(value, flag, MAX_VOUCHER_CAP)
    if subject == "voucher-cap" and amount < desk.read("ReserveVault", "voucherCap"):
        return [desk.call("owner", one.contract, "lowerVoucherCap", amount)]
    return _announced(desk, one, (amount,), one.word)


def execute(desk: Desk, subject: str) -> list[Call]:
    """The call with which anyone brings an announcement into force; a charity's subject is its address.

    Raises: UsageError ``bad_subject``, ``bad_wallet``.
    """
    contract, word = _announced_subject(subject, "--execute")
    return [desk.call(ANYONE, contract, "execute", word)]


def cancel(desk: Desk, subject: str) -> list[Call]:
    """GUARDIAN's call, or OWNER's, that takes an announcement back. Raises: as ``execute``."""
    contract, word = _announced_subject(subject, "--cancel")
    return [desk.call("guardian", contract, "cancel", word, or_by="owner")]


def announce_end(desk: Desk, day: str, text: str) -> list[Call]:
    """OWNER's call that ends the game with a day, and the one with which anyone finishes it.

    Raises: UsageError ``bad_number``, ``bad_wallet``.
    """
    last_day, receiver = typed_number(day, "--announce-end", MAX_DAY_ID), typed_wallet(text, "--announce-end")
    return [
        desk.call("owner", "SettlementV4", "announceEnd", last_day, receiver),
        desk.call(ANYONE, "SettlementV4", "finish", later=f"once every day up to {last_day} is released or voided"),
    ]


def cancel_end(desk: Desk) -> list[Call]:
    """GUARDIAN's call, or OWNER's, that takes an announced end back; an abandoned game's is OWNER's alone."""
    _, _, is_abandoned = desk.read("SettlementV4", "end")
    if is_abandoned:
        return [desk.call("owner", "SettlementV4", "cancelEnd")]
    return [desk.call("guardian", "SettlementV4", "cancelEnd", or_by="owner")]


def finish(desk: Desk) -> list[Call]:
    """The call with which anyone sends what is left in the pools to the receiver of the end."""
    return [desk.call(ANYONE, "SettlementV4", "finish")]


def schedule_ruleset(desk: Desk, path: Path, from_day: int) -> list[Call]:
    """OWNER's call that lets a ruleset rule from a day on; one waits at a time, a new one takes its place.

    Raises: UsageError ``bad_ruleset_file``, ``ruleset_differs``.
    """
    ruleset_hash = ruleset_to_schedule(path, desk.game.constants)
    return [desk.call("owner", "GameManager", "scheduleRuleset", ruleset_hash, from_day)]


def cancel_ruleset(desk: Desk) -> list[Call]:
    """GUARDIAN's call, or OWNER's, that takes the waiting ruleset back."""
    return [desk.call("guardian", "GameManager", "cancelRuleset", or_by="owner")]


def _announced(desk: Desk, subject: Subject, arguments: Sequence[object], word: Hash32) -> list[Call]:
    return [
        desk.call("owner", subject.contract, subject.function, *arguments),
        desk.call(ANYONE, subject.contract, "execute", word, later=_LATER),
    ]


def _announced_subject(subject: str, flag: str) -> tuple[str, Hash32]:
    if subject.startswith("0x"):
        return CHARITY.contract, charity_word(typed_wallet(subject, flag))
    one = _subject(subject)
    return one.contract, one.word


def _subject(name: str) -> Subject:
    if name not in SUBJECTS:
        raise UsageError(
            "bad_subject", f"what is announced is one of {', '.join(SUBJECTS)}, or a charity (by its address)"
        )
    return SUBJECTS[name]


def _vrf_config(value: str, flag: str) -> tuple[Hash32, int, int, int]:
    parts = value.split(",")
    if len(parts) != 4:
        raise UsageError("bad_value", f"{flag} wants KEY_HASH,GAS,CONFIRMATIONS,JUELS")
    try:
        key_hash = parse_hash32(parts[0])
    except InvalidInput as error:
        raise UsageError(error.code, f"{flag}: {error.message}") from None
    gas = typed_number(parts[1], flag, _MOST_GAS)
    if gas < LEAST_CALLBACK_GAS:
        raise UsageError("bad_value", f"{flag}: the callback gets at least {LEAST_CALLBACK_GAS} gas")
    return key_hash, gas, typed_number(parts[2], flag, _MOST_CONFIRMATIONS), typed_number(parts[3], flag, MAX_LINK)
