"""Commands that only look: proof, doctor, explain."""

from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE
from bo_engine.units import parse_day
from cli.output import JsonOption, OneDay, print_facts, print_json, print_table, tell
from cli.start import ask_wallet, loaded_settings, opened_engine, watched

PANEL = "Look"
WalletOption = Annotated[str, typer.Option("--wallet", help="The wallet: 0x and 40 hex digits.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(rich_help_panel=PANEL)(proof)
    app.command(rich_help_panel=PANEL)(doctor)
    app.command(rich_help_panel=PANEL)(explain)


def proof(day: OneDay, wallet: WalletOption, json: JsonOption = False) -> int:
    """Print a wallet's Merkle proofs of a day, for a claim. Reads only."""
    from services.make_proof import make_proofs

    day_id, address = parse_day(day), ask_wallet(wallet)
    with opened_engine(for_display=True) as engine:
        document = make_proofs(engine.conn, engine.game.deployment, day_id, address)
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
    from services.doctor import doctor as examine

    day_id, settings = parse_day(day), loaded_settings()
    with watched() as (story, stop):
        seen = examine(settings, day_id, tell=story, stop=stop)
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
    from services.explain import explain as account_for

    day_id, address = parse_day(day), ask_wallet(wallet)
    with opened_engine(for_display=True) as engine:
        facts = account_for(engine, day_id, address)
    if json:
        print_json(facts)
        return EXIT_DONE
    if facts.get("status") == "VOIDED":
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
