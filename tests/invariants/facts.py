"""What the invariant checker looks at: rows, contracts, events and files, read past the engine's services."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bo_engine.units import DayId
from io_layer.contracts.codec import codec
from io_layer.rpc.endpoint import RpcEndpoint
from local_world.lottery.deploy import DeployedContracts
from tests.support.played_world import PlayedWorld

_ADDRESS = {
    "SettlementV4": "settlement",
    "GameManager": "game_manager",
    "ReserveVault": "reserve_vault",
    "PrizeVault": "prize_vault",
    "AffiliateVault": "affiliate_vault",
    "TestUSDT": "usdt",
}


class InvariantFailed(AssertionError):
    """An invariant does not hold; ``invariant`` is its id in faults.md."""

    def __init__(self, invariant: str, found: str) -> None:
        super().__init__(f"{invariant}: {found}")
        self.invariant = invariant


@dataclass(frozen=True)
class Facts:
    """Database, chain and disk of one moment."""

    played: PlayedWorld
    conn: psycopg.Connection[dict[str, Any]]
    endpoints: tuple[RpcEndpoint, RpcEndpoint]
    contracts: DeployedContracts
    final: int

    def rows(self, statement: str, **given: Any) -> list[dict[str, Any]]:
        """Rows as dicts; numerics as int, and a fraction is an error."""
        found = self.conn.execute(statement.encode(), given).fetchall()
        return [{name: _whole(value) for name, value in row.items()} for row in found]

    def address(self, contract: str) -> str:
        """Where a contract stands."""
        return str(getattr(self.contracts, _ADDRESS[contract]))

    def read(self, contract: str, function: str, *arguments: object, endpoint: int = 0) -> Any:
        """What a contract answers at the final block."""
        data = "0x" + codec(contract).call_data(function, arguments).hex()
        asked = {"to": self.address(contract), "data": data}
        answer = self.endpoints[endpoint].request("eth_call", [asked, hex(self.final)])
        values = codec(contract).result(function, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    def events(self, contract: str, event: str) -> list[dict[str, Any]]:
        """All events of a kind in final blocks, oldest first, with ``block``, ``log_index`` and ``tx_hash``."""
        query = {
            "address": self.address(contract),
            "topics": [codec(contract).topic(event)],
            "fromBlock": "0x0",
            "toBlock": hex(self.final),
        }
        logs = self.endpoints[0].request("eth_getLogs", [query])
        found = [
            {
                **codec(contract).event(event, log),
                "block": int(log["blockNumber"], 16),
                "log_index": int(log["logIndex"], 16),
                "tx_hash": log["transactionHash"],
            }
            for log in logs
        ]
        return sorted(found, key=lambda each: (each["block"], each["log_index"]))

    def timestamp(self, block: int) -> int:
        """A block's time."""
        return int(self.endpoints[0].request("eth_getBlockByNumber", [hex(block), False])["timestamp"], 16)


@contextmanager
def opened_facts(played: PlayedWorld) -> Iterator[Facts]:
    """The facts at the newest final block; all rows at one moment."""
    endpoints = (
        RpcEndpoint("primary", played.env["RPC_URL"]),
        RpcEndpoint("fallback", played.env["RPC_FALLBACK_URL"]),
    )
    final = min(int(each.request("eth_getBlockByNumber", ["finalized", False])["number"], 16) for each in endpoints)
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], row_factory=dict_row) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Facts(played, conn, endpoints, played.world.contracts, final)


def files_on_disk(played: PlayedWorld, day: DayId) -> dict[str, str]:
    """sha256 of everything in the day's folder, hidden files too; a symlink or a folder there is named as such."""
    folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}"
    if not folder.is_dir():
        return {}
    return {path.name: _digest(path) for path in sorted(folder.iterdir())}


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return "no plain file"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal):
        if value != value.to_integral_value():
            raise InvariantFailed("I1", f"the fraction {value} stands in the database")
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, memoryview):
        return bytes(value)
    return value
