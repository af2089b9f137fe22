"""Shows where a day stands, who holds it, what both endpoints say, and the next safe action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bo_engine.errors import EngineError, Stopped
from bo_engine.settings import Settings
from bo_engine.units import DayId, day_end, hex_of
from io_layer.lottery.contracts.day_record import ON_CHAIN, VOIDED
from io_layer.lottery.stores.pipeline import STEPS, DayStatus, PipelineDay, select_day
from io_layer.lottery.stores.runs import select_live_run
from io_layer.lottery.stores.seeds import select_seeds
from io_layer.lottery.stores.tickets import select_pool_totals
from io_layer.postgres.connection import Conn, connect
from io_layer.stores.leases import select_lease
from services.lottery.context import EMPTY_STATE, LotteryContext, lottery_of
from services.lottery.policy import JOB
from services.lottery.settlement.day import Opened
from services.lottery.settlement.files.artifacts import CopyState, artifact_states
from services.lottery.settlement.files.compare_files import ROWS, computed_run, files_way_out, stored_states
from services.lottery.settlement.gates.ticket_check import first_difference
from services.lottery.settlement.steps.approve_day import way_out
from services.running.cancel import Stop
from services.running.context import run_context


@dataclass(slots=True)
class Seen:
    """What was found: facts by name, warnings, and the error that keeps every command from the chain, if any."""

    facts: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    failure: EngineError | None = None


@dataclass(frozen=True, slots=True)
class _OnChain:
    """The day on the chain, and whether our tickets are those."""

    status: int  # of its record
    is_closed: bool
    tickets_here: int
    tickets_there: int
    difference: str | None  # of the first ticket that differs; None also when the tickets were not compared

    def facts(self) -> dict[str, Any]:
        """For people."""
        found = {
            "closed": self.is_closed,
            "on_chain": ON_CHAIN[self.status],
            "tickets": f"{self.tickets_here} here, {self.tickets_there} on the chain",
        }
        return found if self.difference is None else {**found, "first_difference": self.difference}


@dataclass(frozen=True, slots=True)
class _Found:
    """What decides the next action."""

    row: PipelineDay | None
    copies: Mapping[str, CopyState]  # on the disk, of each stored file
    changed: Mapping[str, str]  # what of the stored files and rows is not as it must be
    on_chain: _OnChain | None  # None: it could not be read


def doctor(settings: Settings, day_id: DayId, *, report: Callable[[str], None], cancel: Stop) -> Seen:
    """Look at a day. Writes nothing; what the chain does not tell is said, and the rest is shown all the same.

    Raises: as ``connect``.
    """
    with connect(settings.database_url, application_name="bo-engine") as conn:
        row = select_day(conn, day_id)
        copies = dict(artifact_states(conn, settings.artifacts_dir, day_id))
        seen = Seen(_stored(conn, row, copies, day_id))
        try:
            context = lottery_of(run_context(settings, conn, report=report, cancel=cancel, for_display=True))
            seen.facts.update(_endpoints(context))
            answer = _look_at_chain(context, day_id, is_halted=row is not None and row.status == DayStatus.HALTED)
            on_chain = answer if isinstance(answer, _OnChain) else None
            seen.facts.update(on_chain.facts() if on_chain else {"on_chain": str(answer)})
            changed = stored_states(context, day_id)
            seen.facts["files"] = _files({**copies, **changed})
            found = _Found(row, copies, changed, on_chain)
            seen.facts["next"] = _next(context, found, day_id)
            seen.warnings = context.chain.warnings
        except Stopped:
            raise
        except EngineError as error:
            seen.failure = error
            seen.facts["next"] = (
                "repair what keeps every command from the chain, then ask again; nothing is sent so long"
            )
    return seen


def _stored(conn: Conn, row: PipelineDay | None, copies: Mapping[str, CopyState], day_id: DayId) -> dict[str, Any]:
    lease, run = select_lease(conn, JOB), select_live_run(conn, day_id)
    return {
        "day_id": day_id,
        "status": row.status if row else "not begun",
        "reason": row.reason if row else None,
        "steps_done": _steps(row),
        "lease": lease.holder if lease and lease.holder and not lease.is_expired else "free",
        "run": f"{run.status} {hex_of(run.run_hash)}" if run else None,
        "files": _files(copies),
        "seeds": _seeds(conn, day_id),
    }


def _files(states: Mapping[str, str]) -> str | None:
    return ", ".join(f"{name} {state}" for name, state in states.items()) or None


def _steps(row: PipelineDay | None) -> str:
    done = [step for step in STEPS if row is not None and row.is_done(step)]
    return ", ".join(done) or "none"


def _seeds(conn: Conn, day_id: DayId) -> str:
    seeds = select_seeds(conn, day_id)
    if seeds is None:
        return "none"
    word = "VRF word" if seeds.vrf_word is not None else "VRF requested" if seeds.vrf_request_id else "no VRF request"
    beacon = f"drand round {seeds.drand_round}" if seeds.drand_round else "no drand beacon"
    return f"{word}, {beacon}"


def _endpoints(context: LotteryContext) -> dict[str, str]:
    views = {}
    for endpoint in context.chain.endpoints:
        try:
            block = context.chain.read_final_block_of(endpoint)
            views[f"rpc_{endpoint.name}"] = f"final block {block.number} {hex_of(block.block_hash)}"
        except EngineError as error:
            views[f"rpc_{endpoint.name}"] = error.message
    return views


def _look_at_chain(context: LotteryContext, day_id: DayId, *, is_halted: bool) -> _OnChain | EngineError:
    """The day on the chain, or why that cannot be read."""
    try:
        block = context.chain.read_final_block()
        facts = context.game.read_day(block, day_id)
        ours = select_pool_totals(context.conn, day_id)
        difference = None
        # Equal totals prove nothing about a single row; a day that is HALTED is worth reading ticket by ticket.
        if ours != facts.pools or is_halted:
            opened = Opened(facts, context.ruleset_of(facts), (EMPTY_STATE,) * 5)
            difference = first_difference(context, opened)
        return _OnChain(
            status=facts.record.status,
            is_closed=block.timestamp_s >= day_end(day_id),
            tickets_here=sum(pool.ticket_count for pool in ours),
            tickets_there=facts.ticket_count,
            difference=difference,
        )
    except EngineError as error:
        return error


def _next(context: LotteryContext, found: _Found, day_id: DayId) -> str:
    row, on_chain = found.row, found.on_chain
    differs = on_chain is not None and on_chain.difference is not None
    if day_id < context.game.first_day:
        return f"nothing: the day lies before the contract's first day {context.game.first_day}"
    run = computed_run(context.conn, day_id)
    if run is not None and found.changed:
        if row is not None and row.status not in (DayStatus.HALTED, DayStatus.DONE):
            return "`bo-engine settle`: it halts the day, because its rows or files were changed in the database"
        way = way_out(run) if ROWS in found.changed else files_way_out(run)
        return f"find out who changed the database; then {way}"
    if any(copy is not CopyState.OK for copy in found.copies.values()):
        return f"find out who changed the files; then `bo-engine artifacts restore --day {day_id}`"
    if row is not None and row.status == DayStatus.DONE:
        return "nothing: the day is settled"
    if row is not None and row.status == DayStatus.VOIDED:
        return "nothing: the day is voided; `refund(buyer, nonces)` pays its stakes back, without a proof"
    if row is not None and row.status == DayStatus.HALTED and differs:
        return f"`bo-engine db rebuild-tickets --day {day_id}`, then `bo-engine resume --day {day_id} --by NAME`"
    if row is not None and row.status == DayStatus.HALTED:
        return f"look at the reason; then `bo-engine resume --day {day_id} --by NAME`"
    if on_chain is not None and on_chain.status == VOIDED:
        return "`bo-engine settle`: it notes the void"
    if on_chain is not None and not on_chain.is_closed:
        return "wait: the day is not closed"
    if context.chain.warnings:
        return "repair the endpoint that does not answer, or name another one in the settings: money needs both"
    if differs:
        return f"`bo-engine recover-intents`, or `bo-engine db rebuild-tickets --day {day_id}`"
    return "`bo-engine refresh-seeds`, then `bo-engine settle`"
