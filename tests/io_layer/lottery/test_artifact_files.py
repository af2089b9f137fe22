"""Files on disk: whole or not at all, never through a symlink, never over other bytes."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bo_engine.errors import InvalidInput, Unavailable, UsageError
from io_layer.lottery.artifact_files import day_folder, sha256_stored, write_artifact
from tests.support.days import DAY

NAME = "inputs.json"


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in day_folder(root, DAY).iterdir())


def test_a_file_appears_under_its_day_with_its_digest(tmp_path: Path) -> None:
    digest = write_artifact(tmp_path / "artifacts", DAY, NAME, [b"ab", b"c"])
    path = tmp_path / "artifacts" / f"dayId={DAY}" / NAME
    assert path.read_bytes() == b"abc"
    assert digest == hashlib.sha256(b"abc").digest() == sha256_stored(tmp_path / "artifacts", DAY, NAME)
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()


def test_the_same_bytes_again_leave_the_file_alone(tmp_path: Path) -> None:
    write_artifact(tmp_path, DAY, NAME, [b"abc"])
    before = (day_folder(tmp_path, DAY) / NAME).stat()
    write_artifact(tmp_path, DAY, NAME, [b"abc"])
    assert (day_folder(tmp_path, DAY) / NAME).stat() == before
    assert names_in(tmp_path) == [NAME]


def test_a_tampered_file_is_named_with_the_way_out_and_restore_replaces_it(tmp_path: Path) -> None:
    write_artifact(tmp_path, DAY, NAME, [b"abc"])
    path = day_folder(tmp_path, DAY) / NAME
    path.write_bytes(b"forged")
    with pytest.raises(InvalidInput) as caught:
        write_artifact(tmp_path, DAY, NAME, [b"abc"])
    assert caught.value.code == "artifact_tampered"
    assert str(path) in caught.value.message
    assert f"bo-engine artifacts restore --day {DAY}" in caught.value.message
    assert path.read_bytes() == b"forged"
    assert names_in(tmp_path) == [NAME]
    write_artifact(tmp_path, DAY, NAME, [b"abc"], force=True)
    assert path.read_bytes() == b"abc"


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_symlink_in_the_way_is_refused_and_its_target_untouched(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    folder = day_folder(tmp_path, DAY)
    folder.mkdir()
    (folder / NAME).symlink_to(tmp_path / target)
    with pytest.raises(InvalidInput, match="artifact_tampered"):
        write_artifact(tmp_path, DAY, NAME, [b"abc"])
    write_artifact(tmp_path, DAY, NAME, [b"abc"], force=True)
    assert not (folder / NAME).is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert not (tmp_path / "missing").exists()


def test_a_symlink_instead_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    day_folder(tmp_path, DAY).symlink_to(tmp_path / "elsewhere")
    for force in (False, True):
        with pytest.raises(InvalidInput, match="artifact_tampered"):
            write_artifact(tmp_path, DAY, NAME, [b"abc"], force=force)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_symlink_is_not_followed_when_a_file_is_hashed(tmp_path: Path) -> None:
    assert sha256_stored(tmp_path, DAY, NAME) is None
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / NAME).write_bytes(b"abc")
    day_folder(tmp_path, DAY).symlink_to(tmp_path / "real")
    with pytest.raises(InvalidInput, match="artifact_tampered"):
        sha256_stored(tmp_path, DAY, NAME)
    day_folder(tmp_path, DAY).unlink()
    day_folder(tmp_path, DAY).mkdir()
    assert sha256_stored(tmp_path, DAY, NAME) is None
    (day_folder(tmp_path, DAY) / NAME).symlink_to(tmp_path / "real" / NAME)
    with pytest.raises(InvalidInput, match="artifact_tampered"):
        sha256_stored(tmp_path, DAY, NAME)


def test_a_pipe_in_the_way_is_refused_without_waiting(tmp_path: Path) -> None:
    day_folder(tmp_path, DAY).mkdir()
    os.mkfifo(day_folder(tmp_path, DAY) / NAME)
    with pytest.raises(InvalidInput, match="artifact_tampered"):
        write_artifact(tmp_path, DAY, NAME, [b"abc"])


def test_a_failing_source_leaves_no_file_and_no_leftover(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("source failed")

    with pytest.raises(ValueError, match="source failed"):
        write_artifact(tmp_path, DAY, NAME, broken())
    assert names_in(tmp_path) == []


def test_a_killed_writer_leaves_no_half_file_and_its_leftover_goes_with_the_next_write(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom io_layer.lottery.artifact_files import write_artifact\n"
        "def slow():\n    yield b'x' * 2_000_000\n    print('writing', flush=True)\n    time.sleep(60)\n"
        f"write_artifact(Path(sys.argv[1]), {DAY}, {NAME!r}, slow())\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    (leftover,) = names_in(tmp_path)
    assert leftover != NAME
    write_artifact(tmp_path, DAY, NAME, [b"abc"])
    assert names_in(tmp_path) == [NAME]


def test_a_folder_that_cannot_be_written_is_a_setting(tmp_path: Path) -> None:
    # A file where the folder should be refuses everybody; root would pass a mere permission bit.
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(UsageError, match="artifacts_not_writable"):
        write_artifact(tmp_path / "artifacts", DAY, NAME, [b"abc"])


def test_a_read_only_folder_is_a_setting() -> None:
    # Not in tmp_path, which is closed to others: here root has to become somebody else to be refused at all.
    root = Path(tempfile.mkdtemp())
    try:
        root.chmod(0o755)
        day_folder(root, DAY).mkdir(mode=0o555)
        child = os.fork()
        if child == 0:
            os._exit(_code_of_write(root))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        assert names_in(root) == []
    finally:
        shutil.rmtree(root)


def _code_of_write(root: Path) -> int:
    try:
        if os.geteuid() == 0:
            os.setegid(65_534)
            os.seteuid(65_534)
        write_artifact(root, DAY, NAME, [b"abc"])
    except UsageError as error:
        return 42 if error.code == "artifacts_not_writable" else 2
    except BaseException:  # the child must not run on as a second test process
        return 3
    return 0


def test_a_full_disk_is_tried_again_and_leaves_nothing(tmp_path: Path) -> None:
    def full() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")  # in the place of write(), which would say the same

    with pytest.raises(Unavailable, match="disk_full"):
        write_artifact(tmp_path, DAY, NAME, full())
    assert names_in(tmp_path) == []


def test_two_writers_of_the_same_bytes_both_succeed(tmp_path: Path) -> None:
    def slow() -> Iterator[bytes]:
        # The other writer finishes first, between our first look and our rename.
        (day_folder(tmp_path, DAY) / NAME).write_bytes(b"abc")
        yield b"abc"

    write_artifact(tmp_path, DAY, NAME, slow())
    assert names_in(tmp_path) == [NAME]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
