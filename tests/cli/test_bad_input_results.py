"""Payout rows, files and folders that are not what was computed stop the day (rules 4.3 to 4.7, 6.G3 to 6.G7)."""

import json
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE
from tests.support.fingerprint import fingerprint
from tests.support.observed import run_steps
from tests.support.played_world import PlayedWorld
from tests.support.refusals import HALTED_ROW, refused

WINNER_CHANGED = """
    UPDATE settlement_winner_payouts SET amount = amount + 1
     WHERE wallet = (SELECT min(wallet) FROM settlement_winner_payouts)
"""
AFFILIATE_GONE = """
    DELETE FROM settlement_affiliate_payouts WHERE wallet = (SELECT min(wallet) FROM settlement_affiliate_payouts)
"""
WALLET_EXCHANGED = """
    UPDATE settlement_winner_payouts SET wallet = '0x' || repeat('3', 40)
     WHERE wallet = (SELECT min(wallet) FROM settlement_winner_payouts)
"""
TOTAL_CHANGED = "UPDATE settlement_runs SET total_payout = total_payout + 1"
TREE_CHANGED = """
    UPDATE settlement_trees SET nodes = overlay(nodes PLACING sha256(nodes) FROM octet_length(nodes) - 31)
     WHERE kind = 'winner'
"""
CHANGES = {
    "a winner's amount": (WINNER_CHANGED, {"G3", "G6"}),
    "a winner's wallet": (WALLET_EXCHANGED, {"G6"}),
    "an affiliate less": (AFFILIATE_GONE, {"G4", "G7"}),
    "the total": (TOTAL_CHANGED, {"G3", "G5", "G13"}),
    "the stored tree": (TREE_CHANGED, {"G6"}),
}


def resume_and_settle(played: PlayedWorld) -> str:
    """After a person's look the day is computed and approved anew; the run hash that was committed."""
    assert played.cli("resume", "--day", str(played.day), "--by", "Ann").code == EXIT_DONE
    done = played.cli("settle", "--json")
    assert done.code == EXIT_DONE, done
    (outcome,) = json.loads(done.stdout)["days"]
    assert outcome["run_status"] == "committed"
    return str(outcome["run_hash"])


