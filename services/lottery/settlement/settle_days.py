"""Settles days, oldest first, step by step; every step may be killed and started again (rules of section 4)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bo_engine.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EngineError,
    InvalidInput,
    UsageError,
    require_invariant,
)
from bo_engine.log import get_logger
from bo_engine.units import DayId, hex_of
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED, VOIDED
from io_layer.lottery.stores.pipeline import (
    ENDED,
    STEPS,
    DayStatus,
    PipelineDay,
    Step,
    finish_day,
    insert_day,
    select_day,
    start_day,
    wait_day,
)
from io_layer.lottery.stores.runs import RunStatus, select_live_run
from services.chain.reorg_guard import remember_final_block, require_final_blocks
from services.lottery.context import LotteryContext, require_writable
from services.lottery.days.due_days import first_unsettled_day
from services.lottery.policy import JOB
from services.lottery.settlement.day import Opened, check_day, open_day, seeds_of_day
from services.lottery.settlement.files.artifacts import mirror_artifacts
from services.lottery.settlement.files.compare_files import require_files
from services.lottery.settlement.files.sign_manifest import ensure_manifest
from services.lottery.settlement.gates.same_facts import require_same_facts
from services.lottery.settlement.guard import guarded
from services.lottery.settlement.restart import ENGINE_CHANGED, take_over_day
from services.lottery.settlement.steps.approve_day import approve_day
from services.lottery.settlement.steps.commit_day import (
    NotDue,
    commit_day,
    commit_purpose,
    known_takebacks,
    refuse_taken_back,
    release_purpose,
)
from services.lottery.settlement.steps.compute_day import compute_day, compute_stored, refuse_other_result
from services.lottery.settlement.steps.export_affiliates import export_affiliates
from services.lottery.settlement.steps.export_day import export_day
from services.lottery.settlement.steps.refresh_stats import refresh_stats
from services.lottery.settlement.voids.note_void import note_void
from services.running.engine_version import engine_version
from services.running.lease import held_lease
from services.transactions.follow import transaction_hash
from services.transactions.foreign_nonces import require_known_nonces
from services.transactions.send import checked_signer

_LOG = get_logger("settle")


@dataclass(slots=True)
class DayOutcome:
    """Where a day stands after a run, and the exit code that this means."""

    day_id: DayId
    status: DayStatus
    exit_code: int = EXIT_DONE
    reason: str | None = None
    not_before: int | None = None
    run_hash: str | None = None
    run_status: RunStatus | None = None
    commit_tx: str | None = None
    release_tx: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For tables and machines."""
        return {
            "day_id": self.day_id,
            "status": self.status,
            "run_hash": self.run_hash,
            "run_status": self.run_status,
            "commit_tx": self.commit_tx,
            "release_tx": self.release_tx,
            "reason": self.reason,
            "not_before": self.not_before,
            **self.facts,
        }


def settle_days(context: LotteryContext, *, day: DayId | None) -> list[DayOutcome]:
    """Settle every closed, unsettled day, or one day; stop at the first that cannot go on. A voided one is noted.

    What is wrong before a day has begun leaves database, chain and disk as they were.
    Raises: UsageError, InvalidInput ``day_settled`` ``day_voided`` ``day_not_closed`` ``day_out_of_order``, Unavailable
    ``seeds_missing`` ``tickets_missing`` ``lease_held``, InvalidInput ``artifact_tampered``.
    """
    with held_lease(context, JOB) as context:
        return settle_due(context, day=day)


def settle_due(context: LotteryContext, *, day: DayId | None) -> list[DayOutcome]:
    """The same for whoever holds the lease."""
    due = due_days(context, day)
    require_writable(context.artifacts_dir, *due[:1])
    outcomes: list[DayOutcome] = []
    for day_id in due:
        try:
            outcome = _settle_day(context, day_id)
        except EngineError as error:
            error.done_before = [one.document() for one in outcomes]
            raise
        outcomes.append(outcome)
        if outcome.status not in ENDED:
            break
    return outcomes


