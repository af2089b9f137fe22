"""Files on disk: copies of what the database holds. A file appears whole or not at all, and never over another one."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NoReturn

from bo_engine.errors import InvalidInput, Unavailable, UsageError
from bo_engine.units import DayId, Hash32
from io_layer.files.folder_sync import sync_folder

_TEMP_PREFIX: Final = ".writing-"
_NO_FILE: Final = Hash32(b"")  # what stands for a symlink, a pipe or a device: no bytes hash to it
# ENOSPC and EDQUOT of a full disk, EFBIG of a limit set for the process.
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def day_folder(artifacts_dir: Path, day_id: DayId) -> Path:
    """Where the files of a day lie."""
    return artifacts_dir / f"dayId={day_id}"


def write_artifact(
    artifacts_dir: Path, day_id: DayId, name: str, chunks: Iterable[bytes], *, force: bool = False
) -> Hash32:
    """Write one file of a day and return its sha256. The same bytes again leave the file as it is.

    The bytes go to a temporary file in the same folder, to the disk, and only then under their name; a kill leaves the
    old state, and at most a temporary file, which the next write removes. ``force`` (restore) replaces other bytes and
    whatever else stands in the way, but for a folder, which only a person may remove.
    Raises: InvalidInput ``artifact_tampered`` (other bytes or no plain file stand there), UsageError
    ``artifacts_not_writable``, ``artifacts_exposed``, Unavailable ``disk_full``.
    """
    folder = day_folder(artifacts_dir, day_id)
    try:
        with _open_folder(folder, day_id) as folder_fd:
            return _write(folder_fd, folder, day_id, name, chunks, force=force)
    except OSError as error:
        _raise_for(error, folder)


def sha256_stored(artifacts_dir: Path, day_id: DayId, name: str) -> Hash32 | None:
    """sha256 of a day's file, read in pieces; None if there is none. No symlink is followed, also not as the folder.

    Raises: InvalidInput ``artifact_tampered`` for a symlink or anything else that is no plain file.
    """
    folder = day_folder(artifacts_dir, day_id)
    try:
        with _existing_folder(folder, day_id) as folder_fd:
            found = _digest_at(folder_fd, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError("artifacts_not_readable", f"{folder / name} cannot be read: {error.strerror}") from error
    if found == _NO_FILE:
        raise InvalidInput(
            "artifact_tampered",
            f"{folder / name} is no plain file: look who put it there; a folder is to be removed by hand; then "
            f"`bo-engine artifacts restore --day {day_id}`",
        )
    return found


def remove_copy(artifacts_dir: Path, day_id: DayId, name: str, sha256: Hash32) -> bool:
    """Take a file off the disk if it holds exactly these bytes; whether it was there."""
    try:
        with _existing_folder(day_folder(artifacts_dir, day_id), day_id) as folder_fd:
            if _digest_at(folder_fd, name) == sha256:
                os.unlink(name, dir_fd=folder_fd)
                return True
    except (OSError, InvalidInput):
        pass  # whatever stands there is none of ours: the next write says so
    return False


def remove_leftovers(artifacts_dir: Path, day_id: DayId) -> None:
    """Remove the temporary files of killed writers from a day's folder; those of living ones stay.

    A writer that was killed after its file had its name leaves a second name for it, which no later write would remove.
    """
    try:
        fd = os.open(day_folder(artifacts_dir, day_id), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # no folder yet, or something else in its place: the next write says so
    try:
        _remove_leftovers(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _open_folder(folder: Path, day_id: DayId) -> Iterator[int]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)  # also under the umask 0 that some services start with
        sync_folder(folder.parent)
    with _existing_folder(folder, day_id) as fd:
        _require_own(fd, folder)
        yield fd


@contextlib.contextmanager
def _existing_folder(folder: Path, day_id: DayId) -> Iterator[int]:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise InvalidInput(
                "artifact_tampered",
                f"{folder} is no folder: remove it, then bo-engine artifacts restore --day {day_id}",
            ) from error
        raise
    try:
        yield fd
    finally:
        os.close(fd)


def _require_own(fd: int, folder: Path) -> None:
    """What others may write to, they may exchange between our look and our write."""
    found = os.fstat(fd)
    # The owner of ARTIFACTS_DIR is trusted too: some file systems give every file one owner.
    is_ours = found.st_uid in (0, os.geteuid(), folder.parent.stat().st_uid)
    if not is_ours or found.st_mode & stat.S_IWOTH:
        raise UsageError(
            "artifacts_exposed",
            f"others may change what is in {folder}: look who made it so, then give it to the engine's user "
            f"(`chown`), and `chmod 755 {folder}`",
        )


def _write(folder_fd: int, folder: Path, day_id: DayId, name: str, chunks: Iterable[bytes], *, force: bool) -> Hash32:
    _remove_leftovers(folder_fd, name)
    temp = f"{_TEMP_PREFIX}{os.getpid()}-{name}"
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder_fd)
    try:
        digest = hashlib.sha256()
        with os.fdopen(fd, "wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        sha256 = Hash32(digest.digest())
        present = _digest_at(folder_fd, name)
        if present == sha256:
            os.unlink(temp, dir_fd=folder_fd)
            return sha256
        if present is not None and not force:
            raise _tampered(folder / name, day_id)
        if present is None and not force:
            # link() refuses an existing name, so a writer that came between loses nothing.
            try:
                os.link(temp, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd, follow_symlinks=False)
            except FileExistsError:
                if _digest_at(folder_fd, name) != sha256:
                    raise _tampered(folder / name, day_id) from None
            os.unlink(temp, dir_fd=folder_fd)
        else:
            try:
                os.rename(temp, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
            except IsADirectoryError as error:
                raise InvalidInput(
                    "artifact_tampered",
                    f"{folder / name} is a folder: look who made it, remove it, then bo-engine artifacts restore "
                    f"--day {day_id}",
                ) from error
        os.fsync(folder_fd)
        return sha256
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp, dir_fd=folder_fd)
        raise


def _tampered(path: Path, day_id: DayId) -> InvalidInput:
    return InvalidInput(
        "artifact_tampered",
        f"{path} holds other bytes than the database, or is no plain file: bo-engine artifacts restore --day {day_id}",
    )


def _digest_at(folder_fd: int, name: str) -> Hash32 | None:
    """sha256 of what stands under the name; None for nothing; ``_NO_FILE`` for anything but a plain file."""
    try:
        # Looked at before it is opened: to open a device is to use it already.
        if not stat.S_ISREG(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode):
            return _NO_FILE
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return _NO_FILE
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return _NO_FILE
    return _digest_of(fd)


def _digest_of(fd: int) -> Hash32:
    with os.fdopen(fd, "rb") as file:
        return Hash32(hashlib.file_digest(file, "sha256").digest())


def _remove_leftovers(folder_fd: int, name: str = "") -> None:
    """Of killed writers of one name, or of all. A living one still needs its own: it may be restoring the same day."""
    for entry in os.listdir(folder_fd):
        pid, _, written = entry.removeprefix(_TEMP_PREFIX).partition("-")
        is_leftover = entry.startswith(_TEMP_PREFIX) and name in ("", written)
        if is_leftover and not (pid.isdecimal() and _is_another(int(pid))):
            with contextlib.suppress(OSError):
                os.unlink(entry, dir_fd=folder_fd)


def _is_another(pid: int) -> bool:
    """Whether a living process other than this one has that number."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _raise_for(error: OSError, folder: Path) -> NoReturn:
    if error.errno in _NO_SPACE:
        raise Unavailable("disk_full", f"no space left for {folder}: free some and run the command again") from error
    raise UsageError(
        "artifacts_not_writable", f"{folder} cannot be written ({error.strerror}): check ARTIFACTS_DIR and its owner"
    ) from error
