"""The files of a day are copies of what the database holds: gone or changed, they come back byte for byte (rule 4.7;
faults F03, F04, F06, I12)."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from bo_engine.errors import InvariantBroken
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from services.lottery.settlement.files.artifacts import artifact_states, mirror_artifacts, restore_artifacts
from tests.support.fingerprint import fingerprint
from tests.support.meddling import resume, veto
from tests.support.observed import files_of, halts
from tests.support.played_world import PlayedWorld

NAMES = {*DETERMINISTIC_FILES, "checksums.json", "manifest.json", "provenance.json"}


def folder_of(played: PlayedWorld) -> Path:
    """Where the first day's files lie."""
    return Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"


def bytes_of(played: PlayedWorld) -> dict[str, bytes]:
    """All files of the first day."""
    return {path.name: path.read_bytes() for path in folder_of(played).iterdir()}


def states(played: PlayedWorld) -> set[str]:
    """What a check says of the files."""
    with played.context() as context:
        return {state for _, state in artifact_states(context.conn, context.artifacts_dir, played.day)}


def test_a_lost_folder_comes_back_byte_for_byte(played: PlayedWorld) -> None:
    played.settle_through()
    files = bytes_of(played)
    assert set(files) == NAMES
    shutil.rmtree(folder_of(played))
    before = fingerprint(played)
    done = played.cli("artifacts", "restore", "--day", str(played.day), "--json")
    assert done.code == 0
    assert bytes_of(played) == files
    assert json.loads(done.stdout)["files"] == {
        name: "0x" + hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    changed = before.differences(fingerprint(played))
    assert all(name.startswith("file ") for name in changed)
    assert states(played) == {"ok"}


def test_changed_shortened_linked_and_foreign_files_are_set_right_and_the_rest_is_left(played: PlayedWorld) -> None:
    played.settle()
    files = bytes_of(played)
    folder = folder_of(played)
    (folder / "inputs.json").write_bytes(files["inputs.json"].replace(b"1", b"2", 1))
    (folder / "commit_bundle.json").write_bytes(files["commit_bundle.json"][:-1])
    (folder / "winners_merkle.json").unlink()
    (folder / "winners_merkle.json").symlink_to(folder / "inputs.json")
    (folder / "notes.txt").write_text("a person's")
    assert states(played) == {"ok", "changed"}
    for _ in range(2):
        with played.context() as context:
            restore_artifacts(context, played.day)
        assert bytes_of(played) == {**files, "notes.txt": b"a person's"}
    assert not (folder / "winners_merkle.json").is_symlink()
    assert states(played) == {"ok"}


def test_checksums_and_run_hash_are_what_sha256sum_prints(played: PlayedWorld) -> None:
    (outcome,) = played.settle()
    checksums = json.loads((folder_of(played) / "checksums.json").read_bytes())
    listed = {name: digest.removeprefix("0x") for name, digest in checksums["files"].items()}
    beside = ("checksums.json", "manifest.json")
    assert listed == {name: digest for name, digest in files_of(played).items() if name not in beside}
    assert outcome.run_hash == "0x" + listed["commit_bundle.json"]


def test_damaged_bytes_in_the_database_never_replace_a_good_file(played: PlayedWorld) -> None:
    played.settle()
    files = bytes_of(played)
    played.tamper("UPDATE settlement_artifact_chunks SET bytes = set_byte(bytes, 9, 90)")
    with played.context() as context, pytest.raises(InvariantBroken) as caught:
        restore_artifacts(context, played.day)
    assert caught.value.code == "files_differ"
    assert all("do not fit their sha256" in finding for finding in caught.value.findings if "bundle" not in finding)
    assert bytes_of(played) == files


def test_two_writers_of_the_same_day_leave_the_same_files(played: PlayedWorld) -> None:
    played.settle()
    files = bytes_of(played)
    shutil.rmtree(folder_of(played))
    with played.context() as one, played.context() as other:
        written = (mirror_artifacts(one, played.day), mirror_artifacts(other, played.day))
    assert (set(written[0]), written[1]) == (set(files), [])
    assert bytes_of(played) == files


def test_the_files_of_a_vetoed_run_give_way_to_those_of_the_next(played: PlayedWorld) -> None:
    played.settle()
    files = files_of(played)
    veto(played)
    halts(played, "vetoed")
    resume(played)
    played.settle()
    assert files_of(played) == files  # the same day gives the same bytes
    assert states(played) == {"ok"}