def due_days(context: LotteryContext, day: DayId | None) -> list[DayId]:
    """The days to settle, ascending; only the asked one if there is one.

    Raises: InvalidInput ``day_not_closed``, ``day_before_first``, ``day_settled``, ``day_voided``,
    ``day_out_of_order``, ``game_finished``; as ``first_unsettled_day``.
    """
    block = context.chain.read_final_block()
    first = first_unsettled_day(context, block)
    end = context.game.read_end(block)
    if day is None:
        last = context.game.last_closed_day(block)
        return [DayId(one) for one in range(first, last + 1 if end is None else min(last + 1, end))]
    context.read_closed_day(day)
    if end is not None and day >= end:
        raise InvalidInput("game_finished", f"the game has ended with day {end - 1}: day {day} is never settled")
    if day < first:
        _require_not_voided(select_day(context.conn, day))
        run = select_live_run(context.conn, day)
        shown = f" with run_hash {hex_of(run.run_hash)}" if run else ""
        raise InvalidInput("day_settled", f"day {day} is settled already{shown}; nothing was changed")
    if day > first:
        raise InvalidInput("day_out_of_order", f"day {first} is not settled yet; settle it first: days go in order")
    return [day]


def run_one_step(context: LotteryContext, step: str, day_id: DayId, *, by: str | None = None) -> DayOutcome:
    """Run one step of a day by hand. A step that is done is checked by doing it again, and changes nothing.

    Raises: InvalidInput ``step_missing`` when an earlier step is not done; as ``settle_days``.
    """
    name = step_named(step)
    require_writable(context.artifacts_dir, day_id)
    with held_lease(context, JOB) as context:
        row = select_day(context.conn, day_id)
        _require_not_voided(row)
        _require_earlier_steps(row, name, day_id)
        if row is not None and row.status == DayStatus.DONE:
            return _done_again(context, row, name)
        _require_not_halted(row, day_id)
        began, row = row, take_over_day(context, row)
        if row is not began and name != Step.EXPORT:
            raise InvalidInput(
                ENGINE_CHANGED,
                f"day {day_id} was begun by another version of the engine ({began.engine if began else None}) and "
                f"begins anew with this one: `bo-engine settle` brings it back to {name}; if this comes again, two "
                "hosts run different versions: bring both to the same",
            )
        if row is not None and row.is_done(name) and name in (Step.APPROVE, Step.COMMIT, Step.STATS):
            # Done for good: looking at it again would ask questions that only an open run can answer.
            return _outcome(context, day_id, EXIT_DONE)

        def work() -> DayOutcome:
            require_final_blocks(context)
            opened = open_day(context, day_id)
            if name == Step.COMPUTE:
                seeds_of_day(context, opened)
            if name == Step.COMMIT:
                refuse_taken_back(context, day_id, opened.facts.record)
                _require_key(context, opened)
            if row is not None:
                mirror_artifacts(context, day_id)
            return _run(context, opened, name, by)

        outcome = guarded(context, day_id, work)
        if outcome.status == DayStatus.RUNNING:
            _rest(context, outcome, row if row is not None and row.is_done(name) else None)
        return outcome


def _rest(context: LotteryContext, outcome: DayOutcome, repeated: PipelineDay | None) -> None:
    """After a step by hand the day waits for the next one, or is done; after a repeat (``repeated`` is the row before)
    it waits for what it waited for."""
    if repeated is not None and repeated.status == DayStatus.WAITING and repeated.reason is not None:
        with context.transaction():
            wait_day(
                context.conn,
                outcome.day_id,
                repeated.reason,
                not_before=repeated.not_before,
                error_code=repeated.error_code,
            )
        outcome.status, outcome.reason, outcome.not_before = DayStatus.WAITING, repeated.reason, repeated.not_before
        return
    row = select_day(context.conn, outcome.day_id)
    following = row.next_step() if row else None
    with context.transaction():
        if following is None:
            finish_day(context.conn, outcome.day_id)
        else:
            wait_day(context.conn, outcome.day_id, f"{following} is next")
    outcome.status = DayStatus.DONE if following is None else DayStatus.WAITING
    outcome.reason = None if following is None else f"{following} is next"


