"""A job that a person has stopped does not run."""

from bo_engine.errors import Halted
from io_layer.postgres.connection import Conn
from io_layer.stores.halts import select_halt


def require_not_halted(conn: Conn, job: str) -> None:
    """Raises: Halted ``job_halted``."""
    halt = select_halt(conn, job)
    if halt is not None:
        raise job_halted(job, halt.reason)


def job_halted(job: str, reason: str) -> Halted:
    """The error of a job that a person has stopped."""
    return Halted(
        "job_halted",
        f"job {job} is halted: {reason}; `bo-engine jobs` says by whom, `bo-engine resume --job {job} --by NAME` (or "
        "--all) lets it go on",
    )
