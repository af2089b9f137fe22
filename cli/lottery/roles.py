"""`contracts roles`: who holds the offices, and the calls of those who change something."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE, UsageError
from cli.output import JsonOption, parse_typed_day, print_facts, print_json, print_table
from cli.start import loaded_settings


def _option(flag: str, metavar: str | None, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, metavar=metavar, rich_help_panel=panel, **more)


_OFFICES, _STOPS = "Offices", "Stop and take back"
_NOTICES, _GAME = "Announcements of OWNER", "Rulesets and the end of the game"
_Text = str | None
_Two = tuple[str, str] | None
_NAME = "Name the next holder: 48 h to 14 days later that account takes office by its own call."
_ANNOUNCE = """fee-receiver 0x.., gas-safe 0x.., charity 0x..,NAME, voucher-cap ATOMS (a lower one at once),
sweep ATOMS, vrf-config KEY_HASH,GAS,CONFIRMATIONS,JUELS. In force by anyone's call 48 h to 14 days later."""
_SCHEDULE = "Let a ruleset rule from a day on, 7 to 366 days ahead; wants --from-day."
_END = "Last day, 30 to 366 days ahead, and who gets what is left: CharityVault, the heir, a contract that accepts it."
Name = Annotated[_Two, _option("--name", "OFFICE 0x..", _OFFICES, _NAME)]
CancelNaming = Annotated[_Text, _option("--cancel-naming", "OFFICE", _OFFICES, "Take a naming back.")]
Remove = Annotated[_Text, _option("--remove", "relayer|settler", _OFFICES, "Leave the office empty, at once.")]
Suspend = Annotated[_Text, _option("--suspend", "relayer|settler", _OFFICES, "Stop its holder, at once.")]
Lift = Annotated[_Text, _option("--lift", "0x..", _OFFICES, "Let a suspended account act again.")]
Pause = Annotated[_Text, _option("--pause", "WHAT", _STOPS, "purchases, prizes or commissions.")]
Unpause = Annotated[_Text, _option("--unpause", "WHAT", _STOPS, "The same, opened again.")]
Veto = Annotated[
    int | None, _option("--veto", "N", _STOPS, "Take a day's commit back; wants --reason.", parser=parse_typed_day)
]
Reason = Annotated[_Text, _option("--reason", "TEXT", _STOPS, "Of --veto; it stands on the chain.")]
Announce = Annotated[_Two, _option("--announce", "SUBJECT VALUE", _NOTICES, _ANNOUNCE)]
Execute = Annotated[
    _Text, _option("--execute", "SUBJECT", _NOTICES, "Bring it into force; a charity's subject is its address.")
]
Cancel = Annotated[_Text, _option("--cancel", "SUBJECT", _NOTICES, "Take an announcement back.")]
Schedule = Annotated[Path | None, _option("--schedule-ruleset", "FILE", _GAME, _SCHEDULE)]
FromDay = Annotated[int | None, _option("--from-day", "N", _GAME, "Of --schedule-ruleset.", parser=parse_typed_day)]
CancelRuleset = Annotated[bool, _option("--cancel-ruleset", None, _GAME, "Take the waiting ruleset back.")]
AnnounceEnd = Annotated[_Two, _option("--announce-end", "N 0x..", _GAME, _END)]
CancelEnd = Annotated[bool, _option("--cancel-end", None, _GAME, "Take an announced end back.")]
Finish = Annotated[bool, _option("--finish", None, _GAME, "Send what is left, once its last day is over.")]


def roles(
    *,
    name: Name = None,
    cancel_naming: CancelNaming = None,
    remove: Remove = None,
    suspend: Suspend = None,
    lift: Lift = None,
    pause: Pause = None,
    unpause: Unpause = None,
    veto: Veto = None,
    reason: Reason = None,
    announce: Announce = None,
    execute: Execute = None,
    cancel: Cancel = None,
    schedule_ruleset: Schedule = None,
    from_day: FromDay = None,
    cancel_ruleset: CancelRuleset = False,
    announce_end: AnnounceEnd = None,
    cancel_end: CancelEnd = False,
    finish: Finish = False,
    json: JsonOption = False,
) -> int:
    """Show who holds each office, who is suspended and who is named next, and whether tickets are sold. With an option
    also the exact call that OWNER's, GUARDIAN's or another wallet signs, and whether it would succeed now. Reads only:
    it sends nothing."""
    from services.lottery.deployment import notices
    from services.lottery.deployment import roles as offices
    from services.lottery.deployment.calls import open_desk

    _require_together("--veto", veto, "--reason", (reason or "").strip() or None)
    _require_together("--schedule-ruleset", schedule_ruleset, "--from-day", from_day)
    changes: list[tuple[Callable[..., list[dict[str, Any]]], object]] = [
        (offices.name_holder, name),
        (offices.cancel_naming, cancel_naming),
        (offices.remove_holder, remove),
        (offices.suspend_holder, suspend),
        (offices.lift_suspension, lift),
        (offices.pause, pause),
        (offices.unpause, unpause),
        (offices.veto, None if veto is None else (veto, reason)),
        (notices.announce, announce),
        (notices.execute, execute),
        (notices.cancel, cancel),
        (notices.schedule_ruleset, None if schedule_ruleset is None else (schedule_ruleset, from_day)),
        (notices.cancel_ruleset, () if cancel_ruleset else None),
        (notices.announce_end, announce_end),
        (notices.cancel_end, () if cancel_end else None),
        (notices.finish, () if finish else None),
    ]
    wanted = [(write, given if isinstance(given, tuple) else (given,)) for write, given in changes if given is not None]
    if len(wanted) > 1:
        raise UsageError("bad_usage", "one change at a time: give one of the options")
    desk = open_desk(loaded_settings())
    calls = [call for write, given in wanted for call in write(desk, *given)]
    facts, sales = offices.office_facts(desk), offices.sales_facts(desk)
    if json:
        print_json({"roles": facts, "sales": sales, "calls": calls})
        return EXIT_DONE
    _print_offices(facts)
    print_facts("Sales", {"tickets": sales["words"]})
    for number, call in enumerate(calls, start=1):
        arguments = ", ".join(f"{key} = {value}" for key, value in call.pop("arguments").items())
        print_facts(f"Call {number} (nothing is sent)", {**call, "arguments": arguments or "none"})
    return EXIT_DONE


def _require_together(one: str, first: object, other: str, second: object) -> None:
    if (first is None) != (second is None):
        raise UsageError("bad_usage", f"{one} and {other} belong together")


def _print_offices(facts: list[dict[str, Any]]) -> None:
    rows = [[one["role"], one["holder"] or "empty", one["kind"], "yes" if one["suspended"] else "no"] for one in facts]
    print_table("Offices", ("office", "holder", "kind", "suspended"), rows)
    named = [(one["role"], one["named"]["account"], one["named"]["window"]) for one in facts if one["named"]]
    if named:
        print_table("Named next", ("office", "account", "can take it"), named)
