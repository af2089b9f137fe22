"""Notes a day that was voided on-chain: what was begun of its settlement is set aside, row and voided.json say so."""

from bo_engine.errors import InvariantBroken, require_invariant
from bo_engine.units import POOL_IDS, hex_of
from core.lottery.documents.voided import NAME, render_voided
from core.lottery.model import VoidedDay
from core.lottery.void import closing_of_void
from io_layer.lottery.contracts.game import DayOnChain
from io_layer.lottery.contracts.voids import read_voided
from io_layer.lottery.stores.artifacts import delete_inputs_artifacts, put_artifact
from io_layer.lottery.stores.pipeline import Step, insert_day, rewind_day, select_day, void_day
from io_layer.lottery.stores.runs import RunStatus, mark_vetoed, select_live_run, supersede_run
from io_layer.lottery.stores.stats import refresh_global_stats, upsert_pot_sizes
from io_layer.stores.audit import insert_audit
from io_layer.stores.journal import mark_adopted, select_attempts, select_open_transactions
from services.chain.reorg_guard import remember_final_block
from services.lottery.context import LotteryContext
from services.lottery.days.pots import read_pot_sizes
from services.lottery.settlement.files.artifacts import mirror_artifacts, remove_copies
from services.lottery.wording import subject_of
from services.transactions.follow import current_attempt, follow_stored


def note_void(context: LotteryContext, facts: DayOnChain) -> None:
    """Make a day VOIDED that the contract shows as voided at a final block. Safe to repeat; nothing is sent.

    Needs neither tickets nor seeds nor a key. Raises: InvalidInput ``day_out_of_order``; InvariantBroken
    ``settled_day_voided``, ``void_differs``, ``state_differs``, ``logs_incomplete``; InvalidInput
    ``artifact_tampered``.
    """
    day_id = facts.day_id
    voided = read_voided(context.game, facts.block, day_id, facts.record)
    _require_known_rules(context, facts, voided)
    _close_transactions(context, facts)
    _set_settlement_aside(context, voided)
    mirror_artifacts(context, day_id)
    pots = read_pot_sizes(context)
    with context.transaction():
        remember_final_block(context)
        require_invariant(void_day(context.conn, voided), "day_not_voided", f"day {day_id} does not become VOIDED")
        details = {
            "stake": str(voided.stake_atoms),
            "block": voided.block_number,
            "block_hash": hex_of(voided.block_hash),
            "tx_hash": hex_of(voided.tx_hash),
        }
        insert_audit(context.conn, actor="engine", action="day_voided", day_id=day_id, details=details)
        refresh_global_stats(context.conn)
        upsert_pot_sizes(context.conn, pots)


def _require_known_rules(context: LotteryContext, facts: DayOnChain, voided: VoidedDay) -> None:
    """Rule 2.12, from our own opening state: what the pools keep, and that the whole stake is owed."""
    sold = sum(pool.stake_atoms for pool in facts.pools)
    require_invariant(
        voided.stake_atoms == sold,
        "void_differs",
        f"day {facts.day_id} was voided with a stake of {voided.stake_atoms} atoms and has sold {sold}: this is not "
        "the contract that we know",
    )
    kept = closing_of_void(context.opening_state(facts))
    for pool_id, found, ours in zip(POOL_IDS, voided.closing, kept, strict=True):
        require_invariant(
            found == ours,
            "void_differs",
            f"day {facts.day_id}: its void leaves pool {pool_id} as {found}, by our rules as {ours}: this is not the "
            "contract that we know",
        )


def _close_transactions(context: LotteryContext, facts: DayOnChain) -> None:
    """What our key has sent for the day has nothing left to do and is adopted if it is spent. One that is still under
    way fills its nonce first; whoever follows it then closes it."""
    for stored in select_open_transactions(context.conn):
        if stored.subject != subject_of(facts.day_id):
            continue
        follow_stored(context, stored, facts.block)
        if current_attempt(select_attempts(context.conn, stored.tx_id)) is None:
            with context.transaction():
                mark_adopted(context.conn, stored.tx_id, "its day is voided")


def _set_settlement_aside(context: LotteryContext, voided: VoidedDay) -> None:
    """Give up what was begun and store voided.json in its place. Raises: InvariantBroken ``settled_day_voided``."""
    day_id = voided.day_id
    row, run = select_day(context.conn, day_id), select_live_run(context.conn, day_id)
    if run is not None and run.status == RunStatus.SETTLED:
        raise InvariantBroken("settled_day_voided", f"day {day_id} is settled here and voided on the chain")
    remove_copies(context, day_id)
    document = render_voided(
        voided, chain_id=context.game.deployment.chain_id, settlement=context.game.deployment.settlement
    )
    with context.transaction():
        insert_day(context.conn, day_id)
        if run is not None and run.status == RunStatus.COMMITTED:
            mark_vetoed(context.conn, run.run_id)  # or the contract would not have let it be voided
        elif run is not None:
            supersede_run(context.conn, run.run_id)
        delete_inputs_artifacts(context.conn, day_id)
        rewind_day(context.conn, day_id, Step.EXPORT)
        put_artifact(context.conn, day_id, None, NAME, document)
        if row is not None and row.export_ok:
            details = {"run_hash": hex_of(run.run_hash) if run else None, "run_status": run.status if run else None}
            insert_audit(context.conn, actor="engine", action="settlement_set_aside", day_id=day_id, details=details)
