"""A commit or release that is not ours, seen at the head before anything else is looked at (rule 4.5, fault K03).

Whoever has stolen the SETTLER's key can be stopped only until the release, and that comes sooner than a day with a
missing seed or a slow endpoint is settled. So each tick of the jobs that settle begins here. Foreign is judged by the
hash, never by the sender: anyone may release ours. One endpoint is enough to raise the alarm; to halt a day it takes
both, at a final block, and that is for the settling itself.
"""

from collections.abc import Callable
from typing import Final

from bo_engine.errors import EngineError, InvariantBroken, Unavailable
from bo_engine.keccak import keccak256
from bo_engine.log import get_logger
from bo_engine.units import DayId, Wallet, hex_of
from io_layer.lottery.contracts.day_record import COMMITTED, ON_CHAIN, RELEASED, DayRecord
from io_layer.lottery.contracts.head import read_settling_at_head
from io_layer.lottery.stores.pipeline import select_last_ended
from io_layer.postgres.connection import Conn
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.journal import select_calldata
from services.lottery.wording import subject_of
from services.running.context import RunContext

FOREIGN_COMMIT: Final = "foreign_commit"
_LOG = get_logger("settle")


def foreign_commit(day_id: DayId, record: DayRecord, where: str, ours: str) -> InvariantBroken:
    """The alarm, in the same words wherever it is seen."""
    way_out = (
        "no money has moved yet: unless this database was just restored and `settle` has not computed the day, the "
        "guardian suspends the SETTLER and vetoes the day before it is released"
        if record.status == COMMITTED
        else "it is released: the guardian pauses the vaults and suspends the SETTLER at once"
    )
    return InvariantBroken(
        FOREIGN_COMMIT,
        f"day {day_id} is {ON_CHAIN[record.status]} {where} with settlement hash {hex_of(record.settlement_hash)}, "
        f"{ours}; {way_out} (`bo-engine contracts roles` prints the calls)",
    )


def look_for_foreign_commit(run: RunContext) -> Callable[[], InvariantBroken | None]:
    """Ask both endpoints' heads once; what is returned says, each time it is called, whether something foreign stands
    there by what the database knows then: a run that the job has computed since may explain it.

    Raises: Unavailable when no endpoint answers.
    """
    settings = run.settings
    last_ended = select_last_ended(run.conn)
    first = None if last_ended is None else DayId(last_ended + 1)
    found: list[tuple[DayId, DayRecord]] = []
    failures: list[Unavailable] = []
    urls = {"primary": settings.rpc_url, "fallback": settings.rpc_fallback_url}
    for name, url in urls.items():
        try:
            found += read_settling_at_head(name, url, settings.settlement_address, first)
        except Unavailable as error:
            _LOG.warning("head_not_seen", extra={"reason": error.message})
            failures.append(error)
    if len(failures) == len(urls):
        raise failures[0]

    def alarm() -> InvariantBroken | None:
        foreign = [one for one in found if not _is_ours(run.conn, settings.settlement_address, *one)]
        if not foreign:
            return None
        # The one that has gone furthest: an endpoint that lags may still call it committed.
        day_id, record = max(foreign, key=lambda one: one[1].status)
        _record(run.conn, day_id, record)
        return foreign_commit(day_id, record, "at the head", "which no run and no transaction of ours has")

    return alarm


def _is_ours(conn: Conn, settlement: Wallet, day_id: DayId, record: DayRecord) -> bool:
    """Whether nothing stands there, or what the day's live run or our transaction of this round gives. A run that was
    vetoed or replaced explains nothing: its hash must not come back."""
    if record.status not in (COMMITTED, RELEASED):
        return True
    # Only now: an idle run loads nothing of the contracts.
    from io_layer.contracts.codec import codec
    from io_layer.lottery.stores.runs import select_live_run

    run = select_live_run(conn, day_id)
    if run is not None and run.settlement_hash == record.settlement_hash:
        return True
    selector = codec("SettlementV4").selector("commitMerkleSettlement")
    calls = select_calldata(conn, settlement, selector, subject=subject_of(day_id), round=record.takebacks)
    # The struct has no part of variable length, so its hash is that of the call's data behind the selector.
    return any(keccak256(data[4:]) == record.settlement_hash for data in calls)


def _record(conn: Conn, day_id: DayId, record: DayRecord) -> None:
    """One row for each thing seen. An alarm does not wait for it."""
    details = {"settlement_hash": hex_of(record.settlement_hash), "status": ON_CHAIN[record.status]}
    try:
        if not has_audit(conn, FOREIGN_COMMIT, details):
            with conn.transaction():
                insert_audit(conn, actor="engine", action=FOREIGN_COMMIT, day_id=day_id, details=details)
    except EngineError as error:
        _LOG.error("alarm_not_recorded", extra={"code": error.code, "reason": error.message})
