"""settlement_result.json: the draw, the prizes and every payout of a day (rule 4.3)."""

from collections.abc import Iterator
from typing import Final

from core.lottery.documents.canonical import StreamedList, render_object
from core.lottery.documents.parts import contracts_json, payout_text, pool_day_json, seeds_json, state_json
from core.lottery.model import DayResult, Deployment, PoolResult

SCHEMA: Final = "bo-engine/settlement-result/2"


def render_settlement_result(*, result: DayResult, deployment: Deployment) -> Iterator[bytes]:
    """Yield settlement_result.json in chunks."""
    return render_object(
        {
            "schema": SCHEMA,
            "day_id": result.day_id,
            "chain_id": deployment.chain_id,
            "contracts": contracts_json(deployment),
            "seeds": seeds_json(result.seeds),
            "pools": [pool_result_json(pool) for pool in result.pools],
            "payouts": StreamedList(payout_text(payout) for payout in result.payouts),
            "affiliate_payouts": StreamedList(payout_text(payout) for payout in result.affiliate_payouts),
            "totals": {
                "stake": str(sum(pool.sold.stake_atoms for pool in result.pools)),
                "payout": str(result.total_payout_atoms),
                "affiliate": str(result.affiliate_total_atoms),
                "charity": str(result.charity_total_atoms),
                "net_fee": str(result.net_fee_atoms),
                "fee": str(result.fee_atoms),
            },
        }
    )


def pool_result_json(pool: PoolResult) -> dict[str, object]:
    """One pool's day, complete."""
    return {
        **pool_day_json(pool.pool_id, pool.sold),
        "split": {
            "fee": str(pool.split.fee_atoms),
            "rollover": str(pool.split.rollover_atoms),
            "jackpot": str(pool.split.jackpot_atoms),
            "pot": str(pool.split.pot_atoms),
        },
        "opening": state_json(pool.opening),
        "budget": str(pool.budget_atoms),
        "winning_numbers": list(pool.winning_numbers),
        "tiers": [
            {
                "matches": tier.matches,
                "winning_tips": tier.winning_tips,
                "share": str(tier.share_atoms),
                "each": str(tier.each_atoms),
            }
            for tier in pool.tiers
        ],
        "jackpot_matches": pool.jackpot_matches,
        "jackpot_each": str(pool.jackpot_each_atoms),
        "payout": str(pool.payout_atoms),
        "jackpot_payout": str(pool.jackpot_payout_atoms),
        "jackpot_hit": pool.jackpot_hit,
        "closing": state_json(pool.closing),
    }
