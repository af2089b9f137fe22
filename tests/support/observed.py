"""What the chain, the database and the disk say of a day, asked past the engine."""

import hashlib
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bo_engine.errors import EngineError, InvariantBroken
from bo_engine.units import DayId
from core.lottery.bundle import SettlementStruct
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import DayRecord
from io_layer.lottery.stores.pipeline import PipelineDay, select_day
from io_layer.postgres.connection import connect
from services.lottery.settlement.dry_run import dry_run_days
from services.lottery.settlement.settle_days import DayOutcome, run_one_step
from services.lottery.settlement.steps.commit_day import rebuilt_settlement
from tests.support.played_world import PlayedWorld

STEPS = ("export", "affiliates", "compute", "approve", "commit", "stats")
_RUN_HASHES: dict[tuple[str, int], str] = {}


def true_run_hash(played: PlayedWorld) -> str:
    """The run_hash of the first day when nobody interferes, from a dry run of the world as it was restored."""
    key = (str(played.world.root), played.day)
    if key not in _RUN_HASHES:
        with played.context() as context:
            ((document,), _) = dry_run_days(context, day=None)
        _RUN_HASHES[key] = str(document["run_hash"])
    return _RUN_HASHES[key]


def run_steps(played: PlayedWorld, *steps: str, day: DayId | None = None, **changed: str) -> list[DayOutcome]:
    """Run steps by hand, one after the other."""
    with played.context(**changed) as context:
        return [run_one_step(context, step, day or played.day) for step in steps]


def halts(played: PlayedWorld, code: str, *, day: DayId | None = None, **changed: str) -> InvariantBroken:
    """Settle: it must stop with this alarm and leave the day HALTED."""
    with pytest.raises(InvariantBroken) as caught:
        played.settle(**changed)
    assert caught.value.code == code, caught.value
    row = pipeline(played, day)
    assert row is not None
    assert (row.status, row.error_code) == ("HALTED", code)
    return caught.value


def refuses(code: str, played: PlayedWorld, *, day: DayId | None = None, **changed: str) -> EngineError:
    """Settle: it must end with this error."""
    with pytest.raises(EngineError) as caught:
        played.settle(day, **changed)
    assert caught.value.code == code, caught.value
    return caught.value


def pipeline(played: PlayedWorld, day: DayId | None = None) -> PipelineDay | None:
    """Where the day stands."""
    # Without the chain, which may be in no state to open an engine on.
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        return select_day(conn, day or played.day)


def rows(played: PlayedWorld, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as the superuser sees them."""
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        return conn.execute(query.encode()).fetchall()


def audit_actions(played: PlayedWorld) -> list[str]:
    """What the audit log tells, oldest first."""
    return [action for (action,) in rows(played, "SELECT action FROM audit_log ORDER BY audit_id")]


def attempts(
    played: PlayedWorld,
    function: str = "commitMerkleSettlement",
    round: int = 0,  # noqa: A002
    day: DayId | None = None,
) -> list[tuple[str, str]]:
    """State and hash of every signed transaction of the first day's commit (or of another function)."""
    contract = "VRFReceiver" if function == "requestSeed" else "SettlementV4"
    selector = codec(contract).selector(function).hex()
    return rows(
        played,
        f"""SELECT a.state, encode(a.tx_hash, 'hex') FROM chain_transaction_attempts AS a
              JOIN chain_transactions AS t USING (tx_id)
             WHERE t.subject = 'day {day or played.day}' AND t.round = {round}
               AND encode(t.selector, 'hex') = '{selector}'
             ORDER BY a.attempt""",  # noqa: S608 - our own constants
    )


def settler_nonce(played: PlayedWorld) -> int:
    """How many transactions the settler has sent."""
    settler = played.world.account("settler").address
    return int(played.chain.call("eth_getTransactionCount", settler, "pending"), 16)


def event_count(played: PlayedWorld, event: str, day: DayId | None = None, *, contract: str = "SettlementV4") -> int:
    """How often a contract has told this of the day (``DayCommitted``, ``DayVetoed``, ``DayReleased``)."""
    at = played.world.contracts
    address = at.vrf_receiver if contract == "VRFReceiver" else at.settlement
    topics = [codec(contract).topic(event), "0x" + (day or played.day).to_bytes(32, "big").hex()]
    query = {"address": address, "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
    return len(played.chain.call("eth_getLogs", query))


def record_of(played: PlayedWorld, day: DayId | None = None) -> DayRecord:
    """The contract's record of the day at a final block."""
    with played.context() as context:
        return context.game.read_record(context.chain.read_final_block(), day or played.day)


def settlement_of(played: PlayedWorld) -> SettlementStruct:
    """What the approved run of the first day would commit."""
    with played.context() as context:
        from io_layer.lottery.stores.runs import select_live_run

        run = select_live_run(context.conn, played.day)
        assert run is not None
        return rebuilt_settlement(context, run)


def files_of(played: PlayedWorld, day: DayId | None = None) -> dict[str, str]:
    """sha256 of the deterministic files and of checksums.json."""
    folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day or played.day}"
    names = (*DETERMINISTIC_FILES, "checksums.json")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
