"""The job recover-intents: every purchase on the chain becomes a ticket, every intent finds its end."""

from typing import Final

from services.engine import Engine
from services.lease import held_lease
from services.recover_intents import Recovered, recover_intents

JOB: Final = "recover-intents"


def run(engine: Engine) -> Recovered:
    """Run once, under the job's lease."""
    with held_lease(engine.conn, JOB, engine.stop) as lease:
        return recover_intents(engine, lease)
