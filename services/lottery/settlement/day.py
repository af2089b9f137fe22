"""A day in the making: what export, affiliates and compute produce, without writing any of it.

A dry run and a real run share these functions, so they cannot give different hashes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bo_engine.errors import InvalidInput, InvariantBroken, Unavailable, require_input
from bo_engine.units import POOL_IDS, Bps, DayId, Hash32, PoolId, RunHash, Wallet
from core.lottery.affiliates import FeeSplit, referred_stakes, split_fee
from core.lottery.bundle import (
    SettlementStruct,
    bundle_bytes,
    commit_bundle,
    run_hash,
    settlement_hash,
    settlement_struct,
)
from core.lottery.documents.affiliates import render_affiliates
from core.lottery.documents.inputs import render_inputs
from core.lottery.documents.merkle_dumps import (
    affiliate_tree,
    render_affiliate_merkle,
    render_winners_merkle,
    winner_tree,
)
from core.lottery.documents.settlement_result import render_settlement_result
from core.lottery.drand import verify_seeds
from core.lottery.fold import DayFold, batches, splits_of
from core.lottery.model import DayResult, Deployment, PoolDay, PoolState, ReferredStake, Seeds, StakeSplit, Ticket
from core.lottery.ruleset import Ruleset
from core.lottery.settle import settle_day
from io_layer.lottery.contracts.day_record import VOIDED
from io_layer.lottery.contracts.game import DayOnChain
from io_layer.lottery.stores.seeds import select_seeds
from io_layer.lottery.stores.tickets import (
    has_not_final,
    select_affiliates,
    select_last_block,
    select_pool_totals,
    stream_tickets,
)
from merkle.proof import verify_proof
from merkle.tree import MerkleTree
from services.lottery.context import LotteryContext


@dataclass(frozen=True, slots=True)
class Opened:
    """A closed day whose facts, rules and opening state are known and agree with the chain."""

    facts: DayOnChain
    ruleset: Ruleset
    opening: tuple[PoolState, ...]

    @property
    def day_id(self) -> DayId:
        """The day."""
        return self.facts.day_id

    @property
    def splits(self) -> tuple[StakeSplit, ...]:
        """Where each pool's stake goes, computed from what the chain has counted."""
        return splits_of(self.ruleset, self.facts.pools)


@dataclass(frozen=True, slots=True)
class Computed:
    """A settled day, in memory."""

    result: DayResult
    winner_tree: MerkleTree
    affiliate_tree: MerkleTree
    bundle: bytes
    run_hash: RunHash
    struct: SettlementStruct
    settlement_hash: Hash32
    deployment: Deployment
    input_sha256s: Mapping[str, Hash32]  # of the two files that stand before the draw

    def documents(self) -> dict[str, Callable[[], Iterator[bytes]]]:
        """The files that compute adds to those of export and affiliates, each as its bytes."""
        return {
            "settlement_result.json": lambda: render_settlement_result(result=self.result, deployment=self.deployment),
            "winners_merkle.json": lambda: render_winners_merkle(result=self.result, deployment=self.deployment),
            "affiliate_merkle.json": lambda: render_affiliate_merkle(result=self.result, deployment=self.deployment),
            "commit_bundle.json": lambda: iter((self.bundle,)),
        }


def open_day(context: LotteryContext, day_id: DayId) -> Opened:
    """Read a closed day and check it against what we know. Raises: InvalidInput ``day_not_closed``,
    ``day_before_first``; as ``check_day``."""
    return check_day(context, context.read_closed_day(day_id))


def check_day(context: LotteryContext, facts: DayOnChain) -> Opened:
    """Check a closed day against what we know.

    Raises: InvalidInput ``day_voided``, ``day_out_of_order``; UsageError ``unknown_ruleset``; InvariantBroken
    ``state_differs``, ``late_seal``; Unavailable ``tickets_missing``.
    """
    require_input(
        facts.record.status != VOIDED,
        "day_voided",
        f"day {facts.day_id} is voided on-chain: it is not settled, its buyers take their stakes back",
    )
    opened = Opened(facts, context.ruleset_of(facts), context.opening_state(facts))
    check_ticket_count(context, facts)
    check_sealed_before_seed(context, facts)
    return opened


def check_sealed_before_seed(context: LotteryContext, facts: DayOnChain) -> None:
    """No purchase may stand at or after the block of the day's VRF request: the contract makes it impossible, and a
    chain that shows one is not the chain that we think.

    Raises: InvariantBroken ``late_seal``.
    """
    last = select_last_block(context.conn, facts.day_id)
    if facts.vrf_requested_block and last is not None and last >= facts.vrf_requested_block:
        raise InvariantBroken(
            "late_seal",
            f"day {facts.day_id} has a purchase in block {last}, but its VRF word was requested in block "
            f"{facts.vrf_requested_block} already: stop, and compare both endpoints with a third one",
        )


