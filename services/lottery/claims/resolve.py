"""Finds the end of the App's pending claims: the vault at a final block decides, then the receipt, then their age.

RELEASED tells the App that it may offer the claim again. That is never dangerous: a vault pays once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from bo_engine.errors import Unavailable
from io_layer.lottery.contracts.claims import is_claimed_at_a_head, read_claimed, vaults_of
from io_layer.lottery.stores.payments.claims import (
    ClaimStatus,
    PendingClaim,
    decide_claim,
    put_claims_behind,
    select_pending,
)
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import read_receipt
from services.chain.reorg_guard import remember_final_block, require_final_blocks
from services.lottery.context import LotteryContext

_BATCH: Final = 1000
_RENEW_EVERY: Final = 50


class Decision(NamedTuple):
    """What the chain says of a pending claim; ``reason`` when it is released."""

    claim: PendingClaim
    status: Literal[ClaimStatus.PAID, ClaimStatus.RELEASED]
    reason: str | None = None


def resolve_pending_claims(context: LotteryContext) -> dict[str, int]:
    """Decide the pending claims that were looked at longest ago, one by one; the counts."""
    final = require_final_blocks(context)
    pending = select_pending(context.conn, _BATCH)
    counts = {"paid": 0, "released": 0}
    for decision in _decide(context, final, pending, context.renew_lease):
        with context.transaction():
            remember_final_block(context)
            counts[decision.status.lower()] += decide_claim(context.conn, *decision)
    if len(pending) == _BATCH:
        # More than one run looks at: whoever still waits goes behind the others, so that nobody starves.
        with context.transaction():
            put_claims_behind(context.conn, [one.claim_id for one in pending])
    return {**counts, "pending": len(pending) - sum(counts.values())}


def plan_pending_claims(context: LotteryContext) -> dict[str, Any]:
    """What a run would decide now; writes nothing."""
    final = context.chain.read_final_block()
    pending = select_pending(context.conn, _BATCH)
    decisions = list(_decide(context, final, pending, lambda: None))
    return {
        "paid": [one.claim.claim_id for one in decisions if one.status == ClaimStatus.PAID],
        "released": [
            {"claim_id": one.claim.claim_id, "reason": one.reason}
            for one in decisions
            if one.status == ClaimStatus.RELEASED
        ],
        "pending": len(pending) - len(decisions),
    }


def _decide(
    context: LotteryContext, final: Block, pending: Sequence[PendingClaim], renew: Callable[[], None]
) -> Iterator[Decision]:
    """The claims that the chain has decided; the others wait."""
    vaults = vaults_of(context.game)
    ours = [one for one in pending if one.vault in vaults]
    for claim in pending:
        if claim.vault not in vaults:
            yield Decision(claim, ClaimStatus.RELEASED, f"{claim.vault} is no claim vault of this installation")
    claimed = read_claimed(context.game, final, [(one.vault, one.day_id, one.account) for one in ours])
    for claim, is_claimed in zip(ours, claimed, strict=True):
        if is_claimed:
            yield Decision(claim, ClaimStatus.PAID)
    for place, claim in enumerate(one for one, is_claimed in zip(ours, claimed, strict=True) if not is_claimed):
        context.cancel.check()
        if place % _RENEW_EVERY == 0:
            renew()
        try:
            reason = _why_unpaid(context, final, claim)
        except Unavailable as error:
            if error.code == "rpc_unreachable":
                return  # a thousand of them would outlive the lease; the next run goes on
            continue
        if reason is not None:
            yield Decision(claim, ClaimStatus.RELEASED, reason)


def _why_unpaid(context: LotteryContext, final: Block, claim: PendingClaim) -> str | None:
    """Why a claim that the vault does not know at the final block will not come; None while it still may."""
    receipt = read_receipt(context.chain, claim.tx_hash, final) if claim.tx_hash is not None else None
    if receipt is not None:
        if receipt.block_number > final.number:
            return None
        return "the transaction did not claim it" if receipt.succeeded else "the transaction reverted on the chain"
    if not claim.is_stale or is_claimed_at_a_head(context.game, (claim.vault, claim.day_id, claim.account)):
        return None
    return "no transaction has claimed it for an hour"
