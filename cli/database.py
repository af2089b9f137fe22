"""Commands for the database and its schema. A product adds its own."""

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED
from cli.output import JsonOption, print_facts, print_json
from cli.start import loaded_settings

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
