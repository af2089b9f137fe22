"""The jobs, run once in this process: under their leases, without a record, on a test's own engine."""

from collections.abc import Callable
from typing import TypeVar

import services.backfill_claim_events
import services.recover_intents
import services.refresh_seeds
import services.resolve_pending_claims
from services.backfill_claim_events import Backfilled
from services.engine import Engine
from services.lease import Lease, held_lease
from services.recover_intents import Recovered
from services.refresh_seeds import Refreshed

T = TypeVar("T")


def _under_lease(engine: Engine, job: str, work: Callable[[Engine, Lease], T]) -> T:
    with held_lease(engine.conn, job, engine.stop) as lease:
        return work(engine, lease)


def recover_intents(engine: Engine) -> Recovered:
    """`recover-intents`."""
    return _under_lease(engine, "recover-intents", services.recover_intents.recover_intents)


def refresh_seeds(engine: Engine) -> Refreshed:
    """`refresh-seeds`."""
    return _under_lease(engine, "refresh-seeds", services.refresh_seeds.refresh_seeds)


def backfill_claim_events(engine: Engine) -> Backfilled:
    """`backfill-claim-events`."""
    return _under_lease(engine, "backfill-claim-events", services.backfill_claim_events.backfill_claim_events)


def resolve_pending_claims(engine: Engine) -> dict[str, int]:
    """`resolve-pending-claims`."""
    return _under_lease(engine, "resolve-pending-claims", services.resolve_pending_claims.resolve_pending_claims)
