"""The part of the checklist that shows what is going to change: announcements, a waiting ruleset, the end; and whether
tickets are sold and our own accounts are paid where they should."""

from collections.abc import Mapping

from bo_engine.units import ZERO_WALLET, DayId, Hash32, Wallet, day_of, day_start, hex_of, parse_wallet
from core.lottery.notices import SalesState, WindowState, duration, sales_on
from core.lottery.ruleset import Ruleset
from io_layer.lottery.contracts.notices import read_announcements
from services.deployment.checklist import Checklist, Verdict
from services.lottery.deployment.checks.deployment import Installation


def check_announcements(lines: Checklist, here: Installation) -> None:
    """A line with the countdown for all that OWNER has announced; a charity's announcement is `check_charity`'s."""
    with lines.asking("announcements"):
        now_s = here.block.timestamp_s
        found = read_announcements(here.chain, here.block, here.at)
        for name, one in found.items():
            said = f"{one.value}, {one.window.in_words(now_s)}"
            todo = f"is it meant? GUARDIAN or OWNER cancels it: `contracts roles --cancel {name}`"
            is_over = one.window.state_at(now_s) == WindowState.EXPIRED
            lines.add(f"announced {name}", is_over, said, todo, otherwise=Verdict.WARNING)
        if not found:
            lines.add("announcements", True, "none")


def check_waiting_ruleset(lines: Checklist, here: Installation, rulesets: Mapping[Hash32, Ruleset]) -> None:
    """The ruleset that is scheduled, and whether it is known here."""
    with lines.asking("waiting ruleset"):
        word, from_day = here.read("game_manager", "waitingRuleset")
        if not from_day:
            lines.add("waiting ruleset", True, "none")
            return
        wait = duration(max(day_start(DayId(from_day)) - here.block.timestamp_s, 0))
        said = f"{hex_of(word)} from day {from_day} on, in {wait}"
        if Hash32(word) not in rulesets:
            lines.add("waiting ruleset", False, said, "unknown here: add its file to RULESET_FILES before that day")
            return
        todo = "is it meant? GUARDIAN or OWNER cancels it: `contracts roles --cancel-ruleset`"
        lines.add("waiting ruleset", False, said, todo, otherwise=Verdict.WARNING)


def check_end(lines: Checklist, here: Installation) -> None:
    """Whether the game goes on, ends, or has ended."""
    with lines.asking("end of the game"):
        last_day, receiver, is_abandoned = here.read("settlement", "end")
        if here.read("settlement", "finished"):
            lines.add("end of the game", True, f"finished with day {last_day}; claims and refunds go on")
            return
        if parse_wallet(receiver) == ZERO_WALLET:
            lines.add("end of the game", True, "none announced")
            return
        left = last_day - day_of(here.block.timestamp_s)
        why = "as abandoned" if is_abandoned else "by OWNER"
        said = f"announced {why}: day {last_day} is the last, in {left} days; the pools go to {parse_wallet(receiver)}"
        by = "OWNER" if is_abandoned else "GUARDIAN or OWNER"
        todo = f"is it meant? {by} cancels it: `contracts roles --cancel-end`"
        lines.add("end of the game", False, said, todo, otherwise=Verdict.WARNING)


def check_sales(lines: Checklist, here: Installation) -> None:
    """Whether a ticket can be bought today, and until when while settling lags."""
    with lines.asking("sales"):
        _, next_day, last_day, is_paused = here.read("game_manager", "sales")
        today, first = day_of(here.block.timestamp_s), int(here.read("game_manager", "firstDay"))
        sales = sales_on(today, first=first, oldest_open=next_day, last=last_day, is_paused=is_paused)
        way_out = {
            SalesState.PAUSED: "`contracts roles --unpause purchases`",
            SalesState.STOPPED: f"settle day {next_day}: sales resume by themselves",
        }.get(sales.state, "")
        verdict = Verdict.WARNING if sales.state in (SalesState.PAUSED, SalesState.ENDED) else Verdict.WRONG
        lines.add(
            "sales", sales.state in (SalesState.OPEN, SalesState.NOT_BEGUN), sales.words, way_out, otherwise=verdict
        )


def check_payees(lines: Checklist, here: Installation, holders: Mapping[str, Wallet]) -> None:
    """None of our accounts has what it is paid sent elsewhere: PROMOTIONS, say, gets vouchers of voided days back."""
    with lines.asking("payees"):
        ours = {
            **holders,
            "fee receiver": here.wallet("reserve_vault", "feeReceiver"),
            "gas safe": here.wallet("reserve_vault", "gasSafe"),
            "heir": here.wallet("settlement", "heir"),
        }
        found = here.chain.read(here.block, [here.call("reserve_vault", "payeeOf", wallet) for wallet in ours.values()])
        set_ = [
            f"{name}'s {parse_wallet(payee)}"
            for name, payee in zip(ours, found, strict=True)
            if parse_wallet(payee) != ZERO_WALLET
        ]
        todo = "is it meant? The account itself takes it back: setPayee(0) of the ReserveVault"
        lines.add(
            "payees", not set_, ", ".join(set_) or "none of our accounts has one", todo, otherwise=Verdict.WARNING
        )
