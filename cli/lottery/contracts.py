"""Commands for the contracts: deploy them, check an installation, see and change who holds the offices."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE
from cli.keys import hidden
from cli.lottery.roles import roles
from cli.output import DryRun, JsonOption, confirm, print_facts, print_json, print_table
from cli.start import loaded_settings, watched

app = typer.Typer(
    help="The contracts: deploy them, check an installation, see and change the offices.", no_args_is_help=True
)
app.command()(roles)
FileArgument = Annotated[
    Path, typer.Option("--file", help="The deployment file (TOML), as docs/deployment.example.toml.", metavar="FILE")
]
OptionalFile = Annotated[
    Path | None, typer.Option("--file", help="Compare with what this deployment file says.", metavar="FILE")
]


@app.command()
def deploy(
    file: FileArgument,
    *,
    keystore_file: Annotated[
        Path | None, typer.Option("--keystore-file", help="Encrypted key of the deployer.", metavar="FILE")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File of mode 600; else asked, hidden.", metavar="FILE")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="File of mode 600 with a plain key; local chains only.", metavar="FILE"),
    ] = None,
    first_nonce: Annotated[
        int | None,
        typer.Option("--first-nonce", min=0, help="For a used key: where this deployment began, or begins."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
    dry_run: DryRun = False,
    json: JsonOption = False,
) -> int:
    """Deploy the contracts by a deployment file: shows the plan, asks, creates them one by one, waits until they are
    final and checks them. Safe to repeat, also after it was killed: with the same file it goes on and never deploys
    twice."""
    from io_layer.keys.creation_signer import find_deployer
    from io_layer.lottery.deployment_file import held_terms, read_terms
    from services.lottery.deployment.deploy import deploy_contracts, require_plan_holds
    from services.lottery.deployment.plan import plan_deployment

    settings = loaded_settings()
    terms = read_terms(file)
    key = find_deployer(is_local=settings.is_local, keystore=keystore_file, key_file=key_file)
    with held_terms(file):
        plan = plan_deployment(settings, file, terms, deployer=key.address, first_nonce=first_nonce)
        if dry_run or not json:
            _print_plan(plan.document(), json)
        if dry_run:
            return plan.lines.exit_code
        require_plan_holds(plan)
        if plan.gas:
            confirm("Send these transactions?", yes)
        signer = key.open("" if key.is_plain else _password(password_file), chain_id=terms.chain_id)
        with watched() as (story, stop):
            done = deploy_contracts(plan, signer, tell=story, stop=stop)
    todo = [{"name": line.name, "found": line.found, "todo": line.todo} for line in done.todo]
    if json:
        print_json({"addresses": done.addresses, "env": done.env, "todo": todo, "record": str(plan.path)})
        return EXIT_DONE
    print_facts("Deployed, final and checked", done.addresses)
    print_table("Left to do", ("what", "is", "do"), [list(one.values()) for one in todo])
    print_table("For the settings file", ("",), [[f"{name}={value}"] for name, value in done.env.items()], header=False)
    return EXIT_DONE


@app.command()
def check(file: OptionalFile = None, json: JsonOption = False) -> int:
    """Check a whole installation line by line: code, wiring, roles, game, token, VRF, ether, key, endpoints, relays,
    database. Reads only; exit 0 only if all that is required holds."""
    from services.deployment.checklist import Verdict
    from services.lottery.deployment.checks.contracts import check_contracts

    lines = check_contracts(loaded_settings(), file)
    if json:
        print_json({"checks": lines.document(), "exit_code": lines.exit_code})
    else:
        _print_lines(lines.document())
        wrong, unknown, warnings = (
            len(lines.of(verdict)) for verdict in (Verdict.WRONG, Verdict.UNKNOWN, Verdict.WARNING)
        )
        counts = f"{wrong} wrong, {unknown} unknown, {warnings} warnings"
        print_facts(
            "Installation", {"verdict": "in order" if lines.exit_code == EXIT_DONE else "not in order", "": counts}
        )
    return lines.exit_code


def _password(file: Path | None) -> str:
    from bo_engine.redaction import know_secrets
    from io_layer.keys.key_file import read_private

    if file is None:
        return hidden("Password of the deployer's key: ", "--password-file")
    password = read_private(file, "--password-file", code="unreadable_file").rstrip("\r\n")
    know_secrets([password])
    return password


def _print_plan(plan: dict[str, Any], json: bool) -> None:
    if json:
        print_json(plan)
        return
    columns = ("contract", "nonce", "address", "state", "gas")
    print_table("Creations", columns, [[one[name] for name in columns] for one in plan["creations"]])
    names = ("chain_id", "deployer", "balance_wei", "cost_wei_at_most", "max_fee_per_gas", "begun", "record")
    print_facts("Plan", {name: plan[name] for name in names})
    _print_lines(plan["checks"])


def _print_lines(lines: list[dict[str, Any]]) -> None:
    rows = [(one["name"], one["verdict"], "; do: ".join(filter(None, (one["found"], one["todo"])))) for one in lines]
    print_table("Checks", ("what", "verdict", "found"), rows)
