"""Step 5: commit the roots, wait out the challenge period, release (rule 4.5).

The contract's state at a final block decides everything: what is there with our hash is adopted, what is there with
another hash is an alarm, what is missing is sent through the journal.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bo_engine.errors import InvariantBroken, Unavailable, require_invariant
from bo_engine.units import DayId, Hash32, day_end, hex_of
from core.lottery.bundle import SettlementStruct, settlement_hash
from core.lottery.documents.merkle_dumps import affiliate_tree, winner_tree
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED, VOIDED, DayRecord
from io_layer.lottery.contracts.takebacks import read_last_takeback
from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.pipeline import Step, finish_step
from io_layer.lottery.stores.runs import (
    Run,
    RunStatus,
    mark_committed,
    mark_settled,
    mark_vetoed,
    select_affiliate_payouts,
    select_live_run,
    select_pool_results,
    select_runs,
    select_tree,
    select_winner_payouts,
)
from io_layer.lottery.stores.tickets import stream_purchase_places
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import insert_audit, select_audit
from services.chain.reorg_guard import remember_final_block
from services.lottery.context import LotteryContext
from services.lottery.days.foreign_commit import foreign_commit
from services.lottery.settlement.day import Opened, open_day
from services.lottery.settlement.files.compare_files import require_files
from services.lottery.settlement.files.provenance import render_provenance
from services.lottery.settlement.files.sign_manifest import ensure_manifest
from services.lottery.settlement.gates.same_facts import require_same_facts
from services.lottery.settlement.steps.approve_day import require_approved_rows
from services.lottery.wording import subject_of
from services.transactions.follow import Purpose, close_purpose, follow, sent_block
from services.transactions.send import send_again, send_once

WAIT_S = 60.0
RESUMED: Final = "day_resumed"  # the audit log's word for a person's resume
TAKEBACKS: Final = "takebacks"  # and its detail: how many takebacks of the day the person knew of
_POLL_S: Final = 0.25
_POLL_AT_MOST_S: Final = 5.0
_RESEND_S: Final = 20.0  # a broadcast that the network forgot is offered again


@dataclass(frozen=True, slots=True)
class NotDue:
    """The contract does not allow the next transaction before ``not_before_s`` (chain time): nothing is due yet."""

    reason: str
    not_before_s: int


def commit_day(context: LotteryContext, opened: Opened, *, wait_s: float | None = None) -> dict[str, Any] | NotDue:
    """Bring the approved run on-chain and release it. Waits at most ``wait_s`` (``WAIT_S``) for the chain.

    Raises: InvariantBroken ``foreign_commit``, ``vetoed``, ``taken_back``, ``settlement_differs``, ``facts_differ``,
    ``files_differ``, ``manifest_differs``, ``would_revert``; Unavailable ``waiting_for_chain``, ``day_before_pending``,
    ``day_voided``.
    """
    run = _approved_run(context, opened.day_id)
    require_approved_rows(context, run)
    struct = rebuilt_settlement(context, run)
    sha256s = require_files(context, run)
    deadline = time.monotonic() + (WAIT_S if wait_s is None else wait_s)
    record = _ensure_committed(context, opened, run, struct, deadline)
    if isinstance(record, NotDue):
        return record
    manifest = ensure_manifest(context, run, sha256s)
    if record.status == COMMITTED:
        not_before = record.committed_at_s + context.game.read_challenge_period_s(opened.facts.block)
        if context.chain.read_final_block().timestamp_s < not_before:
            return NotDue("the challenge period runs", not_before)
        require_same_facts(context, open_day(context, opened.day_id))
        record = _ensure_released(context, opened, run, struct, deadline)
    commit_tx, release_tx = _mark_settled(context, opened, run, record)
    return {
        "run_hash": hex_of(run.run_hash),
        "run_status": RunStatus.SETTLED,
        "settlement_hash": hex_of(run.settlement_hash),
        "commit_tx": _shown(commit_tx),
        "release_tx": _shown(release_tx),
        "manifest": manifest,
    }


def rebuilt_settlement(context: LotteryContext, run: Run) -> SettlementStruct:
    """The contract's struct, built from the stored rows and not from memory: what was approved is what is signed.

    Raises: InvariantBroken ``settlement_differs`` when the rows do not give the approved hash any more.
    """
    pools = select_pool_results(context.conn, run.run_id)
    deployment = context.game.deployment
    winners = winner_tree(deployment, run.day_id, select_winner_payouts(context.conn, run.run_id))
    affiliates = affiliate_tree(deployment, run.day_id, select_affiliate_payouts(context.conn, run.run_id))
    struct = SettlementStruct(
        day_id=run.day_id,
        pool_payout=tuple(int(pool.payout_atoms) for pool in pools),
        pool_jackpot_payout=tuple(int(pool.jackpot_payout_atoms) for pool in pools),
        total_payout=run.total_payout_atoms,
        merkle_root=winners.root,
        jackpot_hit=tuple(pool.jackpot_hit for pool in pools),
        affiliate_total=run.affiliate_total_atoms,
        affiliate_root=affiliates.root,
        charity_total=run.charity_total_atoms,
        run_hash=run.run_hash,
    )
    # The trees too: they enter no hash, but every proof of the day comes from them.
    trees_stand = (
        select_tree(context.conn, run.run_id, "winner") == winners.nodes
        and select_tree(context.conn, run.run_id, "affiliate") == affiliates.nodes
    )
    require_invariant(
        settlement_hash(struct) == run.settlement_hash and trees_stand,
        "settlement_differs",
        f"the rows of run {run.run_id} (day {run.day_id}) were changed after it was computed; nothing is signed; look "
        f"who did it, then `bo-engine resume --day {run.day_id} --by NAME` computes and approves it anew",
    )
    return struct


def commit_purpose(context: LotteryContext, day_id: DayId, takebacks: int) -> Purpose:
    """The one commit of a day and round."""
    return Purpose(
        "SettlementV4", context.game.contracts.settlement, "commitMerkleSettlement", subject_of(day_id), takebacks
    )


def release_purpose(context: LotteryContext, day_id: DayId, takebacks: int) -> Purpose:
    """The one release of a day and round."""
    return Purpose("SettlementV4", context.game.contracts.settlement, "release", subject_of(day_id), takebacks)


def _approved_run(context: LotteryContext, day_id: DayId) -> Run:
    run = select_live_run(context.conn, day_id)
    if run is None or run.status not in (RunStatus.APPROVED, RunStatus.COMMITTED, RunStatus.SETTLED):
        raise InvariantBroken("not_approved", f"day {day_id} has no approved run; approve it first")
    return run


def _ensure_committed(
    context: LotteryContext, opened: Opened, run: Run, struct: SettlementStruct, deadline: float
) -> DayRecord | NotDue:
    day_id = opened.day_id
    block = context.chain.read_final_block()
    record = context.game.read_record(block, day_id)
    if _is_ours(record, run):
        _adopt(context, run, record)
        return record
    refuse_taken_back(context, day_id, record)
    if opened.facts.next_day != day_id:
        raise Unavailable(
            "day_before_pending", f"the contract settles day {opened.facts.next_day} next; day {day_id} waits for it"
        )
    not_before = context.game.read_earliest_commit_s(block, day_id)
    if block.timestamp_s < not_before:
        # A day with tips has its drand beacon by now, and that is no earlier; one without tips waits here.
        return NotDue("the draw delay runs", not_before)
    purpose = commit_purpose(context, day_id, record.takebacks)
    send_once(context, purpose, (tuple(struct),), is_under_way=_moves(context, record, day_id))
    record = _wait_for(context, run, purpose, (COMMITTED, RELEASED), deadline)
    _adopt(context, run, record)
    return record


def known_takebacks(conn: Conn, day_id: DayId) -> int:
    """Takebacks of the day that are answered for: by a run of ours that became vetoed, or by a person who resumed the
    day after that of a commit that was not ours."""
    ours = sum(1 for run in select_runs(conn, day_id) if run.status == RunStatus.VETOED)
    resumed = [int(row.details.get(TAKEBACKS, 0)) for row in select_audit(conn, day_id) if row.action == RESUMED]
    return max([ours, *resumed])


def is_unknown_takeback(conn: Conn, record: DayRecord, day_id: DayId) -> bool:
    """Whether the day's commit was taken back, and no person has answered for it yet."""
    return record.status not in (COMMITTED, RELEASED, VOIDED) and record.takebacks > known_takebacks(conn, day_id)


