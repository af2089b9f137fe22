"""Shows where a day stands, who holds it, what both endpoints say, and the next safe action."""

from typing import Any

from bo_engine.errors import EngineError
from bo_engine.units import DayId, day_end, hex_of
from io_layer.lease_store import select_lease
from io_layer.pipeline_store import PipelineDay, select_day
from io_layer.run_store import select_live_run
from io_layer.seed_store import select_seeds
from io_layer.ticket_store import select_pool_totals
from services.artifacts import artifact_states
from services.day_work import Opened
from services.engine import EMPTY_STATE, Engine
from services.settle_days import JOB
from services.ticket_check import NO_DIFFERENCE, first_difference


def doctor(engine: Engine, day_id: DayId) -> dict[str, Any]:
    """Facts by name. Writes nothing; what cannot be read is told and not raised."""
    facts: dict[str, Any] = {"day_id": day_id}
    row = select_day(engine.conn, day_id)
    facts["status"] = row.status if row else "not begun"
    facts["reason"] = row.reason if row else None
    facts["steps_done"] = _steps(row)
    lease = select_lease(engine.conn, JOB)
    facts["lease"] = lease.holder if lease and lease.holder and not lease.is_expired else "free"
    run = select_live_run(engine.conn, day_id)
    facts["run"] = f"{run.status} {hex_of(run.run_hash)}" if run else None
    facts["files"] = ", ".join(f"{name} {state}" for name, state in artifact_states(engine, day_id)) or None
    facts["seeds"] = _seeds(engine, day_id)
    facts.update(_endpoints(engine))
    facts.update(_chain(engine, day_id, is_halted=row is not None and row.status == "HALTED"))
    facts["next"] = _next(engine, row, facts, day_id)
    return facts


def _steps(row: PipelineDay | None) -> str:
    steps = ("export", "affiliate", "compute", "approve", "commit", "stats")
    done = [step for step in steps if row is not None and getattr(row, f"{step}_ok")]
    return ", ".join(done) or "none"


def _seeds(engine: Engine, day_id: DayId) -> str:
    seeds = select_seeds(engine.conn, day_id)
    if seeds is None:
        return "none"
    word = "VRF word" if seeds.vrf_word is not None else "VRF requested" if seeds.vrf_request_id else "no VRF request"
    beacon = f"drand round {seeds.drand_round}" if seeds.drand_round else "no drand beacon"
    return f"{word}, {beacon}"


def _endpoints(engine: Engine) -> dict[str, str]:
    views = {}
    for endpoint in engine.game.chain.endpoints:
        try:
            block = engine.game.chain.read_final_block_of(endpoint)
            views[f"rpc_{endpoint.name}"] = f"final block {block.number} {block.block_hash}"
        except EngineError as error:
            views[f"rpc_{endpoint.name}"] = error.message
    return views


def _chain(engine: Engine, day_id: DayId, *, is_halted: bool) -> dict[str, Any]:
    try:
        block = engine.game.chain.read_final_block()
        facts = engine.game.read_day(block, day_id)
        ours = select_pool_totals(engine.conn, day_id)
        found: dict[str, Any] = {
            "closed": block.timestamp_s >= day_end(day_id),
            "on_chain": ("nothing", "committed", "released", "voided")[facts.record.status],
            "tickets": f"{sum(pool.ticket_count for pool in ours)} here, {facts.ticket_count} on the chain",
        }
        # Equal totals prove nothing about a single row; a day that is HALTED is worth reading ticket by ticket.
        if ours != facts.pools or is_halted:
            opened = Opened(facts, engine.ruleset_of(facts), (EMPTY_STATE,) * 5)
            difference = first_difference(engine, opened)
            if difference != NO_DIFFERENCE:
                found["first_difference"] = difference
        return found
    except EngineError as error:
        return {"on_chain": str(error)}


def _next(engine: Engine, row: PipelineDay | None, facts: dict[str, Any], day_id: DayId) -> str:
    if day_id < engine.game.first_day:
        return f"nothing: the day lies before the contract's first day {engine.game.first_day}"
    if any(state != "ok" for _, state in artifact_states(engine, day_id)):
        return f"find out who changed the files; then `bo-engine artifacts restore --day {day_id}`"
    if row is not None and row.status == "DONE":
        return "nothing: the day is settled"
    if row is not None and row.status == "HALTED" and "first_difference" in facts:
        return f"`bo-engine db rebuild-tickets --day {day_id}`, then `bo-engine resume --day {day_id} --by NAME`"
    if row is not None and row.status == "HALTED":
        return f"look at the reason; then `bo-engine resume --day {day_id} --by NAME`"
    if facts.get("on_chain") == "voided":
        return "`bo-engine settle`: it takes the refunds over"
    if facts.get("closed") is False:
        return "wait: the day is not closed"
    if engine.game.chain.warnings:
        return "repair the endpoint that does not answer, or name another one in the settings: money needs both"
    if "first_difference" in facts:
        return f"`bo-engine recover-intents`, or `bo-engine db rebuild-tickets --day {day_id}`"
    return "`bo-engine refresh-seeds`, then `bo-engine settle`"
