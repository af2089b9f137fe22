"""A restored backup that lacks the last hours catches up with the chain and sends nothing twice (fault D07), by the
commands of docs/operations.md."""

import json
from pathlib import Path

import pytest

from bo_engine.units import DayId
from local_world.databases import with_database
from tests.invariants.checker import check_invariants
from tests.support.doc_commands import documented, run_shell
from tests.support.meddling import send_as
from tests.support.observed import (
    audit_actions,
    event_count,
    files_of,
    halts,
    rows,
    run_steps,
    settlement_of,
    settler_nonce,
)
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

PAGE = "operations.md"


def back_up(played: PlayedWorld, folder: Path) -> Path:
    """A dump of the engine's database, as documented."""
    backup = folder / "backup.dump"
    (dump,) = documented(PAGE, "pg_dump ")
    binaries = played.world.postgres.binaries
    run_shell(dump, path=binaries, BACKUP=str(backup), MIGRATION_DATABASE_URL=played.env["MIGRATION_DATABASE_URL"])
    return backup


def restore(played: PlayedWorld, backup: Path) -> None:
    """Restore it into a new database and point the engine to that."""
    name = f"restored_{played.database_name}"
    at = played.world.database
    for line in documented(PAGE, "createdb ", "pg_restore "):
        run_shell(
            line,
            path=played.world.postgres.binaries,
            BACKUP=str(backup),
            SERVER_URL=with_database(at.owner_url, "postgres"),
            RESTORED=name,
            RESTORED_URL=with_database(at.owner_url, name),
        )
    files = played.env["ARTIFACTS_DIR"]
    played.env = {**played.env_for(name, played.folder / name), "ARTIFACTS_DIR": files}


def run_jobs(played: PlayedWorld) -> list[int]:
    """The documented jobs, in their order; their exit codes."""
    lines = documented(PAGE, "bo-engine ", section="Restore")
    return [played.cli(*line.split()[1:]).code for line in lines]


def test_a_restored_backup_catches_up_with_the_chain_and_sends_nothing_twice(
    played: PlayedWorld, tmp_path: Path
) -> None:
    run_steps(played, "export", "affiliates", "compute")
    backup = back_up(played, tmp_path)
    day = DayId(played.day + 1)
    played.sell(day)  # after the backup: tickets, intents, a VRF request, both days' commits and releases
    played.close(day)
    assert played.settle_through().status == "DONE"
    assert played.settle()[0].run_status == "committed"
    played.pass_challenge()
    assert played.settle()[0].status == "DONE"
    days = (played.day, day)
    files, nonce = [files_of(played, one) for one in days], settler_nonce(played)
    hashes = rows(played, "SELECT day_id, run_hash FROM settlement_runs WHERE status = 'settled' ORDER BY day_id")
    tickets = rows(played, "SELECT * FROM tickets ORDER BY ticket_id")

    restore(played, backup)
    # The day that the backup does not know is a foreign commit until settle has computed it; then no alarm is left.
    assert run_jobs(played) == [0, 0, 1, 0]
    assert run_jobs(played) == [0, 0, 0, 0]
    assert (
        rows(played, "SELECT day_id, run_hash FROM settlement_runs WHERE status = 'settled' ORDER BY day_id") == hashes
    )
    assert rows(played, "SELECT * FROM tickets ORDER BY ticket_id") == tickets
    assert [files_of(played, one) for one in days] == files
    assert settler_nonce(played) == nonce
    for one in days:
        counts = [event_count(played, name, one) for name in ("DayCommitted", "DayReleased")]
        assert counts == [1, 1]
    adopted = {"transactions_adopted": 1, "commit_adopted": 2, "release_adopted": 2}
    actions = audit_actions(played)
    assert {name: actions.count(name) for name in adopted} == adopted
    assert json.loads(played.cli("settle", "--json").stdout)["days"] == []
    check_invariants(played, knows_all_sends=False)

    # Life goes on: the next day takes the next nonce.
    third = DayId(day + 1)
    played.close(third, has_tips=False)
    assert (played.settle()[0].run_status, settler_nonce(played)) == ("committed", nonce + 1)


def test_a_commit_that_the_restored_database_computes_otherwise_halts_the_day(
    played: PlayedWorld, tmp_path: Path
) -> None:
    backup = back_up(played, tmp_path)
    run_steps(played, "export", "affiliates", "compute", "approve")
    forged = settlement_of(played)._replace(run_hash=b"\x66" * 32)
    send_as(played, "settler", "commitMerkleSettlement", tuple(forged))
    nonce = settler_nonce(played)
    restore(played, backup)
    halts(played, "foreign_commit")
    assert (settler_nonce(played), event_count(played, "DayReleased")) == (nonce, 0)
