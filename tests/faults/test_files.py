"""Files that are cut short, changed, lost, linked or written by two: whole or not at all, and back byte for byte
(faults F02 to F06, I12)."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from tests.invariants.checker import check_invariants
from tests.support.observed import run_steps
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

pytestmark = pytest.mark.world
NAME = "inputs.json"


def folder_of(played: PlayedWorld) -> Path:
    """Where the first day's files lie."""
    return Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"


def bytes_of(played: PlayedWorld) -> dict[str, bytes]:
    """All files of the first day."""
    return {path.name: path.read_bytes() for path in folder_of(played).iterdir()}


def day_of(played: PlayedWorld) -> tuple[str, str]:
    """The flag that names the first day."""
    return ("--day", str(played.day))


def checked(played: PlayedWorld) -> dict[str, str]:
    """What `artifacts check` says of the files that are not ok."""
    done = played.cli("artifacts", "check", *day_of(played), "--json")
    states: dict[str, str] = json.loads(done.stdout)["files"]
    odd = {name: state for name, state in states.items() if state != "ok"}
    assert done.code == (EXIT_FAILED if odd else EXIT_DONE)
    return odd


def started(
    played: PlayedWorld, *arguments: str, before: Callable[[], None] | None = None
) -> "subprocess.Popen[bytes]":
    """The command line in a fresh process, without waiting for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        env=played.command_env(),
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=before,
    )


# -- F02 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [9_000, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_after_half_a_file_leaves_no_half_file_and_the_next_tick_finishes(
    played: PlayedWorld, limit: int
) -> None:
    # The kernel refuses to write beyond the limit, wherever in a file that is: as a full disk does.
    process = started(
        played, "settle", before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    )
    _, err = process.communicate(timeout=100)
    assert process.returncode == EXIT_LATER, err
    assert err.decode().splitlines()[-1].startswith("bo-engine: disk_full: no space left for ")
    present = bytes_of(played)
    assert all(len(data) <= limit for data in present.values())
    assert set(checked(played).values()) == {"missing"}
    assert played.settle_through().status == "DONE"
    assert all(bytes_of(played)[name] == data for name, data in present.items())
    assert not [name for name in bytes_of(played) if name.startswith(".")]
    check_invariants(played)


# -- F03, F04 ------------------------------------------------------------------------------------------------------


def test_every_tampered_file_is_named_and_restored_to_identical_bytes(played: PlayedWorld) -> None:
    played.settle_through()
    files = bytes_of(played)
    for name, data in files.items():
        (folder_of(played) / name).write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        assert checked(played) == {name: "changed"}
        assert played.cli("artifacts", "restore", *day_of(played)).code == EXIT_DONE
        assert bytes_of(played) == files
    assert checked(played) == {}
    check_invariants(played)


@pytest.mark.slow
def test_a_deleted_day_comes_back_from_the_database_with_the_checksums_it_had(played: PlayedWorld) -> None:
    played.settle_through()
    files = bytes_of(played)
    shutil.rmtree(folder_of(played))
    assert set(checked(played).values()) == {"missing"}
    assert played.cli("artifacts", "restore", *day_of(played)).code == EXIT_DONE
    assert bytes_of(played) == files
    check_invariants(played)


# -- F05 -----------------------------------------------------------------------------------------------------------


def put_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def put_hard_link(path: Path, outside: Path) -> None:
    path.hardlink_to(outside)


def put_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def put_device_link(path: Path, outside: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize(
    "put",
    [
        put_link,
        put_pipe,
        pytest.param(put_hard_link, marks=pytest.mark.slow),
        pytest.param(put_device_link, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_what_stands_in_the_place_of_a_file_is_refused_and_restore_replaces_it_alone(
    played: PlayedWorld, put: Callable[[Path, Path], None]
) -> None:
    run_steps(played, "export", "affiliates", "compute")
    files = bytes_of(played)
    outside = played.folder / "not-ours.json"
    outside.write_text("somebody else's file")
    path = folder_of(played) / NAME
    path.unlink()
    put(path, outside)
    refusal = refused(played, "settle", code="artifact_tampered", exit_code=EXIT_FAILED)
    assert f"bo-engine artifacts restore {' '.join(day_of(played))}" in refusal.message
    assert checked(played) == {NAME: "changed"}
    assert played.cli("artifacts", "restore", *day_of(played)).code == EXIT_DONE
    assert (bytes_of(played), path.is_symlink()) == (files, False)
    assert outside.read_text() == "somebody else's file"
    outside.unlink()
    assert played.settle_through().status == "DONE"
    check_invariants(played)


@pytest.mark.slow
def test_a_symlink_as_the_day_folder_is_refused_and_nothing_is_read_written_or_removed_through_it(
    played: PlayedWorld,
) -> None:
    run_steps(played, "export", "affiliates", "compute")
    outside = played.folder / "elsewhere"
    folder_of(played).rename(outside)
    folder_of(played).symlink_to(outside)
    inside = {path: path.read_bytes() for path in outside.iterdir()}
    refusal = refused(played, "settle", code="artifact_tampered", exit_code=EXIT_FAILED)
    assert "is no folder: remove it" in refusal.message
    assert set(checked(played).values()) == {"changed"}
    refused(played, "artifacts", "restore", *day_of(played), code="artifact_tampered", exit_code=EXIT_FAILED)
    # The repair of tickets takes the copies of input files off the disk: ours, never somebody else's.
    assert played.cli("db", "rebuild-tickets", *day_of(played)).code == EXIT_DONE
    assert {path: path.read_bytes() for path in outside.iterdir()} == inside
    folder_of(played).unlink()
    assert played.settle_through().status == "DONE"
    shutil.rmtree(outside)
    check_invariants(played)


@pytest.mark.slow
def test_a_folder_in_the_place_of_a_file_is_named_with_the_way_out(played: PlayedWorld) -> None:
    run_steps(played, "export", "affiliates", "compute")
    files = bytes_of(played)
    path = folder_of(played) / NAME
    path.unlink()
    path.mkdir()
    (path / "precious").write_text("a person's")
    refusal = refused(played, "settle", code="artifact_tampered", exit_code=EXIT_FAILED)
    assert "a folder is to be removed by hand" in refusal.message
    assert checked(played) == {NAME: "changed"}
    advice = json.loads(played.cli("doctor", *day_of(played), "--json").stdout)
    assert f"{NAME} changed" in advice["files"]
    refusal = refused(played, "artifacts", "restore", *day_of(played), code="artifact_tampered", exit_code=EXIT_FAILED)
    assert f"{path} is a folder: look who made it, remove it" in refusal.message
    shutil.rmtree(path)
    assert played.cli("artifacts", "restore", *day_of(played)).code == EXIT_DONE
    assert bytes_of(played) == files
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_a_day_folder_that_others_may_write_to_is_refused_until_it_is_ours_again(played: PlayedWorld) -> None:
    folder_of(played).mkdir(parents=True)
    folder_of(played).chmod(0o777)
    done = played.cli("settle")
    assert done.code == EXIT_USAGE
    assert "bo-engine: artifacts_exposed: others may change what is in" in done.stderr
    assert f"`chmod 755 {folder_of(played)}`" in done.stderr
    assert bytes_of(played) == {}
    folder_of(played).chmod(0o755)
    assert played.settle_through().status == "DONE"
    check_invariants(played)


# -- F06 -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_that_restore_the_same_day_leave_its_bytes_or_one_of_them_waits(played: PlayedWorld) -> None:
    played.settle_through()
    files = bytes_of(played)
    for path in folder_of(played).iterdir():
        path.write_bytes(b"changed")
    both = [started(played, "artifacts", "restore", *day_of(played)) for _ in range(2)]
    codes = sorted(process.wait(timeout=60) for process in both)
    for process in both:
        process.communicate()
    assert codes in ([EXIT_DONE, EXIT_DONE], [EXIT_DONE, EXIT_LATER])
    assert bytes_of(played) == files
    check_invariants(played)


WRITER = """
import sys, time
from pathlib import Path
from bo_engine.errors import EngineError
from io_layer.lottery.artifact_files import write_artifact

def slowly(piece):
    for _ in range(40):
        yield piece
        time.sleep(0.002)

for turn in range(12):
    try:
        write_artifact(Path(sys.argv[1]), turn, "inputs.json", slowly(sys.argv[2].encode() * 3_000))
    except EngineError as error:
        print(error.code)
"""


@pytest.mark.parametrize("pieces", ["aa", "ab"], ids=["the same bytes", "other bytes"])
def test_two_processes_that_write_the_same_file_agree_or_the_later_one_is_refused(tmp_path: Path, pieces: str) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), piece], stdout=subprocess.PIPE, text=True)
        for piece in pieces
    ]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert all(process.returncode == 0 for process in both)
    refusals = said[0] + said[1]
    assert refusals == ([] if pieces == "aa" else ["artifact_tampered"] * 12)
    for turn in range(12):
        (file,) = (tmp_path / f"dayId={turn}").iterdir()
        assert file.read_bytes() in (pieces[0].encode() * 120_000, pieces[1].encode() * 120_000)
