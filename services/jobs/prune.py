"""Removes what is kept long enough: log files, old rows of job_runs, what sent messages said. Nothing of a day."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvalidInput
from io_layer.files.job_log import dated_files
from io_layer.stores.jobs import delete_old_runs, empty_old_payloads, select_now
from services.running.context import RunContext

KEEP_LOGS_DAYS: Final = {"settlement": 30}
KEEP_OTHER_LOGS_DAYS: Final = 14
KEEP_RUNS_DAYS: Final = 30
KEEP_PAYLOADS_DAYS: Final = 30


def prune(context: RunContext, *, dry_run: bool) -> dict[str, Any]:
    """Remove it; in a dry run only count it. The database's clock decides: a host's may have jumped by a year.

    Raises: InvalidInput ``logs_not_removable``, when all else is done.
    """
    conn, logs_dir = context.conn, context.settings.logs_dir
    today = select_now(conn).date()
    kept: list[OSError] = []
    files = [path for path in _old_files(logs_dir, today, kept) if dry_run or _remove(context, path, kept)]
    with nullcontext() if dry_run else context.transaction():
        runs = delete_old_runs(conn, KEEP_RUNS_DAYS, dry_run=dry_run)
    with nullcontext() if dry_run else context.transaction():
        payloads = empty_old_payloads(conn, KEEP_PAYLOADS_DAYS, dry_run=dry_run)
    if kept:
        # Last: what one folder refuses keeps no other file and no row from going.
        raise InvalidInput(
            "logs_not_removable",
            f"{kept[0].filename} and whatever else is old there cannot be removed ({kept[0].strerror}), all the rest "
            "is: give the folder to the user who runs the jobs (`chown -R`)",
        )
    return {"log_files": [str(path.relative_to(logs_dir)) for path in files], "job_runs": runs, "payloads": payloads}


def _old_files(logs_dir: Path, today: date, kept: list[OSError]) -> Iterator[Path]:
    if not logs_dir.is_dir():
        return
    for area in sorted(logs_dir.iterdir()):
        keep = KEEP_LOGS_DAYS.get(area.name, KEEP_OTHER_LOGS_DAYS)
        try:
            found = list(dated_files(area))
        except OSError as error:
            kept.append(error)
            continue
        yield from (path for path, day in found if day < today - timedelta(days=keep))


def _remove(context: RunContext, path: Path, kept: list[OSError]) -> bool:
    context.cancel.check()
    try:
        path.unlink(missing_ok=True)  # another host on the same folder may have been faster
    except OSError as error:
        kept.append(error)
        return False
    return True
