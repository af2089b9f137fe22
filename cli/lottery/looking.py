"""Commands that only look: proof, doctor, explain, refunds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE
from bo_engine.units import parse_day, usdt
from cli.lottery.start import opened_lottery
from cli.output import JsonOption, OneDay, print_facts, print_json, print_table, print_whole, tell
from cli.start import ask_wallet, loaded_settings, watched

PANEL = "Look"
WalletOption = Annotated[str, typer.Option("--wallet", help="The wallet: 0x and 40 hex digits.")]
OneBuyer = Annotated[
    str | None, typer.Option("--wallet", help="Only this buyer, with the calldata that refunds what is open.")
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(rich_help_panel=PANEL)(proof)
    app.command(rich_help_panel=PANEL)(doctor)
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(refunds)


def proof(day: OneDay, wallet: WalletOption, json: JsonOption = False) -> int:
    """Print a wallet's Merkle proofs of a day, for a claim. Reads only."""
    from services.lottery.settlement.proofs import make_proofs

    day_id, address = parse_day(day), ask_wallet(wallet)
    with opened_lottery(for_display=True) as context:
        document = make_proofs(context.conn, context.game.deployment, day_id, address)
    if json:
        print_json(document)
        return EXIT_DONE
    print_facts(f"Day {day}", {name: document[name] for name in ("wallet", "run_hash", "run_status")})
    for kind in ("winner", "affiliate"):
        if document[kind] is not None:
            facts = {name: value for name, value in document[kind].items() if name != "proof"}
            siblings = {f"proof {n}": sibling for n, sibling in enumerate(document[kind]["proof"])}
            print_facts(f"As {kind}", {**facts, **siblings})
    return EXIT_DONE


def doctor(day: OneDay, json: JsonOption = False) -> int:
    """Show a day's state, its holder, both endpoints' views and the next safe action. What the database says is shown
    also when the chain cannot be used; then the exit code is that of the reason. Reads only."""
    from services.lottery.settlement.doctor import doctor as examine

    day_id, settings = parse_day(day), loaded_settings()
    with watched() as (report, cancel):
        seen = examine(settings, day_id, report=report, cancel=cancel)
    for warning in seen.warnings:
        tell(f"bo-engine: warning: {warning}")
    if json:
        if seen.failure is None:
            print_json(seen.facts)
            return EXIT_DONE
        code = seen.failure.exit_code
        print_json({**seen.facts, "error": seen.failure.code, "message": seen.failure.message, "exit_code": code})
        return code
    print_facts(f"Day {day}", seen.facts)
    if seen.failure is not None:
        raise seen.failure
    return EXIT_DONE


def explain(day: OneDay, wallet: WalletOption, json: JsonOption = False) -> int:
    """Show a wallet's way from tickets over matches and shares to its leaf, and from players to its commission; of a
    voided day the stakes that it gets back. Reads only."""
    from io_layer.lottery.stores.pipeline import DayStatus
    from services.lottery.settlement.explain import explain as account_for

    day_id, address = parse_day(day), ask_wallet(wallet)
    with opened_lottery(for_display=True) as context:
        facts = account_for(context, day_id, address)
    if json:
        print_json(facts)
        return EXIT_DONE
    if facts.get("status") == DayStatus.VOIDED:
        _print_refund(day, facts)
        return EXIT_DONE
    rows = [
        (tip["ticket_id"], tip["pool_id"], " ".join(map(str, tip["numbers"])), tip["matches"], tip["share"])
        for tip in facts["winning_tips"]
    ]
    shown = {name: facts[name] for name in ("wallet", "tickets", "tips")}
    drawn = {
        f"drawn in pool {pool}": " ".join(map(str, sorted(numbers)))
        for pool, numbers in enumerate(facts["winning_numbers"])
    }
    print_facts(f"Day {day}", {**shown, **drawn})
    print_table("Winning tips", ("ticket", "pool", "numbers", "matches", "share in atoms"), rows)
    _print_leaf(facts)
    earned = facts["affiliate"]
    if earned is not None:
        brought = [(row["player"], row["stake"], row["rate_bps"], row["commission"]) for row in earned["players"]]
        print_table("As affiliate", ("player", "stake in atoms", "rate in bps", "commission"), brought)
        _print_leaf(earned)
    return EXIT_DONE