@pytest.mark.parametrize(("statement", "gates"), CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.sampled(1)
def test_a_row_changed_after_compute_fails_its_gates_and_nothing_is_committed(
    played: PlayedWorld, true_run_hash: str, statement: str, gates: set[str]
) -> None:
    run_steps(played, "export", "affiliates", "compute")
    played.tamper(statement)
    refusal = refused(played, "settle", code="gates_failed", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert {finding.split()[0] for finding in refusal.findings} == gates
    assert f"day {played.day} does not pass" in refusal.message
    assert f"`bo-engine resume --day {played.day} --by NAME`" in refusal.message
    if statement is WINNER_CHANGED:
        assert resume_and_settle(played) == true_run_hash


@pytest.mark.parametrize("statement", [WALLET_EXCHANGED, TREE_CHANGED], ids=["a winner's wallet", "the stored tree"])
@pytest.mark.sampled(1)
def test_a_row_changed_after_the_approval_is_never_signed(
    played: PlayedWorld, true_run_hash: str, statement: str
) -> None:
    run_steps(played, "export", "affiliates", "compute", "approve")
    played.tamper(statement)
    day = ("--day", str(played.day))
    refusal = refused(played, "commit", *day, code="settlement_differs", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert "nothing is signed" in refusal.message
    assert f"`bo-engine resume --day {played.day} --by NAME`" in refusal.message
    if statement is WALLET_EXCHANGED:
        assert resume_and_settle(played) == true_run_hash


def test_a_tampered_file_stops_the_day_and_restore_brings_identical_bytes(
    played: PlayedWorld, true_run_hash: str
) -> None:
    run_steps(played, "export", "affiliates", "compute")
    day = ("--day", str(played.day))
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "winners_merkle.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"tree":["0x', b'"tree":["0X', 1))
    assert path.read_bytes() != good
    for command in (("settle",), ("approve", *day)):
        refusal = refused(played, *command, code="artifact_tampered", exit_code=EXIT_FAILED)
        assert str(path) in refusal.message
        assert f"`bo-engine artifacts restore --day {played.day}`" in refusal.message
    checked = played.cli("artifacts", "check", *day, "--json")
    assert checked.code == EXIT_FAILED
    states = json.loads(checked.stdout)["files"]
    assert {name for name, state in states.items() if state != "ok"} == {"winners_merkle.json"}

    before = fingerprint(played)
    assert played.cli("artifacts", "restore", *day).code == EXIT_DONE
    assert before.differences(fingerprint(played)) == [f"file artifacts/dayId={played.day}/winners_merkle.json"]
    assert path.read_bytes() == good
    (outcome,) = json.loads(played.cli("settle", "--json").stdout)["days"]
    assert (outcome["run_status"], outcome["run_hash"]) == ("committed", true_run_hash)


def test_a_missing_file_is_written_again_and_a_link_in_its_place_is_refused(played: PlayedWorld) -> None:
    run_steps(played, "export", "affiliates", "compute")
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "inputs.json"
    good = path.read_bytes()
    path.unlink()
    assert played.cli("compute", "--day", str(played.day)).code == EXIT_DONE
    assert path.read_bytes() == good

    target = played.folder / "not-ours.json"
    target.write_text("somebody else's file")
    path.unlink()
    path.symlink_to(target)
    refused(played, "settle", code="artifact_tampered", exit_code=EXIT_FAILED)
    assert played.cli("artifacts", "restore", "--day", str(played.day)).code == EXIT_DONE
    assert (path.is_symlink(), path.read_bytes(), target.read_text()) == (False, good, "somebody else's file")


def test_restoring_a_day_without_files_is_refused(played: PlayedWorld) -> None:
    day = ("--day", str(played.day))
    refusal = refused(played, "artifacts", "restore", *day, code="nothing_stored", exit_code=EXIT_FAILED)
    assert "export it first" in refusal.message


def test_a_read_only_folder_for_the_files_is_refused_before_anything_is_written(played: PlayedWorld) -> None:
    # Mode bits, and no more: root could write all the same, and must not.
    folder = Path(played.env["ARTIFACTS_DIR"])
    folder.mkdir()
    folder.chmod(0o555)
    for command in (("settle",), ("settle", "--json"), ("export-inputs", "--day", str(played.day))):
        refusal = refused(played, *command, code="artifacts_not_writable", exit_code=EXIT_USAGE)
        assert str(folder) in refusal.message
        assert "ARTIFACTS_DIR" in refusal.message
    folder.chmod(0o755)


def test_a_read_only_folder_of_the_day_is_refused(played: PlayedWorld) -> None:
    run_steps(played, "export")
    folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"
    folder.chmod(0o555)
    for command in (("settle",), ("artifacts", "restore", "--day", str(played.day))):
        refusal = refused(played, *command, code="artifacts_not_writable", exit_code=EXIT_USAGE)
        assert str(folder) in refusal.message
    folder.chmod(0o755)


@pytest.mark.parametrize("kind", ["a file", "a dangling link", "below a file"])
def test_what_is_no_folder_takes_no_files(played: PlayedWorld, kind: str) -> None:
    place = Path(played.env["ARTIFACTS_DIR"])
    if kind == "a dangling link":
        place.symlink_to(played.folder / "nowhere")
    else:
        place.write_text("x")
    chosen = place / "deeper" if kind == "below a file" else place
    refusal = refused(played, "settle", code="artifacts_not_writable", exit_code=EXIT_USAGE, ARTIFACTS_DIR=str(chosen))
    assert str(place) in refusal.message