def _settle_day(context: LotteryContext, day_id: DayId) -> DayOutcome:
    row = select_day(context.conn, day_id)
    if row is not None and row.status == DayStatus.HALTED:
        return _outcome(context, day_id, EXIT_FAILED)
    challenge = _challenge_of(context, row)
    if challenge is not None:
        guarded(context, day_id, lambda: require_same_facts(context, open_day(context, day_id)))
        return challenge
    row = take_over_day(context, row)

    def work() -> DayOutcome:
        require_final_blocks(context)
        facts = context.read_closed_day(day_id)
        if facts.record.status == VOIDED:
            context.report(f"day {day_id}: voided on-chain")
            note_void(context, facts)
            return _outcome(context, day_id, EXIT_DONE)
        opened = check_day(context, facts)
        refuse_taken_back(context, day_id, facts.record)
        require_known_nonces(context)
        seeds_of_day(context, opened)
        require_same_facts(context, opened)
        _require_key(context, opened)
        if row is not None:
            mirror_artifacts(context, day_id)
        manifest = {}
        for step in STEPS:
            done = select_day(context.conn, day_id)
            if done is not None and done.is_done(step):
                continue
            outcome = _run(context, opened, step, None)
            if outcome.status != DayStatus.RUNNING:
                return outcome
            manifest.update({name: text for name, text in outcome.facts.items() if name == "manifest"})
        with context.transaction():
            require_invariant(
                finish_day(context.conn, day_id), "day_not_finished", f"day {day_id} does not become DONE"
            )
        finished = _outcome(context, day_id, EXIT_DONE)
        finished.facts.update(manifest)
        return finished

    return guarded(context, day_id, work)


def _run(context: LotteryContext, opened: Opened, step: Step, by: str | None) -> DayOutcome:
    """Run one step; the day is RUNNING afterwards, or WAITING for a time of the contract."""
    day_id = opened.day_id
    context.renew_lease()
    with context.transaction():
        insert_day(context.conn, day_id)
        remember_final_block(context)
        if not start_day(context.conn, day_id, engine_version()):
            raise InvalidInput("day_not_startable", f"day {day_id} is DONE, VOIDED or HALTED")
    context.report(f"day {day_id}: {step}")
    if step == Step.APPROVE:
        result: dict[str, Any] | NotDue = approve_day(context, opened, by=by)
    else:
        result = _WORK[step](context, opened)
    if isinstance(result, NotDue):
        # The manifest is there since the commit: who wants to check the day may do so before it is released.
        mirror_artifacts(context, day_id)
        with context.transaction():
            remember_final_block(context)
            wait_day(context.conn, day_id, result.reason, not_before=result.not_before_s)
        return _outcome(context, day_id, EXIT_DONE)
    mirror_artifacts(context, day_id)
    _LOG.info("step_done", extra={"step": step, "day_id": day_id, "facts": result})
    outcome = _outcome(context, day_id, EXIT_DONE)
    outcome.facts.update(result)
    return outcome


def _require_key(context: LotteryContext, opened: Opened) -> None:
    """A day that still needs a transaction needs the SETTLER's key: better told now than after all the work.

    Raises: UsageError ``missing_setting``, ``plain_key``, ``key_file_exposed``, ``bad_keystore``, ``wrong_key``;
    InvalidInput ``settler_suspended``.
    """
    if opened.facts.record.status != RELEASED:
        checked_signer(context)


def _challenge_of(context: LotteryContext, row: PipelineDay | None) -> DayOutcome | None:
    """The day as it waits for its challenge period; None when there is work: the period is over, or what stands there
    is not our commit any more (vetoed, or another one since), which must not be found out only when it ends."""
    if row is None or row.status != DayStatus.WAITING or row.not_before is None:
        return None
    block = context.chain.read_final_block()
    record = context.game.read_record(block, row.day_id)
    # The stored time is for people to read; the chain's own decides, or an edited row could hold winners back.
    ends_s = record.committed_at_s + context.game.read_challenge_period_s(block)
    if record.status != COMMITTED or block.timestamp_s >= ends_s:
        return None
    run = select_live_run(context.conn, row.day_id)
    if run is None or record.settlement_hash != run.settlement_hash:
        return None
    return _outcome(context, row.day_id, EXIT_DONE)


