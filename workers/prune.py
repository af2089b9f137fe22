"""The job prune: old logs, old records of runs, what sent messages said."""

from typing import TYPE_CHECKING, Final

from services.jobs.job import Done, Job

if TYPE_CHECKING:
    from services.running.context import RunContext


def _work(run: "RunContext") -> Done:
    from services.jobs.prune import prune

    return _done(prune(run, dry_run=False))


def _plan(run: "RunContext") -> Done:
    from services.jobs.prune import prune

    return _done(prune(run, dry_run=True))


def _done(document: dict[str, object]) -> Done:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in document.items()}
    return Done(document, counts={name: int(str(value)) for name, value in counts.items()})


JOB: Final = Job(
    name="prune",
    area="maintenance",
    schedule="17 4 * * *",
    does="Remove log files and records that are old enough (settlement logs after 30 days, others after 14; runs and "
    "message texts after 30). Safe to repeat.",
    work=_work,
    plan=_plan,
)
