"""What a refused command must leave as it was: every row, the chain's word on our days and keys, every file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from local_world.lottery.deploy import contract_at
from tests.support.played_world import PlayedWorld

# A lease is taken and given back, and its fencing token counts every time; each run is told, whatever it did, and the
# first one claims the database.
_MOVES_BY_ITSELF = {"job_leases", "job_runs", "deployment"}
#: Columns that tell how often and when a step ran; all others say what it did.
BOOKKEEPING: Mapping[str, Sequence[str]] = {
    "settlement_pipeline_runs": ("attempts", "updated_at"),
    "global_stats": ("updated_at",),
    "pot_sizes": ("updated_at", "block_number"),
}

_SELECT_TABLES = """
    SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY c.relname
"""


@dataclass(frozen=True)
class Fingerprint:
    """Database, chain and disk at one moment, piece by piece, so that a difference can be named."""

    pieces: dict[str, object]

    def differences(self, later: "Fingerprint") -> list[str]:
        """Names of the pieces that are not the same: ``table tickets``, ``file inputs.json``, ``chain nonce``."""
        names = sorted({*self.pieces, *later.pieces})
        return [name for name in names if self.pieces.get(name) != later.pieces.get(name)]


def fingerprint(
    played: PlayedWorld, *, leases: bool = False, ignoring: Mapping[str, Sequence[str]] | None = None
) -> Fingerprint:
    """The state that commands may change: all tables but the leases, the settler's nonce, two days' records, files.

    ``leases`` counts the leases too; ``ignoring`` names columns, by table, that may differ.
    """
    return Fingerprint({**_tables(played, leases, ignoring or {}), **_chain(played), **_files(played)})


def stored_text(played: PlayedWorld) -> str:
    """All rows of all tables as text: where a secret would stand if one had been written down."""
    return "\n".join(text for _, text in _rows(played, leases=False, ignoring={}))


def _rows(played: PlayedWorld, leases: bool, ignoring: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        tables = [name for (name,) in conn.execute(_SELECT_TABLES) if leases or name not in _MOVES_BY_ITSELF]
        found = []
        for name in tables:
            dump = sql.SQL(
                "SELECT coalesce(string_agg(r.line, E'\\n' ORDER BY r.line), '')"
                " FROM (SELECT (to_jsonb(t) - {}::text[])::text AS line FROM {} AS t) AS r"
            )
            row = conn.execute(dump.format(sql.Literal(list(ignoring.get(name, ()))), sql.Identifier(name))).fetchone()
            found.append((name, row[0] if row else ""))
    return found


def _tables(played: PlayedWorld, leases: bool, ignoring: Mapping[str, Sequence[str]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, text in _rows(played, leases, ignoring):
        # Which final block was looked at last moves on with the chain, whoever looks.
        lines = [line for line in text.split("\n") if not (name == "event_cursors" and '"final block"' in line)]
        found[f"table {name}"] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return found


def _chain(played: PlayedWorld) -> dict[str, object]:
    # Asked without the engine, straight from the node: what is there, not what we believe.
    w3 = played.world.web3()
    settler = played.world.account("settler").address
    found: dict[str, object] = {"chain nonce": w3.eth.get_transaction_count(settler, "pending")}
    contracts = played.world.contracts
    settlement = contract_at(w3, "SettlementV4", contracts.settlement).functions
    for day in (played.day, played.day + 1):
        found[f"chain day {day}"] = settlement.dayRecord(day).call(block_identifier="finalized")
    found["chain next day"] = settlement.nextDay().call(block_identifier="finalized")
    manager = contract_at(w3, "GameManager", contracts.game_manager).functions
    found["chain tickets"] = manager.sales().call(block_identifier="finalized")
    return found


def _files(played: PlayedWorld) -> dict[str, object]:
    root = Path(played.env["ARTIFACTS_DIR"]).parent
    # Each run of a job leaves a line in the logs.
    logs = Path(played.env["LOGS_DIR"])
    found = [path for path in sorted(root.rglob("*")) if path != logs and logs not in path.parents]
    return {f"file {path.relative_to(root)}": _file(path) for path in found}


def _file(path: Path) -> object:
    if path.is_symlink() or not path.is_file():
        return (path.lstat().st_mode, str(path.readlink()) if path.is_symlink() else "")
    return (path.lstat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
