"""Plays the winners, who claim with proofs of the engine or of the published files, and the buyers of a voided day.

Wrong calls are sent as well, for real: a claim and a refund a second time, a claim with a forged amount. All must be
refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import abi
from bo_engine.errors import InvariantBroken, require_invariant
from bo_engine.units import Atoms, DayId, Hash32, Wallet, parse_atoms, parse_hash32, parse_wallet
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount, TxHash, succeeded
from local_world.lottery.chain_view import ChainView
from merkle.leaf import leaf_domain, leaf_hash
from merkle.load import load_payout_dump

_ROUTER_BATCH: Final = 25
_GAS_PER_ROUTED_CLAIM: Final = 250_000
PRIZES: Final = "PrizeVault"
COMMISSIONS: Final = "AffiliateVault"


@dataclass(frozen=True, slots=True)
class Claim:
    """One payout with its proof, ready to be sent. ``vault`` is the contract's name."""

    vault: str
    day_id: DayId
    wallet: Wallet
    amount_atoms: Atoms
    proof: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wrong claim that was sent and refused."""

    what: str
    where: str
    reason: str
    tx_hash: TxHash


@dataclass(slots=True)
class ClaimBook:
    """What was claimed and what was refused."""

    paid: list[Claim] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def paid_atoms(self, vault: str) -> Atoms:
        """Sum of the paid claims of one vault."""
        return Atoms(sum(claim.amount_atoms for claim in self.paid if claim.vault == vault))


def load_claims(dump: Path, vault: str, day_id: DayId, chain_id: int, vault_address: Wallet) -> list[Claim]:
    """Every claim of a published Merkle dump, with its proof, by wallet. Raises: InvalidInput ``bad_dump``."""
    domain = leaf_domain(chain_id, vault_address)
    tree, payouts = load_payout_dump(dump.read_bytes(), domain, day_id)
    claims = []
    for wallet, amount in payouts:
        index = tree.tree_index_of(leaf_hash(domain, day_id, wallet, amount))
        if index is None:
            raise InvariantBroken("leaf_missing", f"{dump.name} lists {wallet} but its tree does not hold the leaf")
        claims.append(Claim(vault, day_id, wallet, amount, tree.proof(index)))
    return claims


def parse_proof_answer(document: dict[str, Any]) -> dict[str, Claim]:
    """What `bo-engine proof --json` printed, as claims by vault name; a side without a payout is left out."""
    claims = {}
    for side, vault in (("winner", PRIZES), ("affiliate", COMMISSIONS)):
        if document[side] is not None:
            claims[vault] = Claim(
                vault=vault,
                day_id=DayId(document["day_id"]),
                wallet=parse_wallet(document["wallet"]),
                amount_atoms=parse_atoms(document[side]["amount"]),
                proof=tuple(parse_hash32(node) for node in document[side]["proof"]),
            )
    return claims


class Claimer:
    """Sends claims and keeps the book. Who sends does not matter: a claim pays its account."""

    def __init__(self, view: ChainView, book: ClaimBook) -> None:
        self._view = view
        self._book = book

    def claim(self, sender: ChainAccount, claim: Claim) -> TxHash:
        """Claim directly at the vault. Raises: InvariantBroken ``transaction_reverted``, ``claim_unpaid``."""
        before = self._view.balance_of(claim.wallet)
        receipt = sender.execute(self._view.address_of(claim.vault), _claim_data(claim))
        received = self._view.balance_of(claim.wallet) - before
        require_invariant(received == claim.amount_atoms, "claim_unpaid", f"{claim.wallet} received {received} atoms")
        self._book.paid.append(claim)
        return TxHash(receipt["transactionHash"])

    def try_again(self, sender: ChainAccount, claim: Claim) -> None:
        """Send a claim that was paid already; it must revert. Raises: InvariantBroken ``claim_not_refused``."""
        target, data = self._view.address_of(claim.vault), _claim_data(claim)
        reason = sender.refusal_of(target, data)
        receipt = sender.receipt(sender.send(target, data))
        if succeeded(receipt) or reason is None:
            raise InvariantBroken("claim_not_refused", f"a second claim of {claim.wallet} was paid")
        self._book.refused.append(
            Refusal("a second claim of a paid prize", claim.vault, reason, TxHash(receipt["transactionHash"]))
        )

    def claim_many(self, sender: ChainAccount, claims: Sequence[Claim], *, forged: Claim | None = None) -> None:
        """Claim through the ClaimRouter, in batches; a forged claim goes before all others and must be skipped.

        Raises: InvariantBroken ``claim_not_refused``, ``claim_unpaid`` when another one than the forged is skipped.
        """
        for start in range(0, len(claims), _ROUTER_BATCH):
            batch = list(claims[start : start + _ROUTER_BATCH])
            wrong = forged if start == 0 else None
            self._route(sender, [wrong, *batch] if wrong else batch, wrong)

    def refund_many(self, sender: ChainAccount, nonces: Mapping[Wallet, Sequence[bytes]]) -> None:
        """Refund the tickets of a voided day through the ClaimRouter, then try once more at ReserveVault.

        Raises: InvariantBroken ``refund_skipped``, ``refund_not_refused``.
        """
        buyers = list(nonces)
        for start in range(0, len(buyers), _ROUTER_BATCH):
            batch = [(buyer, list(nonces[buyer])) for buyer in buyers[start : start + _ROUTER_BATCH]]
            data = codec("ClaimRouter").call_data("refundMany", (batch,))
            gas_limit = _GAS_PER_ROUTED_CLAIM * (sum(len(given) for _, given in batch) + 1)
            receipt = sender.execute(self._view.address_of("ClaimRouter"), data, gas_limit=gas_limit)
            topic = codec("ClaimRouter").topic("RefundSkipped")
            skipped = [log for log in receipt["logs"] if log["topics"][0] == topic]
            require_invariant(not skipped, "refund_skipped", f"the router skipped {len(skipped)} refunds")
        target, again = self._view.address_of("ReserveVault"), (buyers[0], list(nonces[buyers[0]]))
        data = codec("ReserveVault").call_data("refund", again)
        reason = sender.refusal_of(target, data)
        receipt = sender.receipt(sender.send(target, data))
        if succeeded(receipt) or reason is None:
            raise InvariantBroken("refund_not_refused", f"a second refund of {buyers[0]} was paid")
        self._book.refused.append(
            Refusal("a second refund of the same tickets", "ReserveVault", reason, TxHash(receipt["transactionHash"]))
        )

    def _route(self, sender: ChainAccount, batch: Sequence[Claim], wrong: Claim | None) -> None:
        entries = [
            (self._view.address_of(each.vault), each.day_id, each.wallet, each.amount_atoms, list(each.proof))
            for each in batch
        ]
        data = codec("ClaimRouter").call_data("claimMany", (entries,))
        gas_limit = _GAS_PER_ROUTED_CLAIM * (len(batch) + 1)
        receipt = sender.execute(self._view.address_of("ClaimRouter"), data, gas_limit=gas_limit)
        topic = codec("ClaimRouter").topic("ClaimSkipped")
        skipped = {
            fields["index"]: fields["reason"]
            for log in receipt["logs"]
            if log["topics"][0] == topic
            for fields in [codec("ClaimRouter").event("ClaimSkipped", log)]
        }
        expected = [place for place, claim in enumerate(batch) if claim is wrong]
        if wrong is not None and expected != sorted(skipped):
            raise InvariantBroken("claim_not_refused", f"the router skipped {sorted(skipped)} instead of {expected}")
        require_invariant(
            expected == sorted(skipped), "claim_unpaid", f"the router skipped the claims {sorted(skipped)}"
        )
        self._book.paid += [claim for claim in batch if claim is not wrong]
        for reason in skipped.values():
            shown = abi.decode_error(reason) or "0x" + reason.hex()
            tx_hash = TxHash(receipt["transactionHash"])
            self._book.refused.append(Refusal("a forged amount, among good claims", "ClaimRouter", shown, tx_hash))


def forge(claim: Claim) -> Claim:
    """The claim with one USDT more than the winner is due, under its own true proof."""
    return replace(claim, amount_atoms=Atoms(claim.amount_atoms + 10**6))


def _claim_data(claim: Claim) -> bytes:
    arguments = (claim.day_id, claim.wallet, claim.amount_atoms, list(claim.proof))
    return codec("PrizeVault").call_data("claim", arguments)
