"""`bo-engine db rebuild-tickets`: ticket rows from the chain alone."""

import typer

from bo_engine.errors import EXIT_DONE
from bo_engine.units import parse_day
from cli.lottery.start import opened_lottery
from cli.output import JsonOption, OneDay, print_facts, print_json


def register(database: typer.Typer) -> None:
    """Add the command to those of the database."""
    database.command("rebuild-tickets")(rebuild_tickets)


def rebuild_tickets(day: OneDay, json: JsonOption = False) -> int:
    """Make a day's ticket rows equal to the chain's events, from the chain alone. Safe to repeat."""
    from services.lottery.policy import JOB
    from services.lottery.purchases.rebuild import rebuild_tickets as rebuild
    from services.running.lease import held_lease

    with opened_lottery() as context, held_lease(context, JOB) as context:
        facts = rebuild(context, parse_day(day))
    if json:
        print_json(facts)
    else:
        print_facts(f"Tickets of day {day}", facts)
    return EXIT_DONE
