"""The files of a voided day: where they differ from those of a settled one they say so in ``mode`` (rule 2.12)."""

from collections.abc import Iterator
from typing import Final

from bo_engine.units import DayId, Hash32, hex_of
from core.documents.canonical import StreamedList, render_object
from core.documents.parts import contracts_json, payout_text, pool_day_json, state_json
from core.model import Deployment, VoidedDay
from core.void import VoidReason

AFFILIATES_SCHEMA: Final = "bo-engine/void-affiliates/1"
RESULT_SCHEMA: Final = "bo-engine/void-result/1"
BUNDLE_SCHEMA: Final = "bo-engine/void-bundle/1"
MODE: Final = "void"


def render_void_affiliates(*, day_id: DayId, chain_id: int) -> Iterator[bytes]:
    """Yield affiliates.json of a voided day: there is no fee, so nobody earns anything."""
    return render_object(
        {
            "schema": AFFILIATES_SCHEMA,
            "mode": MODE,
            "day_id": day_id,
            "chain_id": chain_id,
            "referred": [],
            "affiliates": [],
            "affiliate_total": "0",
            "charity_total": "0",
            "net_fee": "0",
            "fee": "0",
        }
    )


def render_void_result(*, voided: VoidedDay, reason: VoidReason, deployment: Deployment) -> Iterator[bytes]:
    """Yield settlement_result.json of a voided day: why, and every refund."""
    result = voided.result
    return render_object(
        {
            "schema": RESULT_SCHEMA,
            "mode": MODE,
            "void_reason": reason,
            "day_id": result.day_id,
            "chain_id": deployment.chain_id,
            "contracts": contracts_json(deployment),
            "promotions": voided.promotions,
            "seeds": None,
            "pools": [
                {
                    **pool_day_json(pool.pool_id, pool.sold),
                    "refund": str(pool.refund_atoms),
                    "opening": state_json(pool.opening),
                    "closing": state_json(pool.closing),
                }
                for pool in result.pools
            ],
            "payouts": StreamedList(payout_text(payout) for payout in result.payouts),
            "affiliate_payouts": [],
            "totals": {
                "stake": str(sum(pool.sold.stake_atoms for pool in result.pools)),
                "refund": str(result.total_payout_atoms),
                "voucher_refund": str(voided.voucher_refund_atoms),
            },
        }
    )


def void_bundle(
    *,
    voided: VoidedDay,
    reason: VoidReason,
    deployment: Deployment,
    ruleset_hash: Hash32,
    inputs_sha256: Hash32,
    affiliates_sha256: Hash32,
    refund_root: Hash32,
) -> dict[str, object]:
    """The content of ``commit_bundle.json`` of a voided day; its run hash stands in no contract."""
    result = voided.result
    return {
        "schema": BUNDLE_SCHEMA,
        "mode": MODE,
        "void_reason": reason,
        "day_id": result.day_id,
        "chain_id": deployment.chain_id,
        "contracts": contracts_json(deployment),
        "ruleset_hash": hex_of(ruleset_hash),
        "inputs_sha256": hex_of(inputs_sha256),
        "affiliates_sha256": hex_of(affiliates_sha256),
        "promotions": voided.promotions,
        "pools": [pool_day_json(pool.pool_id, pool.sold) for pool in result.pools],
        "opening_state": [state_json(pool.opening) for pool in result.pools],
        "closing_state": [state_json(pool.closing) for pool in result.pools],
        "refund_total": str(result.total_payout_atoms),
        "voucher_refund": str(voided.voucher_refund_atoms),
        "refund_root": hex_of(refund_root),
    }
