"""Commands of the jobs that cron runs beside settle, and what stops them and shows them."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, UsageError
from cli.output import ByName, DryRun, JsonOption, print_facts, print_json, print_table
from cli.start import ask_by_name, loaded_settings, watched
from services.jobs.job import Done, Job
from workers.all_jobs import all_jobs

PANEL = "Jobs"
JobName = Annotated[str | None, typer.Option("--job", help="Name of the job.", metavar="NAME")]
AllJobs = Annotated[bool, typer.Option("--all", help="All jobs.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands, and one for each job that has no command of its own."""
    taken = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for job in all_jobs().values():
        if job.name not in taken:
            app.command(job.name, rich_help_panel=PANEL)(_command_of(job))
    app.command(rich_help_panel=PANEL)(halt)
    app.command(rich_help_panel=PANEL)(jobs)


def run(job: Job) -> Done | None:
    """Run a job as cron would; None when nothing is due."""
    from services.jobs.run_job import run_job

    settings = loaded_settings()
    with watched() as (report, cancel):
        return run_job(job, settings, cancel=cancel, report=report)


def _command_of(job: Job) -> Callable[..., int]:
    def work(json: JsonOption = False) -> int:
        return _show(job, run(job), json)

    def work_or_plan(json: JsonOption = False, dry_run: DryRun = False) -> int:
        return _show(job, _plan(job), json, dry_run=True) if dry_run else _show(job, run(job), json)

    command = work if job.plan is None else work_or_plan
    command.__doc__ = job.does
    return command


def _plan(job: Job) -> Done:
    from services.jobs.run_job import look_at_job

    if job.plan is None:
        raise UsageError("no_dry_run", f"{job.name} has no dry run")
    settings = loaded_settings()
    with watched() as (report, cancel):
        return look_at_job(settings, cancel=cancel, report=report, plan=job.plan)


def _show(job: Job, done: Done | None, json: bool, *, dry_run: bool = False) -> int:
    found = done or Done({"nothing_due": True})
    facts = {**found.document, **({"dry_run": True} if dry_run else {}), "exit_code": found.exit_code}
    if json:
        print_json(facts)
        return found.exit_code
    tables = {name: value for name, value in facts.items() if _is_table(value)}
    plain = {name: value for name, value in facts.items() if name not in tables}
    print_facts(job.name + (" (dry run: nothing was written)" if dry_run else ""), plain)
    for name, rows in tables.items():
        print_table(name, list(rows[0]), [list(row.values()) for row in rows])
    return found.exit_code


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever finds the job halted reads it.")] = "",
    job: JobName = None,
    all_jobs_: AllJobs = False,
    by: ByName = None,
    json: JsonOption = False,
) -> int:
    """Stop a job, or all: none starts any more, one that runs ends at its next safe point. Leaves a row in the audit
    log. Safe to repeat: the first reason stays."""
    from services.jobs.control import halt_jobs

    name = _one_or_all(job, all_jobs_)
    why = " ".join(reason.split())
    if not why or len(why) > 300 or not why.isprintable():
        raise UsageError("missing_reason", "say why with --reason TEXT (up to 300 printable characters)")
    person = ask_by_name(by)
    facts = _with_database(lambda conn: halt_jobs(conn, name, reason=why, by=person, known=list(all_jobs())))
    if json:
        print_json(facts)
    else:
        print_facts("Halted", {**facts, "halted": "all jobs" if name is None else name})
    return EXIT_DONE


def resume_jobs(job: str | None, every: bool, by: str | None, json: bool) -> int:
    """Let halted jobs go on."""
    from services.jobs import control

    name = _one_or_all(job, every)
    person = ask_by_name(by)
    facts = _with_database(lambda conn: control.resume_jobs(conn, name, by=person, known=list(all_jobs())))
    if json:
        print_json(facts)
    else:
        names = {key: ["all jobs" if one == "*" else one for one in facts[key]] for key in ("resumed", "still_halted")}
        print_facts("Resumed", {**facts, **names})
    return EXIT_DONE


def _one_or_all(job: str | None, every: bool) -> str | None:
    if (job is None) != every:
        raise UsageError("usage", "say --job NAME or --all, one of the two")
    return job


def jobs(json: JsonOption = False) -> int:
    """Every job: its last run and how it ended, who runs it now, whether it is halted, when it is due. Reads only."""
    from services.jobs.control import list_jobs

    rows = _with_database(lambda conn: list_jobs(conn, list(all_jobs().values())))
    if json:
        print_json({"jobs": rows})
        return EXIT_DONE
    shown = [
        (
            row["job"],
            (row["last_run"] or "never")[:19],
            "" if row["exit_code"] is None else row["exit_code"],
            row["error"] or "",
            _now(row),
            (row["next_due"] or "")[:16],
        )
        for row in rows
    ]
    print_table("Jobs", ("job", "last run (UTC)", "exit", "because", "now", "next due (UTC)"), shown)
    _print_reasons(rows)
    return EXIT_DONE


def _print_reasons(rows: list[dict[str, Any]]) -> None:
    """What a person must know of jobs that do not go on by themselves: why one was halted, what one said at its end."""
    halts: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        if row["halted"]:
            halts.setdefault((row["halted"], row["halted_by"], row["halted_at"]), []).append(row["job"])
        elif row["exit_code"] in (EXIT_FAILED, EXIT_USAGE) and row["error"] != "job_halted":
            print_facts(f"{row['job']} ended with {row['exit_code']}", {row["error"] or "": row["message"]})
    for (reason, by, since), names in halts.items():
        who = "All jobs are halted" if len(names) == len(rows) else f"Halted: {', '.join(names)}"
        print_facts(who, {"reason": reason, "by": by, "since": since})


def _now(row: dict[str, Any]) -> str:
    # Both at once: what is halted may still be on its way to its next safe point.
    if row["halted"]:
        return "halted, running" if row["running"] else "halted"
    return "running" if row["running"] else ""


def _with_database(ask: Callable[[Any], Any]) -> Any:
    from io_layer.postgres.connection import connect
    from services.running.installation import require_own_database

    settings = loaded_settings()
    with connect(settings.database_url, application_name="bo-engine") as conn:
        require_own_database(conn, settings)
        return ask(conn)
