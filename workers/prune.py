"""The job prune: old logs, old records of runs, what sent messages said."""

from typing import Final

from services.jobs.job import Done, Job, Look, Run


def _work(run: Run) -> Done:
    from services.jobs.prune import prune

    return _done(prune(run.conn, run.settings.logs_dir, run.lease))


def _plan(look: Look) -> Done:
    from services.jobs.prune import prune

    return _done(prune(look.conn, look.settings.logs_dir, None))


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
