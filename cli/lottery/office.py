"""`bo-engine key address`, `key take-office`: whether our key is the SETTLER, and how it becomes that."""

from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE
from cli.lottery.start import opened_lottery
from cli.output import DryRun, JsonOption, confirm, print_facts, print_json
from cli.start import loaded_settings


def register(keys: typer.Typer) -> None:
    """Add these commands to those of the key."""
    keys.command()(address)
    keys.command("take-office")(take_office)


def address(json: JsonOption = False) -> int:
    """Show the address of the configured key and whether it is the contracts' SETTLER. Reads only; needs no
    database."""
    from services.lottery.deployment.keys import key_facts

    facts = key_facts(loaded_settings())
    if json:
        print_json(facts)
    else:
        shown = {name: "not asked: no chain is configured" if value is None else value for name, value in facts.items()}
        print_facts("Key", shown)
    return EXIT_DONE


def take_office(
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Also while a commit is pending, which is taken back by it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
    dry_run: DryRun = False,
    json: JsonOption = False,
) -> int:
    """Let the configured key take the office of SETTLER, 48 hours to 14 days after OWNER has named it; waits until that
    is final. Safe to repeat: nothing is sent twice."""
    from services.lottery.deployment.take_office import plan_office
    from services.lottery.deployment.take_office import take_office as take

    with opened_lottery() as context:
        plan = plan_office(context, may_take_back=take_back)
    if dry_run or not json:
        _print_facts("Plan", plan.document(), json)
    if dry_run:
        return EXIT_DONE
    if plan.naming is not None:
        confirm("Send takeOffice?", yes)
    with opened_lottery() as context:
        done = take(context, may_take_back=take_back)
    _print_facts("In office", done, json)
    return EXIT_DONE


def _print_facts(title: str, facts: dict[str, Any], json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_facts(title, facts)
