"""A day is settled once, whatever is repeated, and every machine gives the same bytes (rules 4.1 to 4.7)."""

import hashlib
from pathlib import Path

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from io_layer.lottery.stores.pipeline import select_day
from services.lottery.settlement.settle_days import settle_days
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.played_world import PlayedWorld


def files_of(folder: str, day: DayId) -> dict[str, str]:
    """sha256 of the deterministic files and of checksums.json."""
    names = (*DETERMINISTIC_FILES, "checksums.json")
    return {name: hashlib.sha256((Path(folder) / f"dayId={day}" / name).read_bytes()).hexdigest() for name in names}


def test_a_day_is_committed_then_released_and_the_run_hash_is_the_bundles_sha256(played: PlayedWorld) -> None:
    (first,) = played.settle()
    assert (first.status, first.run_status, first.exit_code) == ("WAITING", "committed", 0)
    assert first.not_before is not None and first.not_before > played.chain.now()
    assert played.settle()[0].status == "WAITING"  # the challenge period still runs: nothing is due

    played.pass_challenge()
    (done,) = played.settle()
    assert (done.status, done.run_status) == ("DONE", "settled")
    files = files_of(played.env["ARTIFACTS_DIR"], played.day)
    assert done.run_hash == "0x" + files["commit_bundle.json"]
    with played.context() as context:
        record = context.game.read_record(context.chain.read_final_block(), played.day)
    assert "0x" + record.run_hash.hex() == done.run_hash
    assert played.settle() == []


def test_a_second_database_rebuilt_from_the_chain_gives_the_same_files(played: PlayedWorld) -> None:
    done = played.settle_through()
    files = files_of(played.env["ARTIFACTS_DIR"], played.day)

    fresh = played.world.add_database()
    played.env = played.env_for(fresh.name, played.folder / fresh.name)
    with played.context() as context:
        recover_intents(context)
        while refresh_seeds(context).waiting:
            pass
        (again,) = settle_days(context, day=None)
    assert (again.status, again.run_hash) == ("DONE", done.run_hash)
    assert files_of(played.env["ARTIFACTS_DIR"], played.day) == files
    assert again.commit_tx is None  # adopted: it was there with our hash, so nothing was sent


def test_a_purchase_at_or_after_the_vrf_request_halts_the_day(played: PlayedWorld) -> None:
    """Rule 3.1, fault S10: the contract makes it impossible, so a chain that shows one is not to be trusted."""
    played.tamper("UPDATE tickets SET block_number = 1000000 WHERE ticket_id = (SELECT max(ticket_id) FROM tickets)")
    with pytest.raises(InvariantBroken) as refused:
        played.settle()
    assert refused.value.code == "late_seal"
    with played.context() as context:
        row = select_day(context.conn, played.day)
    assert row is not None and (row.status, row.error_code) == ("HALTED", "late_seal")