def _print_refund(day: int, facts: dict[str, Any]) -> None:
    shown = {
        "wallet": facts["wallet"],
        "sum": f"{facts['sum']} atoms = {facts['shown_sum']}",
        "paid by": "refund(buyer, nonces) of ReserveVault",
        "proof": "none is needed",
    }
    print_facts(f"Day {day}, voided", shown)
    rows = [(row["ticket_id"], row["pool_id"], row["nonce"], row["stake"]) for row in facts["refunds"]]
    print_table("Stakes", ("ticket", "pool", "nonce", "atoms"), rows)


def refunds(day: OneDay, wallet: OneBuyer = None, json: JsonOption = False) -> int:
    """Who has which stake of a voided day back, and who has not yet; how a buyer calls refund. Reads only, sends
    nothing; a day that is not voided ends with 1."""
    from services.lottery.claims.list_refunds import list_refunds

    day_id, buyer = parse_day(day), None if wallet is None else ask_wallet(wallet)
    with opened_lottery(for_display=True) as context:
        facts = list_refunds(context, day_id, buyer)
    if json:
        print_json(facts)
        return EXIT_DONE
    _print_refunds_of_day(day, facts)
    return EXIT_DONE


def _print_refunds_of_day(day: int, facts: Mapping[str, Any]) -> None:
    at = datetime.fromtimestamp(facts["voided_at_s"], UTC)
    shown = {
        "voided at": f"{at:%Y-%m-%d %H:%M:%S} UTC",
        "final block": facts["observed_block"],
        **{name: usdt(int(facts[name])) for name in ("stake", "refunded", "open")},
        "our rows agree": facts["agrees"],
    }
    for name, ours, job in (
        ("stake", "stored_stake", "recover-intents"),
        ("refunded", "stored_refunds", "backfill-claim-events"),
    ):
        if facts[ours] != facts[name]:
            shown[f"{name} by our rows"] = f"{usdt(int(facts[ours]))} ({job} brings the rest)"
    print_facts(f"Day {day}, voided", shown)
    buyers, vouchers, of_wallet = facts["buyers"], facts["vouchers"], facts.get("wallet")
    rows = [(one["buyer"], len(one["tickets"]), _usdt(one["stake"]), _usdt(one["refunded"])) for one in buyers]
    print_table("Buyers, amounts in USDT", ("buyer", "tickets", "stake", "refunded"), rows)
    for one in buyers:
        rows = [(each["ticket_id"], each["nonce"], _usdt(each["stake"]), each["state"]) for each in one["tickets"]]
        print_table(f"Tickets of {one['buyer']}", ("ticket", "nonce", "stake", "state"), rows)
        _print_payments(one)
    if vouchers is not None:
        paid = {name: vouchers[name] for name in ("to", "tx_hash") if vouchers[name] is not None}
        print_facts("Vouchers", {**{name: vouchers[name] for name in ("account", "state")}, **paid})
    for one in facts["unexplained"]:
        print_facts("Refunded, and no ticket of the day here", one)
    how = {"contract": f"ReserveVault {facts['contract']}", "function": facts["function"], "sent by": "anyone"}
    if of_wallet is None:
        print_facts("How to refund (--wallet 0x.. prints the calldata)", how)
    else:
        opened = {"open": usdt(int(of_wallet["open"])), "pays to": of_wallet["pays_to"]}
        print_facts("How to refund (nothing is sent)", {**how, **opened})
    if of_wallet is not None:
        _print_calls(of_wallet["calls"])
    if vouchers is not None and vouchers["call"] is not None:
        _print_calls([vouchers["call"]])


def _print_payments(buyer: Mapping[str, Any]) -> None:
    """One transaction after the other in which the buyer was paid."""
    paid: dict[str, list[Mapping[str, Any]]] = {}
    for ticket in buyer["tickets"]:
        if ticket["tx_hash"] is not None:
            paid.setdefault(ticket["tx_hash"], []).append(ticket)
    for tx_hash, tickets in paid.items():
        of = [ticket["ticket_id"] for ticket in tickets]
        print_facts("Paid", {"tickets": of, "to": tickets[0]["to"], "tx": tx_hash})


def _print_calls(calls: Sequence[Mapping[str, Any]]) -> None:
    for call in calls:
        print_whole(f"calldata of {call['function']}:")
        print_whole(call["calldata"])


def _usdt(atoms: str) -> str:
    return usdt(int(atoms)).removesuffix(" USDT")


def _print_leaf(facts: dict[str, Any]) -> None:
    leaf = facts["leaf"]["leaf"] if facts["leaf"] else "none"
    print_facts(
        "Leaf",
        {
            "sum": f"{facts['sum']} atoms = {facts['shown_sum']}",
            "leaf": leaf,
            "agrees": "yes" if facts["agrees"] else "NO",
        },
    )
