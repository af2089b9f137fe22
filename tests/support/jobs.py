"""The jobs, run once in this process: under their leases, without a record, on a test's own engine."""

from collections.abc import Callable
from typing import TypeVar

import services.lottery.claims.index
import services.lottery.claims.resolve
import services.lottery.purchases.recover
import services.lottery.seeds.refresh_seeds
from services.lottery.claims.index import Backfilled
from services.lottery.context import LotteryContext
from services.lottery.purchases.recover import Recovered
from services.lottery.seeds.refresh_seeds import Refreshed
from services.running.lease import held_lease

T = TypeVar("T")


def _under_lease(context: LotteryContext, job: str, work: Callable[[LotteryContext], T]) -> T:
    with held_lease(context, job) as context:
        return work(context)


def recover_intents(context: LotteryContext) -> Recovered:
    """`recover-intents`."""
    return _under_lease(context, "recover-intents", services.lottery.purchases.recover.recover_intents)


def refresh_seeds(context: LotteryContext) -> Refreshed:
    """`refresh-seeds`."""
    return _under_lease(context, "refresh-seeds", services.lottery.seeds.refresh_seeds.refresh_seeds)


def backfill_claim_events(context: LotteryContext) -> Backfilled:
    """`backfill-claim-events`."""
    return _under_lease(context, "backfill-claim-events", services.lottery.claims.index.backfill_claim_events)


def resolve_pending_claims(context: LotteryContext) -> dict[str, int]:
    """`resolve-pending-claims`."""
    return _under_lease(context, "resolve-pending-claims", services.lottery.claims.resolve.resolve_pending_claims)