def refuse_taken_back(context: LotteryContext, day_id: DayId, record: DayRecord) -> None:
    """A commit that was taken back, and no person has resumed the day since, ends its run, if there is one.

    Needs no key: a day is halted for it also while the SETTLER is suspended.
    Raises: InvariantBroken ``vetoed``, ``taken_back``.
    """
    if not is_unknown_takeback(context.conn, record, day_id):
        return
    code, what = _takeback_in_words(context, day_id, record)
    run = select_live_run(context.conn, day_id)
    if run is not None and run.status in (RunStatus.APPROVED, RunStatus.COMMITTED):
        with context.transaction():
            mark_committed(context.conn, run.run_id)
            mark_vetoed(context.conn, run.run_id)
    raise InvariantBroken(
        code,
        f"the commit of day {day_id} {what}; look why, then `bo-engine resume --day {day_id} --by NAME` computes and "
        "approves it anew",
    )


def _takeback_in_words(context: LotteryContext, day_id: DayId, record: DayRecord) -> tuple[str, str]:
    """Error code and words for the last takeback. Only its event tells which it was, and no alarm waits for that."""
    try:
        final = context.chain.read_final_block()
        ours = sent_block(context, commit_purpose(context, day_id, record.takebacks - 1))
        first = context.game.first_block_at(day_end(day_id), final) if ours is None else ours
        found = read_last_takeback(context.game, day_id, first, final.number)
    except Unavailable:
        found = None
    if found is None:
        return "taken_back", "was vetoed or taken back (its event is not to be had now)"
    if found.is_veto:
        return "vetoed", f"was vetoed (DayVetoed: {found.reason})"
    return "taken_back", "was taken back (TakenBack): its SETTLER was suspended, removed or succeeded"


