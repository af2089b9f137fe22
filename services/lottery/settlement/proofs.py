"""A wallet's proofs of a day, derived from the stored trees; nothing is computed that the chain did not commit to."""

from dataclasses import dataclass
from typing import Any

from bo_engine.errors import InvalidInput, InvariantBroken, require_input
from bo_engine.units import DayId, Hash32, Wallet, hex_of
from core.lottery.documents.merkle_dumps import affiliate_domain, winner_domain
from core.lottery.model import Deployment
from io_layer.lottery.stores.pipeline import DayStatus, select_day
from io_layer.lottery.stores.runs import Kind, Run, select_live_run, select_payout, select_tree
from io_layer.postgres.connection import Conn
from merkle.leaf import leaf_hash
from merkle.proof import verify_proof
from merkle.tree import MerkleTree


@dataclass(frozen=True, slots=True)
class Proof:
    """What a claim needs: vault, amount and the siblings from leaf to root."""

    vault: Wallet
    amount_atoms: int
    leaf: Hash32
    root: Hash32
    siblings: tuple[Hash32, ...]

    def document(self) -> dict[str, Any]:
        """For files and machines; the amount is a decimal string."""
        return {
            "vault": self.vault,
            "amount": str(self.amount_atoms),
            "leaf": hex_of(self.leaf),
            "root": hex_of(self.root),
            "proof": [hex_of(sibling) for sibling in self.siblings],
        }


def make_proofs(conn: Conn, deployment: Deployment, day_id: DayId, wallet: Wallet) -> dict[str, Any]:
    """The wallet's proofs of both trees, null where it has no leaf.

    Raises: InvalidInput ``no_run`` (the day is not computed), ``day_voided``, ``no_leaf`` (the wallet won and earned
    nothing).
    """
    row = select_day(conn, day_id)
    require_input(
        row is None or row.status != DayStatus.VOIDED,
        "day_voided",
        f"day {day_id} was voided: there are no prizes, and a refund needs no proof; `bo-engine explain --day {day_id} "
        f"--wallet {wallet}` lists what the wallet gets back",
    )
    run = select_live_run(conn, day_id)
    if run is None:
        raise InvalidInput("no_run", f"day {day_id} is not computed yet: there is nothing to prove")
    winner = _proof(conn, run, "winner", wallet, domain=winner_domain(deployment), vault=deployment.prize_vault)
    affiliate = _proof(
        conn, run, "affiliate", wallet, domain=affiliate_domain(deployment), vault=deployment.affiliate_vault
    )
    if winner is None and affiliate is None:
        raise InvalidInput("no_leaf", f"{wallet} has no payout on day {day_id}, neither as winner nor as affiliate")
    return {
        "day_id": day_id,
        "wallet": wallet,
        "run_hash": hex_of(run.run_hash),
        "run_status": run.status,
        "winner": winner.document() if winner else None,
        "affiliate": affiliate.document() if affiliate else None,
    }


def _proof(conn: Conn, run: Run, kind: Kind, wallet: Wallet, *, domain: Hash32, vault: Wallet) -> Proof | None:
    amount = select_payout(conn, run.run_id, wallet, kind)
    if amount is None:
        return None
    tree = MerkleTree(select_tree(conn, run.run_id, kind) or b"")
    leaf = leaf_hash(domain, run.day_id, wallet, amount)
    index = tree.tree_index_of(leaf)
    siblings = tree.proof(index) if index is not None else ()
    if index is None or not verify_proof(tree.root, leaf, siblings):
        raise InvariantBroken(
            "bad_proof", f"the stored {kind} tree of day {run.day_id} does not prove the payout of {wallet}"
        )
    return Proof(vault, amount, leaf, tree.root, siblings)
