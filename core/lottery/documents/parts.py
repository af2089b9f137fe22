"""Objects that several files share. Amounts are decimal strings, hashes 0x hex, counts and ids numbers."""

from bo_engine.units import hex_of
from core.lottery.model import Deployment, Payout, PoolDay, PoolState, Seeds


def contracts_json(deployment: Deployment) -> dict[str, object]:
    """The contracts that a day belongs to."""
    return {
        "settlement": deployment.settlement,
        "game_manager": deployment.game_manager,
        "prize_vault": deployment.prize_vault,
        "affiliate_vault": deployment.affiliate_vault,
    }


def state_json(state: PoolState) -> dict[str, object]:
    """A pool's state between two days."""
    return {
        "carry": str(state.carry_atoms),
        "reserve": str(state.reserve_atoms),
        "last_rollover": str(state.last_rollover_atoms),
        "streak": state.streak,
    }


def pool_day_json(pool_id: int, sold: PoolDay) -> dict[str, object]:
    """What a pool sold on the day."""
    return {
        "pool_id": pool_id,
        "ticket_count": sold.ticket_count,
        "tip_count": sold.tip_count,
        "stake": str(sold.stake_atoms),
        "digest": hex_of(sold.digest),
    }


def seeds_json(seeds: Seeds | None) -> dict[str, object] | None:
    """Both seeds of the draw; null on a day without tips."""
    if seeds is None:
        return None
    return {
        "vrf_word": str(seeds.vrf_word),
        "vrf_requested_at": seeds.vrf_requested_at,
        "drand_round": seeds.drand_round,
        "drand_signature": hex_of(seeds.drand_signature),
        "drand_randomness": hex_of(seeds.drand_randomness),
    }


def payout_text(payout: Payout) -> str:
    """A payout as canonical JSON text."""
    return f'{{"amount":"{payout.amount_atoms}","wallet":"{payout.wallet}"}}'
