"""Commands that cron runs beside settle."""

import typer

from bo_engine.errors import EXIT_DONE
from cli.output import JsonOption, print_facts, print_json
from cli.start import opened_engine

PANEL = "Jobs"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("recover-intents", rich_help_panel=PANEL)(recover_intents)
    app.command("refresh-seeds", rich_help_panel=PANEL)(refresh_seeds)


def recover_intents(json: JsonOption = False) -> int:
    """Turn final purchases into tickets, tie them to their intents, close dead intents. Safe to repeat."""
    from workers.recover_intents import run

    with opened_engine() as engine:
        facts = {**run(engine).document(), "exit_code": EXIT_DONE}
    if json:
        print_json(facts)
    else:
        print_facts("recover-intents", facts)
    return EXIT_DONE


def refresh_seeds(json: JsonOption = False) -> int:
    """Request and collect VRF words, fetch and verify drand beacons of closed days. Safe to repeat."""
    from workers.refresh_seeds import run

    with opened_engine() as engine:
        done = run(engine)
    if json:
        print_json(done.document())
    else:
        print_facts("refresh-seeds", done.document())
    return done.exit_code