def check_ticket_count(context: LotteryContext, facts: DayOnChain) -> None:
    """Compare how many final tickets we hold with the chain's counters, cheaply, before any work.

    Raises: Unavailable ``tickets_missing``, ``tickets_not_final``; InvariantBroken ``tickets_unknown``.
    """
    if has_not_final(context.conn, facts.day_id):
        raise Unavailable(
            "tickets_not_final",
            f"day {facts.day_id} has tickets that were seen at the head only; `bo-engine recover-intents` decides",
        )
    ours = select_pool_totals(context.conn, facts.day_id)
    for pool_id, chain in zip(POOL_IDS, facts.pools, strict=True):
        if ours[pool_id].ticket_count < chain.ticket_count:
            raise Unavailable(
                "tickets_missing",
                f"day {facts.day_id}, pool {pool_id}: the chain has {chain.ticket_count} tickets, the database "
                f"{ours[pool_id].ticket_count} final ones; `bo-engine recover-intents` brings them",
            )
        if ours[pool_id].ticket_count > chain.ticket_count:
            raise InvariantBroken(
                "tickets_unknown",
                f"day {facts.day_id}, pool {pool_id}: the database has {ours[pool_id].ticket_count} tickets, the chain "
                f"only {chain.ticket_count}; `bo-engine db rebuild-tickets --day {facts.day_id}` repairs it",
            )
        if ours[pool_id] != chain:
            raise _tickets_differ(facts.day_id, pool_id)


def checked_tickets(tickets: Iterable[Ticket], opened: Opened) -> Iterator[Ticket]:
    """Pass tickets on while folding them; at the end their digests must be the chain's.

    Raises: InvariantBroken ``tickets_differ`` after the last ticket; InvalidInput for one that breaks a rule.
    """
    fold = DayFold(opened.day_id, opened.ruleset)
    for batch in batches(tickets):
        with stored_tickets(opened.day_id):
            fold.add(batch)
        yield from batch
    check_sold(fold.sold(), opened)


def check_sold(sold: Sequence[PoolDay], opened: Opened) -> None:
    """Raises: InvariantBroken ``tickets_differ`` unless count, tips, stake and digest of each pool are the chain's."""
    for pool_id, ours, chain in zip(POOL_IDS, sold, opened.facts.pools, strict=True):
        if ours != chain:
            raise _tickets_differ(opened.day_id, pool_id)


def _tickets_differ(day_id: DayId, pool_id: PoolId) -> InvariantBroken:
    return InvariantBroken(
        "tickets_differ",
        f"day {day_id}, pool {pool_id}: the tickets in the database are not those of the chain; `bo-engine doctor "
        f"--day {day_id}` names the first, `bo-engine db rebuild-tickets --day {day_id}` restores them",
    )


def inputs_document(context: LotteryContext, opened: Opened) -> Iterator[bytes]:
    """inputs.json from the database's tickets, checked against the chain's digests on the way."""
    return render_inputs(
        day_id=opened.day_id,
        deployment=context.game.deployment,
        ruleset=opened.ruleset,
        opening=opened.opening,
        sold=opened.facts.pools,
        tickets=checked_tickets(stream_tickets(context.conn, opened.day_id), opened),
    )


def rates_in_force(context: LotteryContext, opened: Opened) -> dict[Wallet, Bps]:
    """The rates of the day's affiliates as the contract itself looks them up; nothing of them is kept here."""
    affiliates = select_affiliates(context.conn, opened.day_id)
    return context.game.read_affiliate_rates(opened.facts.block, affiliates, opened.day_id)


def referred_of_day(context: LotteryContext, opened: Opened, rates: Mapping[Wallet, Bps]) -> list[ReferredStake]:
    """The day's stakes per referred player, at the rates in force. Raises: as ``checked_tickets``."""
    tickets = checked_tickets(stream_tickets(context.conn, opened.day_id), opened)
    return referred_stakes(tickets, rates, ruleset=opened.ruleset)


def fee_of_day(opened: Opened, referred: Sequence[ReferredStake]) -> FeeSplit:
    """What becomes of the day's fee, from the stakes that the contract has counted."""
    return split_fee(opened.ruleset, sum(split.fee_atoms for split in opened.splits), referred)


