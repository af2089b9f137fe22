"""Commands for the database: its schema, and tickets rebuilt from the chain."""

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED
from bo_engine.units import parse_day
from cli.output import JsonOption, OneDay, print_facts, print_json
from cli.start import loaded_settings, opened_engine

app = typer.Typer(help="The database: migrate it, look at it, rebuild tickets from the chain.", no_args_is_help=True)


@app.command()
def migrate(json: JsonOption = False) -> int:
    """Bring the schema up to date, as the owner's login. Safe to repeat; each migration stands or falls as a whole."""
    from io_layer.postgres.connection import migrate as apply

    applied = apply(loaded_settings().migration_database_url)
    if json:
        print_json({"applied": list(applied)})
    else:
        print_facts("Migrations applied", {"applied": ", ".join(applied) or "none: the schema is up to date"})
    return EXIT_DONE


@app.command()
def status(json: JsonOption = False) -> int:
    """Show which migrations are applied and which are missing. Reads only; exit 1 if any is missing."""
    from io_layer.postgres.connection import migration_status

    found = migration_status(loaded_settings().database_url)
    facts = {"applied": list(found.applied), "pending": list(found.pending), "unknown": list(found.unknown)}
    if json:
        print_json(facts)
    else:
        print_facts("Schema", {name: ", ".join(ids) or "none" for name, ids in facts.items()})
    return EXIT_DONE if found.is_current else EXIT_FAILED


@app.command("rebuild-tickets")
def rebuild_tickets(day: OneDay, json: JsonOption = False) -> int:
    """Make a day's ticket rows equal to the chain's events, from the chain alone. Safe to repeat."""
    from services.lottery.purchases.rebuild import rebuild_tickets as rebuild
    from services.lottery.settlement.settle_days import JOB
    from services.running.lease import held_lease

    with opened_engine() as engine, held_lease(engine.conn, JOB, engine.stop) as lease:
        facts = rebuild(engine, lease, parse_day(day))
    if json:
        print_json(facts)
    else:
        print_facts(f"Tickets of day {day}", facts)
    return EXIT_DONE