def _ensure_released(
    context: LotteryContext, opened: Opened, run: Run, struct: SettlementStruct, deadline: float
) -> DayRecord:
    record = context.game.read_record(context.chain.read_final_block(), opened.day_id)
    if record.status == RELEASED and _is_ours(record, run):
        return record
    purpose = release_purpose(context, opened.day_id, record.takebacks)
    send_once(context, purpose, (tuple(struct),), is_under_way=_moves(context, record, opened.day_id))
    return _wait_for(context, run, purpose, (RELEASED,), deadline)


def _moves(context: LotteryContext, final: DayRecord, day_id: DayId) -> Callable[[], bool]:
    """Whether the head shows another record than the final block: a commit, a veto or a release is under way."""
    return lambda: context.game.read_record_at_head(day_id) != final


def _is_ours(record: DayRecord, run: Run) -> bool:
    """Whether the contract shows our hash. Raises: InvariantBroken ``foreign_commit``; Unavailable ``day_voided``."""
    if record.status == VOIDED:
        raise Unavailable(
            "day_voided",
            f"day {run.day_id} was voided on-chain in this moment: its run is not committed, the next tick notes it",
        )
    if record.status not in (COMMITTED, RELEASED):
        return False
    if record.settlement_hash != run.settlement_hash:
        raise foreign_commit(run.day_id, record, "on both endpoints", f"ours is {hex_of(run.settlement_hash)}")
    return True


def _adopt(context: LotteryContext, run: Run, record: DayRecord) -> None:
    """Mark the run committed; a commit that our journal did not send is adopted with an audit row."""
    if run.status != RunStatus.APPROVED:
        return
    sent_by_us = close_purpose(context, commit_purpose(context, run.day_id, record.takebacks))
    with context.transaction():
        remember_final_block(context)
        if mark_committed(context.conn, run.run_id) and sent_by_us is None:
            details = {"settlement_hash": hex_of(record.settlement_hash), "run_hash": hex_of(run.run_hash)}
            insert_audit(context.conn, actor="engine", action="commit_adopted", day_id=run.day_id, details=details)


def _mark_settled(
    context: LotteryContext, opened: Opened, run: Run, record: DayRecord
) -> tuple[Hash32 | None, Hash32 | None]:
    """Mark the run settled; our commit and our release, None where another sender's was adopted."""
    sent_by_us = close_purpose(context, release_purpose(context, run.day_id, record.takebacks))
    commit_tx = close_purpose(context, commit_purpose(context, run.day_id, record.takebacks))
    purchases = stream_purchase_places(context.conn, run.day_id)
    provenance = render_provenance(opened.facts, record, purchases, commit_tx=commit_tx, release_tx=sent_by_us)
    with context.transaction():
        remember_final_block(context)
        if mark_settled(context.conn, run.run_id) and sent_by_us is None:
            insert_audit(context.conn, actor="engine", action="release_adopted", day_id=run.day_id)
        put_artifact(context.conn, run.day_id, run.run_id, "provenance.json", provenance, replace=True)
        finish_step(context.conn, run.day_id, Step.COMMIT)
    return commit_tx, sent_by_us


def _wait_for(
    context: LotteryContext, run: Run, purpose: Purpose, wanted: tuple[int, ...], deadline: float
) -> DayRecord:
    """Poll the final block until the contract shows the wanted state with our hash; offer our bytes again meanwhile."""
    resend_at = time.monotonic() + _RESEND_S
    poll_s = _POLL_S
    while True:
        record = context.game.read_record(context.chain.read_final_block(), run.day_id)
        if record.status in wanted and _is_ours(record, run):
            return record
        if time.monotonic() >= deadline:
            follow(context, purpose)
            raise Unavailable(
                "waiting_for_chain",
                f"{purpose.function} of day {run.day_id} is sent and not final yet; the next tick goes on",
            )
        if time.monotonic() >= resend_at:
            send_again(context, purpose)
            resend_at = time.monotonic() + _RESEND_S
        context.cancel.wait(poll_s)
        # A local chain is final in a second, Ethereum moves in minutes: looking faster than that only costs requests.
        poll_s = min(poll_s * 2, _POLL_AT_MOST_S)


def _shown(tx_hash: Hash32 | None) -> str | None:
    return hex_of(tx_hash) if tx_hash is not None else None
