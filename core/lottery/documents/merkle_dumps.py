"""winners_merkle.json and affiliate_merkle.json: ``standard-v1`` dumps of both trees (rule 5.3)."""

from collections.abc import Iterator, Sequence

from bo_engine.units import DayId, Hash32, Wallet
from core.lottery.model import DayResult, Deployment, Payout
from merkle.leaf import leaf_domain
from merkle.standard_v1 import build_payout_tree, dump_tree
from merkle.tree import MerkleTree


def payout_pairs(payouts: Sequence[Payout]) -> list[tuple[Wallet, int]]:
    """Payouts as merkle/ takes them."""
    return [(payout.wallet, int(payout.amount_atoms)) for payout in payouts]


def winner_domain(deployment: Deployment) -> Hash32:
    """The leaf domain of the vault that pays prizes."""
    return leaf_domain(deployment.chain_id, deployment.prize_vault)


def affiliate_domain(deployment: Deployment) -> Hash32:
    """The leaf domain of the vault that pays commissions."""
    return leaf_domain(deployment.chain_id, deployment.affiliate_vault)


def winner_tree(deployment: Deployment, day_id: DayId, payouts: Sequence[Payout]) -> MerkleTree:
    """The tree of a day's winners."""
    return build_payout_tree(winner_domain(deployment), day_id, payout_pairs(payouts))


def affiliate_tree(deployment: Deployment, day_id: DayId, payouts: Sequence[Payout]) -> MerkleTree:
    """The tree of a day's affiliates."""
    return build_payout_tree(affiliate_domain(deployment), day_id, payout_pairs(payouts))


def render_winners_merkle(*, result: DayResult, deployment: Deployment) -> Iterator[bytes]:
    """Yield winners_merkle.json in chunks."""
    return dump_tree(winner_domain(deployment), result.day_id, payout_pairs(result.payouts))


def render_affiliate_merkle(*, result: DayResult, deployment: Deployment) -> Iterator[bytes]:
    """Yield affiliate_merkle.json in chunks."""
    return dump_tree(affiliate_domain(deployment), result.day_id, payout_pairs(result.affiliate_payouts))
