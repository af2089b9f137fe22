"""Who holds the five offices, and the calls that name, remove, suspend, pause and veto (rules 7.1 and 7.5)."""

from dataclasses import asdict
from typing import Any, Final

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.units import ZERO_WALLET, day_of
from core.lottery.notices import KEY_OFFICES, OFFICES, Office, WindowState, office_number, sales_on
from services.lottery.deployment.calls import Call, Desk, typed_wallet

_POWERS: Final = {
    "owner": "names the holders of all offices, announces receivers and the end, schedules rulesets and rates",
    "guardian": "vetoes commits, suspends keys, cancels what OWNER announces, pauses purchases and claims",
    "relayer": "relays purchases that players have signed (the App's key)",
    "settler": "requests seeds and commits days (the engine's key)",
    "promotions": "pays for vouchers; no power",
}
#: What can be paused: contract, how it is paused and opened again.
PAUSABLE: Final = {
    "purchases": ("GameManager", "pausePurchases", "unpausePurchases"),
    "prizes": ("PrizeVault", "pauseClaims", "unpauseClaims"),
    "commissions": ("AffiliateVault", "pauseClaims", "unpauseClaims"),
}


def office_facts(desk: Desk) -> list[dict[str, Any]]:
    """Each office: holder, kind of account, suspended or not, the named successor with its window, powers."""
    return [_facts(desk, office) for office in desk.offices.values()]


def _facts(desk: Desk, office: Office) -> dict[str, Any]:
    is_empty, naming = office.holder == ZERO_WALLET, office.naming
    kind = "contract" if desk.game.chain.read_code(office.holder, desk.block) else "single key"
    return {
        "role": office.name,
        "holder": None if is_empty else office.holder,
        "kind": "empty" if is_empty else kind,
        "suspended": office.is_suspended,
        "named": naming
        and {
            "account": naming.account,
            "not_before": naming.window.not_before_s,
            "not_after": naming.window.not_after_s,
            "window": naming.window.in_words(desk.block.timestamp_s),
        },
        "may": _POWERS[office.name],
    }


def sales_facts(desk: Desk) -> dict[str, Any]:
    """Whether tickets are sold now, and until when while settling lags."""
    _, next_day, last_day, is_paused = desk.read("GameManager", "sales")
    today = day_of(desk.block.timestamp_s)
    return asdict(sales_on(today, first=desk.game.first_day, oldest_open=next_day, last=last_day, is_paused=is_paused))


def name_holder(desk: Desk, office: str, text: str) -> list[Call]:
    """OWNER's call, and the one with which the named account takes office. The first is left out while it is named
    already, because to name it again would start its 48 hours anew.

    Raises: UsageError ``bad_role``, ``bad_wallet``; InvalidInput ``role_taken``.
    """
    number, account = office_number(office), typed_wallet(text, "--name")
    taken = [each.name for each in desk.offices.values() if each.holder == account]
    if account == ZERO_WALLET:
        raise InvalidInput("role_taken", "--name: the zero address holds no office; name another account")
    if taken:
        raise InvalidInput("role_taken", f"--name: {account} is {taken[0].upper()} already; name another account")
    naming, now_s = desk.offices[office].naming, desk.block.timestamp_s
    if naming is not None and naming.account == account and naming.window.state_at(now_s) != WindowState.EXPIRED:
        is_due = naming.window.state_at(now_s) == WindowState.DUE
        when = "" if is_due else f"named already: {naming.window.in_words(now_s)}"
        return [desk.call(account, "Roles", "takeOffice", number, later=when)]
    return [
        desk.call("owner", "Roles", "nameHolder", number, account),
        desk.call(account, "Roles", "takeOffice", number, later="48 hours to 14 days after the first call is mined"),
    ]


def cancel_naming(desk: Desk, office: str) -> list[Call]:
    """GUARDIAN's call, or OWNER's; for GUARDIAN's own successor OWNER's alone. Raises: UsageError ``bad_role``."""
    number = office_number(office)
    if office == "guardian":
        return [desk.call("owner", "Roles", "cancelNaming", number)]
    return [desk.call("guardian", "Roles", "cancelNaming", number, or_by="owner")]


def remove_holder(desk: Desk, office: str) -> list[Call]:
    """OWNER's call that leaves an office empty at once. Raises: UsageError ``bad_role``."""
    return [desk.call("owner", "Roles", "removeHolder", _key_office(office, "--remove"))]


def suspend_holder(desk: Desk, office: str) -> list[Call]:
    """GUARDIAN's call that stops the present holder at once. Raises: UsageError ``bad_role``."""
    return [desk.call("guardian", "Roles", "suspend", _key_office(office, "--suspend"))]


def lift_suspension(desk: Desk, text: str) -> list[Call]:
    """OWNER's call that lets a suspended address act again. Raises: UsageError ``bad_wallet``."""
    return [desk.call("owner", "Roles", "liftSuspension", typed_wallet(text, "--lift"))]


def pause(desk: Desk, what: str) -> list[Call]:
    """GUARDIAN's call. A pause of claims ends by itself after seven days. Raises: UsageError ``bad_pause``."""
    contract, function, _ = _pausable(what)
    return [desk.call("guardian", contract, function)]


def unpause(desk: Desk, what: str) -> list[Call]:
    """GUARDIAN's call, or OWNER's. Raises: UsageError ``bad_pause``."""
    contract, _, function = _pausable(what)
    return [desk.call("guardian", contract, function, or_by="owner")]


def veto(desk: Desk, day_id: int, reason: str) -> list[Call]:
    """GUARDIAN's call, or OWNER's, that takes back a commit before its release."""
    return [desk.call("guardian", "SettlementV4", "veto", day_id, reason.strip(), or_by="owner")]


def _key_office(office: str, flag: str) -> int:
    number = office_number(office)
    if office not in KEY_OFFICES:
        others = ", ".join(name for name in OFFICES if name not in KEY_OFFICES)
        raise UsageError("bad_role", f"{flag} is for {' and '.join(KEY_OFFICES)} only; of {others} name a successor")
    return number


def _pausable(what: str) -> tuple[str, str, str]:
    if what not in PAUSABLE:
        raise UsageError("bad_pause", f"what can be paused is one of {', '.join(PAUSABLE)}")
    return PAUSABLE[what]
