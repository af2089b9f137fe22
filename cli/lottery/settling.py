"""Commands that settle a day: the whole way, each step alone, and resume."""

from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, UsageError
from bo_engine.units import DayId, parse_day
from cli.jobs import AllJobs, JobName, resume_jobs
from cli.jobs import run as run_job
from cli.lottery.start import opened_lottery
from cli.output import ByName, DayOption, DryRun, JsonOption, OneDay, print_facts, print_json, print_table, tell
from cli.start import ask_by_name
from services.jobs.job import Done

PANEL = "Settle"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(rich_help_panel=PANEL)(settle)
    app.command("export-inputs", rich_help_panel=PANEL)(export_inputs)
    app.command("export-affiliates", rich_help_panel=PANEL)(export_affiliates)
    app.command(rich_help_panel=PANEL)(compute)
    app.command(rich_help_panel=PANEL)(approve)
    app.command(rich_help_panel=PANEL)(commit)
    app.command("refresh-stats", rich_help_panel=PANEL)(refresh_stats)
    app.command(rich_help_panel=PANEL)(resume)
    app.command("void-plan", rich_help_panel=PANEL)(void_plan)


def settle(day: DayOption = None, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Settle every closed, unsettled day, oldest first, or one day: export, affiliates, compute, approve, commit,
    release, stats. Safe to repeat: finished steps are skipped, nothing is ever sent or paid twice."""
    from workers.lottery.settle import JOB, settle_one

    if dry_run:
        with opened_lottery() as context:
            return _dry_run(context, day, json)
    done = run_job(JOB if day is None else settle_one(parse_day(day)))
    if done is None:
        done = Done({"days": [], "rpc_calls": {}, "exit_code": EXIT_DONE})
    documents = done.document["days"]
    if done.error_code:
        tell(f"bo-engine: {done.error_code}: {done.message}")
    if json:
        print_json(done.document)
        return done.exit_code
    if not documents:
        print_facts("Nothing is due", {"days": "every closed day is settled"})
    else:
        _print_outcomes(documents)
    calls = done.document["rpc_calls"]
    print_facts("RPC calls", {name: sum(counts.values()) for name, counts in calls.items()})
    return done.exit_code


def export_inputs(day: OneDay, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 1: freeze the day's tickets, tips and opening state; writes inputs.json. Safe to repeat."""
    return _step("export", day, json, dry_run)


def export_affiliates(day: OneDay, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 2: the day's stakes per referred player and the rates in force; writes affiliates.json. Safe to repeat."""
    return _step("affiliates", day, json, dry_run)


def compute(day: OneDay, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 3: draw, winners, payouts, both trees, the run_hash. Safe to repeat: the same day gives the same hash."""
    return _step("compute", day, json, dry_run)


def approve(day: OneDay, by: ByName = None, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 4: the gates G1-G13 and W1, all findings listed; any failure stops the day. Safe to repeat.

    With APPROVAL_MODE=manual a person says yes with --by NAME."""
    return _step("approve", day, json, dry_run, by=by)


def commit(day: OneDay, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 5: commit both roots on-chain, then release after the challenge period. Safe to repeat: one commit and one
    release per day, whatever happens in between."""
    return _step("commit", day, json, dry_run)


def refresh_stats(day: OneDay, json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Step 6: dashboard statistics of a settled day. Safe to repeat."""
    return _step("stats", day, json, dry_run)


def resume(
    day: DayOption = None,
    job: JobName = None,
    all_jobs: AllJobs = False,
    *,
    chain: Annotated[
        bool, typer.Option("--chain", help="Take the chain as it is, after `final_block_changed` or `cursor_ahead`.")
    ] = False,
    by: ByName = None,
    json: JsonOption = False,
) -> int:
    """Let a HALTED day, a halted job, or jobs that a changed chain has stopped, go on after a person has looked; leaves
    a row in the audit log. Safe to repeat: what is not halted is refused and left as it is."""
    if sum((day is not None, job is not None or all_jobs, chain)) != 1:
        raise UsageError("usage", "say what may go on: --day N, --job NAME, --all or --chain")
    if day is None and not chain:
        return resume_jobs(job, all_jobs, by, json)
    from services.chain.resume_chain import resume_chain
    from services.lottery.settlement.resume import resume_day

    name = ask_by_name(by)
    with opened_lottery() as context:
        facts = resume_chain(context, by=name) if day is None else resume_day(context, parse_day(day), by=name)
    if json:
        print_json(facts)
    else:
        print_facts("Chain" if day is None else f"Day {day}", facts)
    return EXIT_DONE


def void_plan(day: OneDay, json: JsonOption = False) -> int:
    """Who may void a day, from when, and the call voidDay(uint256) that a wallet signs. Reads only, sends nothing."""
    from services.lottery.settlement.voids.plan_void import plan_void

    with opened_lottery() as context:
        facts = plan_void(context, parse_day(day))
    if json:
        print_json(facts)
    else:
        print_facts(f"Void of day {day}", facts)
    return EXIT_DONE


def _step(step: str, day: int, json: bool, dry_run: bool, *, by: str | None = None) -> int:
    from services.lottery.settlement.dry_run import dry_run_step
    from services.lottery.settlement.settle_days import run_one_step

    day_id: DayId = parse_day(day)
    with opened_lottery() as context:
        if dry_run:
            facts, code = dry_run_step(context, step, day_id), EXIT_DONE
        else:
            outcome = run_one_step(context, step, day_id, by=by)
            facts, code = outcome.document(), outcome.exit_code
    findings = facts.pop("findings", None) if not json else None
    if json:
        print_json(facts)
    else:
        print_facts(f"{step}, day {day}" + (" (dry run: nothing was written)" if dry_run else ""), facts)
        if findings:
            print_findings(findings)
    if facts.get("gates_hold") is False:
        return EXIT_FAILED
    return code


def print_findings(findings: list[dict[str, Any]]) -> None:
    """The gates as a table."""
    rows = [(finding["gate"], finding["severity"], finding["text"], finding["detail"]) for finding in findings]
    print_table("Gates", ("gate", "result", "claim", "what was found"), rows)


def _dry_run(context: Any, day: int | None, json: bool) -> int:
    from services.lottery.settlement.dry_run import dry_run_days

    documents, later = dry_run_days(context, day=None if day is None else parse_day(day))
    if json:
        print_json({"dry_run": True, "days": documents, "waits_for": later})
    else:
        for document in documents:
            findings = document.pop("findings", [])
            print_facts(f"Day {document['day_id']} (dry run: nothing was written)", document)
            if findings:
                print_findings(findings)
        if later:
            print_facts("Then the run would wait", {"reason": later})
        elif not documents:
            print_facts("Nothing is due", {"days": "every closed day is settled"})
    if later and not documents:
        return EXIT_LATER
    return EXIT_FAILED if any(document.get("gates_hold") is False for document in documents) else EXIT_DONE


def _print_outcomes(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        findings = document.pop("findings", None)
        print_facts(f"Day {document['day_id']}", document)
        if findings:
            print_findings(findings)
