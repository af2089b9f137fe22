"""A voided day in the making, without writing any of it: why it was voided, the refunds, their tree (rule 2.12)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bo_engine.errors import InvariantBroken
from bo_engine.units import ZERO_HASH, Hash32, RunHash, Wallet, day_end
from core.bundle import bundle_bytes, run_hash
from core.documents.merkle_dumps import affiliate_tree, render_affiliate_merkle, render_winners_merkle, winner_tree
from core.documents.void import render_void_affiliates, render_void_result, void_bundle
from core.model import DayResult, Deployment, VoidedDay
from core.void import VoidReason, void_day, void_reason
from io_layer.ticket_store import stream_tickets
from io_layer.void_chain import Refund, read_promotions_then, read_refund, read_void_terms
from merkle.tree import MerkleTree
from services.day_work import Opened, check_proofs, check_sold, inputs_document, sha256_of, stored_tickets
from services.engine import Engine


@dataclass(frozen=True, slots=True)
class VoidFacts:
    """What the chain says of a day's void."""

    reason: VoidReason
    promotions: Wallet  # in force when the day was voided
    refund: Refund


@dataclass(frozen=True, slots=True)
class ComputedVoid:
    """A voided day, in memory; the same parts as a settled one."""

    voided: VoidedDay
    reason: VoidReason
    winner_tree: MerkleTree  # of the refunds
    affiliate_tree: MerkleTree  # empty
    bundle: bytes
    run_hash: RunHash
    deployment: Deployment
    input_sha256s: Mapping[str, Hash32]  # of inputs.json and affiliates.json

    @property
    def result(self) -> DayResult:
        """The refunds in the shape of any other day."""
        return self.voided.result

    @property
    def settlement_hash(self) -> Hash32:
        """Nothing is committed."""
        return ZERO_HASH

    def documents(self) -> dict[str, Callable[[], Iterator[bytes]]]:
        """The files that compute adds to those of export and affiliates, each as its bytes."""
        return {
            "settlement_result.json": lambda: render_void_result(
                voided=self.voided, reason=self.reason, deployment=self.deployment
            ),
            "winners_merkle.json": lambda: render_winners_merkle(result=self.result, deployment=self.deployment),
            "affiliate_merkle.json": lambda: render_affiliate_merkle(result=self.result, deployment=self.deployment),
            "commit_bundle.json": lambda: iter((self.bundle,)),
        }


def read_void(engine: Engine, opened: Opened) -> VoidFacts:
    """Why and with what the day was voided.

    Raises: InvariantBroken ``logs_incomplete``, ``void_unexplained`` (by our reading the contract could not allow it).
    """
    facts = opened.facts
    refund = read_refund(engine.game, facts.block, facts.day_id, facts.record)
    terms = read_void_terms(engine.game, facts.block, facts.day_id)
    reason = void_reason(
        day_end_s=day_end(facts.day_id),
        at_s=facts.record.released_at_s,
        announced_at_s=terms.announced_at_s,
        has_tips=facts.tip_count > 0,
        has_word=False,  # a word that stands there now may have come after the void
    )
    if reason is None:
        raise InvariantBroken(
            "void_unexplained",
            f"day {facts.day_id} was voided at {facts.record.released_at_s}, when neither an announcement nor a "
            "missing VRF word allowed it: this is not the contract that we know",
        )
    return VoidFacts(reason, read_promotions_then(engine.game, facts.block, refund), refund)


def refunds_of(engine: Engine, opened: Opened, promotions: Wallet) -> VoidedDay:
    """The refunds of a closed day, whether it is voided already or not. Raises: InvariantBroken ``tickets_differ``."""
    with stored_tickets(opened.day_id):
        voided = void_day(
            day_id=opened.day_id,
            ruleset=opened.ruleset,
            opening=opened.opening,
            tickets=stream_tickets(engine.conn, opened.day_id),
            promotions=promotions,
        )
    check_sold([pool.sold for pool in voided.result.pools], opened)
    return voided


def compute_void(engine: Engine, opened: Opened) -> ComputedVoid:
    """Compute a voided day in memory and verify every proof.

    Raises: as ``read_void`` and ``refunds_of``; InvariantBroken ``bad_proof``.
    """
    deployment = engine.game.deployment
    void = read_void(engine, opened)
    voided = refunds_of(engine, opened, void.promotions)
    inputs = {
        "inputs.json": sha256_of(inputs_document(engine, opened)),
        "affiliates.json": sha256_of(void_affiliates_document(engine, opened)),
    }
    refunds = winner_tree(deployment, opened.day_id, voided.result.payouts)
    check_proofs(refunds)
    bundle = bundle_bytes(
        void_bundle(
            voided=voided,
            reason=void.reason,
            deployment=deployment,
            ruleset_hash=opened.facts.ruleset_hash,
            inputs_sha256=inputs["inputs.json"],
            affiliates_sha256=inputs["affiliates.json"],
            refund_root=refunds.root,
        )
    )
    return ComputedVoid(
        voided=voided,
        reason=void.reason,
        winner_tree=refunds,
        affiliate_tree=affiliate_tree(deployment, opened.day_id, ()),
        bundle=bundle,
        run_hash=run_hash(bundle),
        deployment=deployment,
        input_sha256s=inputs,
    )


def void_affiliates_document(engine: Engine, opened: Opened) -> Iterator[bytes]:
    """affiliates.json of a voided day."""
    return render_void_affiliates(day_id=opened.day_id, chain_id=engine.game.deployment.chain_id)
