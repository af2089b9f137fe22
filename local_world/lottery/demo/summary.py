"""The demo's closing words, for people who have never seen the engine. Tables of at most 100 columns."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bo_engine.units import DayId, Wallet, day_start, usdt
from cli.output import WIDTH
from core.lottery.tickets import bonus_tips
from local_world.lottery.claims import COMMISSIONS, PRIZES
from local_world.lottery.day_facts import SettledDay, kept_atoms
from local_world.lottery.demo.play import Played
from local_world.lottery.money import share_percent

_TOP_WINNERS = 8


def print_summary(played: Played, *, artifacts_dir: Path, seconds: float, env_file: str | None, name: str) -> None:
    """Print everything on stdout. ``env_file`` is the settings file of a world that stays, else None."""
    _say(
        f"[bold]{len(played.in_order)} lottery days, sold, drawn, settled and paid in {seconds:.0f} seconds.[/bold]",
        "Players buy tips at a contract, in five pools by price. After midnight two seeds that cannot be chosen make "
        "the winning numbers. The engine computes every prize, commits one fingerprint of all of them (a Merkle root) "
        "to the chain and waits for objections; then the money is released and each winner claims with a proof. A tip "
        "here is six numbers from 1 to 9, so few that every prize class happens by itself. Amounts are USDT.",
    )
    _print_sold(played)
    _print_draws(played)
    _print_seeds(played.days)
    _print_winners(played)
    _print_affiliates(played)
    _print_money(played)
    _print_anchors(played.days)
    _print_claims(played)
    _print_cron(played)
    _print_checks(played)
    _print_next(played, artifacts_dir, env_file, name)


def _print_sold(played: Played) -> None:
    table = _table("What was sold", "day", "date", "<players", "<tickets", "<tips", "<bonus", "<vouchers", "<stake")
    for day in played.in_order:
        tickets = [sale.ticket for sale in played.sales if sale.ticket.day_id == day.day_id]
        bonus = sum(bonus_tips(ticket.paid_tips) for ticket in tickets)
        vouchers = sum(ticket.voucher_tips for ticket in tickets)
        table.add_row(
            str(day.day_id),
            date_of(day.day_id),
            str(len({ticket.buyer for ticket in tickets})),
            str(len(tickets)),
            f"{sum(ticket.paid_tips for ticket in tickets) + bonus + vouchers:,}",
            f"{bonus:,}",
            str(vouchers),
            cents(sum(ticket.stake_atoms for ticket in tickets)),
        )
    console().print(table)
    voided = played.voided
    _say(
        "Bonus tips are a gift and add no stake; voucher tips are paid for by the promotions account.",
        f"The VRF word of day {voided.day_id} never came. Three days after its close it was voided: "
        f"{amount(voided.refunded)} went back to its buyers, {amount(voided.vouchers_refunded)} to the promotions "
        "account.",
    )


def _print_draws(played: Played) -> None:
    columns = ("day", "pool", "<a tip", "<tips", "numbers drawn", "<four", "<five", "<six", "<prizes", "<jackpot")
    table = _table("The draws", *columns)
    for day in played.days:
        if not day.tips:
            table.add_row(str(day.day_id), "-", "", "0", "no tips, no draw")
        for pool in day.pools if day.tips else []:
            hits = {tier["matches"]: str(tier["winning_tips"]) for tier in pool["tiers"]}
            table.add_row(
                str(day.day_id),
                str(pool["pool_id"]),
                cents(int(day.inputs["ruleset"]["prices"][pool["pool_id"]])),
                str(pool["tip_count"]),
                " ".join(str(number) for number in sorted(pool["winning_numbers"])),
                hits[4],
                hits[5],
                hits[6],
                amount(int(pool["payout"])),
                amount(int(pool["jackpot_payout"])) if pool["jackpot_hit"] else "not won",
            )
        table.add_section()
    console().print(table)
    for day in played.days:
        if day.tips and not day.winning_tips(6):
            _say(f"There was no six on day {day.day_id}: all jackpots stay in their pools and grow.")
    _say("Prizes that are not won and the dust of each division stay in the pool and make its next day richer.")


def _print_seeds(days: Sequence[SettledDay]) -> None:
    table = _table("The seeds: made after the last ticket was sealed", "day", "seed", "value")
    for day in days:
        seeds = day.bundle["seeds"]
        if seeds:
            table.add_row(str(day.day_id), "Chainlink VRF word", f"0x{int(seeds['vrf_word']):064x}")
            table.add_row("", f"drand round {seeds['drand_round']}", seeds["drand_randomness"])
        else:
            table.add_row(str(day.day_id), "none", "a day without tips needs none")
    console().print(table)


def _print_winners(played: Played) -> None:
    winners = Counter[Wallet]()
    for day in played.days:
        winners.update({Wallet(each["wallet"]): int(each["amount"]) for each in day.result["payouts"]})
    stakes = Counter[Wallet]()
    for sale in played.sales:
        stakes[sale.ticket.buyer] += sale.ticket.stake_atoms
    table = _table(f"Who won what: the first {_TOP_WINNERS} of {len(winners)}", "", "wallet", "<stake", "<won")
    for wallet, won in winners.most_common(_TOP_WINNERS):
        table.add_row(played.people[wallet].name, wallet, cents(stakes[wallet]), amount(won))
    console().print(table)


def _print_affiliates(played: Played) -> None:
    paying = [day for day in played.days if day.totals["affiliate"]]
    columns = [column for day in paying for column in (f"<day {day.day_id}", "<rate")]
    table = _table("What affiliates earned on the stakes of players they brought", "", "wallet", *columns)
    for wallet, person in played.people.items():
        cells = [cell for day in paying for cell in _commission(day, wallet)]
        if any(cells):
            table.add_row(person.name, wallet, *cells)
    console().print(table)


def _commission(day: SettledDay, wallet: Wallet) -> tuple[str, str]:
    earned = sum(int(each["commission"]) for each in day.affiliates["referred"] if each["affiliate"] == wallet)
    rates = {each["rate_bps"] for each in day.affiliates["referred"] if each["affiliate"] == wallet}
    return (amount(earned), f"{_percent(max(rates))} %") if rates else ("", "")


def _percent(bps: int) -> str:
    whole, rest = divmod(bps, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _print_money(played: Played) -> None:
    money, last = played.money, played.days[-1]
    table = _table("Where the money went, to the atom", "", "where it is now", "<USDT", "<share", "")
    table.add_row("players' stakes", "", amount(money.player_stake_atoms))
    table.add_row("voucher tips", "from the promotions account", amount(money.voucher_stake_atoms))
    table.add_row("[bold]came in[/bold]", "", f"[bold]{amount(money.stake_atoms)}[/bold]", "100.0 %", end_section=True)
    for place in money.places:
        share = share_percent(place.held_atoms, money.stake_atoms)
        table.add_row(place.what, place.where, amount(place.held_atoms), share, _mark(place.agrees))
    table.add_section()
    found = share_percent(money.placed_atoms, money.stake_atoms)
    table.add_row("[bold]found[/bold]", "", f"[bold]{amount(money.placed_atoms)}[/bold]", found)
    table.add_row("[bold]missing[/bold]", "", f"[bold]{money.missing_atoms} atoms[/bold]", "", _mark(money.adds_up))
    console().print(table)
    parts = ", ".join(
        f"{text} {amount(kept_atoms(last, key))}"
        for key, text in (("carry", "prize money"), ("reserve", "jackpots"), ("last_rollover", "rollover"))
    )
    _say(
        f"Kept for coming days: {parts}.",
        f"Besides, players paid {amount(money.gas.held_atoms)} for gas, which is no part of any stake.",
        "✓: the chain holds exactly what the files of the settled days say.",
    )


def _print_anchors(days: Sequence[SettledDay]) -> None:
    table = _table("Anchored on the chain", "day", "what", "hash")
    for day in days:
        rows = (
            ("winner root", day.bundle["winner_root"]),
            ("affiliate root", day.bundle["affiliate_root"]),
            ("run hash", day.run_hash),
            ("commit transaction", day.commit_tx),
            ("release transaction", day.release_tx),
        )
        for place, (what, value) in enumerate(rows):
            table.add_row(str(day.day_id) if place == 0 else "", what, value)
        table.add_section()
    console().print(table)


def _print_claims(played: Played) -> None:
    book = played.book
    table = _table("Claims", "what", "<count", "<USDT", "")
    for vault, text in ((PRIZES, "prizes paid by PrizeVault"), (COMMISSIONS, "commissions paid by AffiliateVault")):
        count = sum(claim.vault == vault for claim in book.paid)
        table.add_row(text, str(count), amount(book.paid_atoms(vault)), "")
    for refusal in book.refused:
        table.add_row(f"refused: {refusal.what}", "1", "", refusal.reason.partition("(")[0])
    console().print(table)
    _say(
        f"Recovered: {played.recovered_intents} purchase that the App had lost when it crashed, and "
        f"{played.adopted_tickets} that a player had made at the contract itself."
    )


def _print_cron(played: Played) -> None:
    table = _table(
        "The night of the third day: what cron started, and what that did", "UTC", "job", "<exit", "<took", "did"
    )
    before = ""
    for run in played.cron:
        if before not in ("", run.at):
            table.add_section()
        did = [f"{count} {name.replace('_', ' ')}" for name, count in run.counts.items() if count]
        did += [run.error] if run.error else []
        took = f"{run.took_ms // 1000}.{run.took_ms % 1000 // 100} s"
        table.add_row(run.at[-5:] if run.at != before else "", run.job, str(run.exit_code), took, ", ".join(did) or "-")
        before = run.at
    console().print(table)
    _say(
        "Only cron worked on that day: at each minute it starts the lines that are due, all at once.",
        "75: not yet, the next run goes on.",
    )


def _print_checks(played: Played) -> None:
    table = _table("Checked at the end, from the files and the chain alone", "", "claim", "days")
    for text in dict.fromkeys(check.text for check in played.checks):
        same = [check for check in played.checks if check.text == text]
        days = [str(check.day_id) for check in same if check.day_id is not None]
        shown = "every day" if len(days) == len(played.in_order) else _days_shown(days, len(played.days))
        table.add_row(_mark(all(check.holds for check in same)), escape(text), shown)
    console().print(table)


def _days_shown(days: Sequence[str], settled: int) -> str:
    return "every settled day" if len(days) == settled else ", ".join(days)


def _print_next(played: Played, artifacts_dir: Path, env_file: str | None, name: str) -> None:
    last = played.days[-1]
    lines = [
        ("Every file of every day lies in", f"{artifacts_dir}/"),
        ("This prints the last day's run hash", f"sha256sum {artifacts_dir}/dayId={last.day_id}/commit_bundle.json"),
        (
            "This checks the last day, and needs no trust",
            f"{_program()} verify --day {last.day_id} --dir {artifacts_dir}/dayId={last.day_id}",
        ),
    ]
    if env_file is None:
        lines.append(("The world has ended. Next time keep it", 'make demo ARGS="--keep"'))
    else:
        lines += next_commands(played, env_file, name)
    _say("[bold]What to try next[/bold]")
    for text, command in lines:
        # Unwrapped, so that it can be copied.
        console().print(f"  {text}:\n      {escape(command)}", soft_wrap=True)


def next_commands(played: Played, env_file: str, name: str) -> list[tuple[str, str]]:
    """Commands that work on a world that was kept."""
    paid = {(claim.vault, claim.day_id, claim.wallet) for claim in played.book.paid}
    open_prizes = [
        (day.day_id, each["wallet"])
        for day in played.days
        for each in day.result["payouts"]
        if (PRIZES, day.day_id, Wallet(each["wallet"])) not in paid
    ]
    program = _program()
    commands = [("The settings of this world", f"export BO_ENV_FILE={env_file}")]
    if open_prizes:
        day, wallet = open_prizes[0]
        commands.append(("A proof that still waits to be claimed", f"{program} proof --day {day} --wallet {wallet}"))
    return [
        *commands,
        ("Who was refunded on the voided day", f"{program} refunds --day {played.voided.day_id}"),
        ("Settle again: nothing is due", f"{program} settle"),
        ("Addresses of the world", f"{program} dev status --name {name}"),
        ("End it", f"{program} dev down --name {name}"),
    ]


def _program() -> str:
    # By its path: make puts the environment on its own PATH, and the shell that made was called from does not know it.
    script = Path(sys.executable).with_name("bo-engine")
    if not script.is_file():
        return "bo-engine"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)


def amount(atoms: int) -> str:
    """Atoms as USDT without the word, all six decimals, so that columns stand under each other."""
    whole, fraction = divmod(atoms, 10**6)
    return f"{whole:,}.{fraction:06d}"


def cents(atoms: int) -> str:
    """Atoms as USDT without the word, with no more decimals than needed and at least two: for prices and stakes."""
    return usdt(atoms).removesuffix(" USDT")


def date_of(day_id: DayId) -> str:
    """The day's date, UTC."""
    return f"{datetime.fromtimestamp(day_start(day_id), UTC):%Y-%m-%d}"


def console() -> Console:
    """Stdout, never wider than a table may be; as wide as that where there is no terminal to ask."""
    real = Console()
    return Console(width=min(WIDTH, real.width) if real.is_terminal else WIDTH, highlight=False)


def _mark(holds: bool) -> str:
    return "[green]✓[/green]" if holds else "[bold red]✗[/bold red]"


def _table(title: str, *columns: str) -> Table:
    """A table; a column whose name begins with < stands right, as numbers do."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column.startswith("<")
        table.add_column(escape(column.removeprefix("<")), justify="right" if right else "left", overflow="fold")
    return table


def _say(*lines: str) -> None:
    console().print(*lines, sep="\n")
    console().print()