def affiliates_document(context: LotteryContext, opened: Opened, referred: Sequence[ReferredStake]) -> Iterator[bytes]:
    """affiliates.json."""
    return render_affiliates(
        day_id=opened.day_id,
        chain_id=context.game.deployment.chain_id,
        referred=referred,
        fee=fee_of_day(opened, referred),
    )


def seeds_of_day(context: LotteryContext, opened: Opened) -> Seeds | None:
    """The stored seeds, verified again; none on a day without tips.

    Raises: Unavailable ``seeds_missing``; InvariantBroken ``seed_differs``; InvalidInput ``forged_beacon``.
    """
    facts = opened.facts
    if facts.tip_count == 0:
        return None
    row = select_seeds(context.conn, opened.day_id)
    seeds = row.complete() if row else None
    if seeds is None:
        raise Unavailable(
            "seeds_missing",
            f"day {opened.day_id} has {facts.tip_count} tips and waits for its seeds; `bo-engine refresh-seeds` "
            "requests and collects them",
        )
    if facts.vrf_word != seeds.vrf_word:
        raise InvariantBroken("seed_differs", f"day {opened.day_id}: the stored VRF word is not the chain's")
    if facts.vrf_requested_at != seeds.vrf_requested_at:
        raise InvariantBroken(
            "seed_differs", f"day {opened.day_id}: the stored time of the VRF request is not the chain's"
        )
    try:
        verify_seeds(opened.ruleset, opened.day_id, seeds)
    except InvalidInput as error:
        raise InvariantBroken(
            error.code,
            f"day {opened.day_id}: the stored drand beacon does not verify any more ({error.message}); restore "
            "day_seeds from a backup",
        ) from error
    return seeds


def compute(
    context: LotteryContext,
    opened: Opened,
    *,
    seeds: Seeds | None,
    referred: Sequence[ReferredStake],
    inputs_sha256: Hash32,
    affiliates_sha256: Hash32,
) -> Computed:
    """Settle the day in memory and verify every proof of both trees.

    Raises: as ``core.lottery.settle.settle_day``; InvariantBroken ``tickets_differ``, ``bad_proof``.
    """
    deployment = context.game.deployment
    with stored_tickets(opened.day_id):
        result = settle_day(
            day_id=opened.day_id,
            ruleset=opened.ruleset,
            deployment=deployment,
            opening=opened.opening,
            tickets=stream_tickets(context.conn, opened.day_id),
            referred=referred,
            seeds=seeds,
        )
    check_sold([pool.sold for pool in result.pools], opened)
    winners = winner_tree(deployment, opened.day_id, result.payouts)
    affiliates = affiliate_tree(deployment, opened.day_id, result.affiliate_payouts)
    for tree in (winners, affiliates):
        check_proofs(tree)
    bundle = bundle_bytes(
        commit_bundle(
            result=result,
            deployment=deployment,
            ruleset_hash=opened.facts.ruleset_hash,
            inputs_sha256=inputs_sha256,
            affiliates_sha256=affiliates_sha256,
            winner_root=winners.root,
            affiliate_root=affiliates.root,
        )
    )
    struct = settlement_struct(result, winners.root, affiliates.root, run_hash(bundle))
    return Computed(
        result=result,
        winner_tree=winners,
        affiliate_tree=affiliates,
        bundle=bundle,
        run_hash=run_hash(bundle),
        struct=struct,
        settlement_hash=settlement_hash(struct),
        deployment=deployment,
        input_sha256s={"inputs.json": inputs_sha256, "affiliates.json": affiliates_sha256},
    )


def check_proofs(tree: MerkleTree) -> None:
    """Verify each leaf's proof with the independent fold. Raises: InvariantBroken ``bad_proof``."""
    first_leaf = tree.leaf_count - 1
    for index in range(max(first_leaf, 0), first_leaf + tree.leaf_count):
        if not verify_proof(tree.root, tree.node(index), tree.proof(index)):
            raise InvariantBroken("bad_proof", f"the proof of leaf {index} does not lead to the root")


@contextmanager
def stored_tickets(day_id: DayId) -> Iterator[None]:
    """Tickets that we stored ourselves and that break a rule were changed since: a person must look."""
    try:
        yield
    except InvalidInput as error:
        raise InvariantBroken(
            error.code,
            f"day {day_id}: {error.message}; `bo-engine db rebuild-tickets --day {day_id}` restores what the chain has",
        ) from error


def sha256_of(chunks: Iterable[bytes]) -> Hash32:
    """sha256 of a streamed file."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return Hash32(digest.digest())