def _outcome(context: LotteryContext, day_id: DayId, exit_code: int) -> DayOutcome:
    row = select_day(context.conn, day_id)
    run = select_live_run(context.conn, day_id)
    takebacks = known_takebacks(context.conn, day_id)
    commit_tx = transaction_hash(context, commit_purpose(context, day_id, takebacks))
    release_tx = transaction_hash(context, release_purpose(context, day_id, takebacks))
    return DayOutcome(
        day_id=day_id,
        status=row.status if row else DayStatus.NEW,
        exit_code=exit_code,
        reason=row.reason if row else None,
        not_before=row.not_before if row else None,
        run_hash=hex_of(run.run_hash) if run else None,
        run_status=run.status if run else None,
        commit_tx=hex_of(commit_tx) if commit_tx else None,
        release_tx=hex_of(release_tx) if release_tx else None,
        facts=_void_facts(row),
    )


def _void_facts(row: PipelineDay | None) -> dict[str, Any]:
    """Where a VOIDED day was voided, and what is paid back of it; nothing of another."""
    if row is None or row.void_tx is None:
        return {}
    return {"void_tx": hex_of(row.void_tx), "void_block": row.void_block, "stake": str(row.void_stake_atoms)}


def step_named(step: str) -> Step:
    """The step by the name that its command has. Raises: UsageError ``bad_step``."""
    names: dict[str, Step] = {
        "export": Step.EXPORT,
        "affiliates": Step.AFFILIATE,
        "compute": Step.COMPUTE,
        "approve": Step.APPROVE,
        "commit": Step.COMMIT,
        "stats": Step.STATS,
    }
    if step not in names:
        raise UsageError("bad_step", f"there is no step {step}")
    return names[step]


def _require_earlier_steps(row: PipelineDay | None, step: Step, day_id: DayId) -> None:
    for earlier in STEPS[: STEPS.index(step)]:
        if row is None or not row.is_done(earlier):
            raise InvalidInput("step_missing", f"day {day_id}: {earlier} is not done yet; it comes before {step}")


def _require_not_voided(row: PipelineDay | None) -> None:
    if row is not None and row.status == DayStatus.VOIDED:
        raise InvalidInput("day_voided", f"day {row.day_id} is VOIDED: it has no steps; nothing was changed")


def _require_not_halted(row: PipelineDay | None, day_id: DayId) -> None:
    if row is not None and row.status == DayStatus.HALTED:
        raise InvalidInput(
            "day_halted",
            f"day {day_id} is HALTED ({row.error_code}): {row.reason}; look, then `bo-engine resume --day {day_id} "
            "--by NAME`",
        )


def _done_again(context: LotteryContext, row: PipelineDay, step: Step) -> DayOutcome:
    """A settled day changes no more. Compute computes it again and compares; missing files are brought back."""
    facts: dict[str, Any] = {}
    if step == Step.COMPUTE:
        live = select_live_run(context.conn, row.day_id)
        refuse_other_result(live, compute_stored(context, open_day(context, row.day_id)))
    if step == Step.COMMIT and (run := select_live_run(context.conn, row.day_id)) is not None:
        # A day that was released without our key has no manifest yet.
        facts["manifest"] = ensure_manifest(context, run, require_files(context, run))
    mirror_artifacts(context, row.day_id)
    outcome = _outcome(context, row.day_id, EXIT_DONE)
    outcome.facts.update(facts)
    return outcome


_WORK: Final[dict[Step, Callable[[LotteryContext, Opened], dict[str, Any] | NotDue]]] = {
    Step.EXPORT: export_day,
    Step.AFFILIATE: export_affiliates,
    Step.COMPUTE: compute_day,
    Step.COMMIT: commit_day,
    Step.STATS: refresh_stats,
}
