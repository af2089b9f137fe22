"""The jobs, run once in this process: under their leases, without a record, on a test's own engine."""

from collections.abc import Callable
from typing import TypeVar

import services.lottery.claims.index
import services.lottery.claims.resolve
import services.lottery.purchases.recover
import services.lottery.seeds.refresh_seeds
from services.lottery.claims.index import Backfilled
from services.lottery.engine import Engine
from services.lottery.purchases.recover import Recovered
from services.lottery.seeds.refresh_seeds import Refreshed
from services.running.lease import Lease, held_lease

T = TypeVar("T")


def _under_lease(engine: Engine, job: str, work: Callable[[Engine, Lease], T]) -> T:
    with held_lease(engine.conn, job, engine.stop) as lease:
        return work(engine, lease)


def recover_intents(engine: Engine) -> Recovered:
    """`recover-intents`."""
    return _under_lease(engine, "recover-intents", services.lottery.purchases.recover.recover_intents)


def refresh_seeds(engine: Engine) -> Refreshed:
    """`refresh-seeds`."""
    return _under_lease(engine, "refresh-seeds", services.lottery.seeds.refresh_seeds.refresh_seeds)


def backfill_claim_events(engine: Engine) -> Backfilled:
    """`backfill-claim-events`."""
    return _under_lease(engine, "backfill-claim-events", services.lottery.claims.index.backfill_claim_events)


def resolve_pending_claims(engine: Engine) -> dict[str, int]:
    """`resolve-pending-claims`."""
    return _under_lease(engine, "resolve-pending-claims", services.lottery.claims.resolve.resolve_pending_claims)
