"""The command that trusts nobody: verify. It needs no settings, no database and nothing of the engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, Unavailable, UsageError
from cli.output import DayOption, JsonOption, print_json, print_table

if TYPE_CHECKING:
    from verifier.report import Report
    from verifier.selftest import Result


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(rich_help_panel="Look")(verify)


def verify(
    day: DayOption = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The day's folder; else artifacts/dayId=N in this one.")
    ] = None,
    rpc: Annotated[
        list[str] | None,
        typer.Option("--rpc", help="A node of the chain, to check against it; several if you trust none."),
    ] = None,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Forge a good day in many ways and show which check catches each.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Recompute a day from its public files alone, and with a node compare it with the chain. Reads only.

    Needs no settings and no database, and shares no code with the engine.
    """
    if selftest:
        if day is not None or folder is not None or rpc:
            raise UsageError("usage", "--selftest brings its own day: give it alone")
        return _selftest(json)
    if day is None:
        raise UsageError("usage", "say which day with --day N, or try --selftest")
    from verifier.checking import CannotVerify, NodeSilent
    from verifier.verify import verify_folder

    try:
        report = verify_folder(day, folder or Path("artifacts", f"dayId={day}"), tuple(rpc or ()))
    except CannotVerify as error:
        raise UsageError("cannot_verify", str(error)) from None
    except NodeSilent as error:
        raise Unavailable("node_silent", f"{error}; try again or name another node with --rpc") from None
    exit_code = EXIT_DONE if report.holds else EXIT_FAILED
    if json:
        print_json({**report.document(), "exit_code": exit_code})
    else:
        _print(report)
    return exit_code


def _print(report: "Report") -> None:
    rows = [(one.name, one.verdict, f"{one.compared}: {one.found}") for one in report.findings]
    print_table(f"Day {report.day_id}", ("check", "verdict", "what is compared: what was found"), rows)
    failed = len(report.failed)
    checked = sum(1 for one in report.findings if one.verdict != "not checked")
    held = f"{checked - failed} of {checked} checks hold"
    verdict = [("verdict", f"{report.verdict} ({held})"), *([("run hash", report.run_hash)] if report.run_hash else [])]
    print_table("Verdict", ("", ""), verdict, header=False)
    print_table("What this run could not tell", ("",), [(text,) for text in report.untold], header=False)


def _selftest(json: bool) -> int:
    from verifier.checking import CannotVerify
    from verifier.selftest import run_selftest

    try:
        result = run_selftest()
    except CannotVerify as error:
        raise UsageError("cannot_verify", str(error)) from None
    exit_code = EXIT_DONE if result.holds else EXIT_FAILED
    if json:
        print_json({**result.document(), "exit_code": exit_code})
    else:
        _print_selftest(result)
    return exit_code


def _print_selftest(result: "Result") -> None:
    rows = [(one.number, one.story, ", ".join(one.failed) or "NOTHING", one.verdict) for one in result.trials]
    print_table("The unforged day", ("", ""), [("verdict", result.honest_verdict)], header=False)
    print_table("Forgeries", ("", "what was forged", "caught by", ""), rows)
    typer.echo(f"{result.caught} of {len(result.trials)} caught")
