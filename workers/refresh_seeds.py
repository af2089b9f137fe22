"""The job refresh-seeds: both seeds of every closed day with tips."""

from typing import Final

from services.engine import Engine
from services.lease import held_lease
from services.refresh_seeds import Refreshed, refresh_seeds

JOB: Final = "refresh-seeds"


def run(engine: Engine) -> Refreshed:
    """Run once, under the job's lease."""
    with held_lease(engine.conn, JOB, engine.stop) as lease:
        return refresh_seeds(engine, lease)
