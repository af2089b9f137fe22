"""A day's folder, read into values. Nothing in it is trusted, not even that a file is a file."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verifier.checking import CannotVerify, Differs
from verifier.documents import REQUIRED, SETTLED_FILES, VOIDED_FILE, read_document
from verifier.hashing import sha256
from verifier.strict_json import read_strict

MAX_ALL_BYTES = 2 * 2**30  # a million tickets of ten tips take about a third of it


@dataclass(frozen=True)
class Day:
    """The files of one day: bytes hashed, documents as values (``docs``) and the rulesets as JSON."""

    day_id: int
    sha256s: Mapping[str, bytes]
    docs: Mapping[str, Any]
    ruleset_json: Mapping[str, Any]
    problems: Mapping[str, str]  # by file: why it could not be read
    cache: dict[str, Any] = field(default_factory=dict)

    def doc(self, name: str) -> Any:
        """A file's document."""
        return self.docs[f"{name}.json"]


@dataclass(frozen=True)
class VoidedFolder:
    """The folder of a voided day."""

    day_id: int
    document: Any  # of voided.json; None if it cannot be read
    problem: str | None  # why not
    others: tuple[str, ...]  # files of a settlement that stand beside it


def read_folder(folder: Path) -> dict[str, bytes | str]:
    """The bytes of each file that is there, or why it cannot be read. Raises: CannotVerify."""
    if not folder.is_dir():
        raise CannotVerify(f"there is no folder {folder}; name the day's folder with --dir")
    left, files = MAX_ALL_BYTES, {}
    for name in (VOIDED_FILE, *SETTLED_FILES):
        found = _read_file(folder / name, left)
        if found is not None:
            files[name] = found
            left -= len(found)
    return files


def _read_file(path: Path, left: int) -> bytes | str | None:
    """The bytes; a text where it is no file. Raises: CannotVerify for more than is left, before any of it is read."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return "it is no regular file"
        if about.st_size > left:
            raise CannotVerify(
                f"{path.name} has {about.st_size} bytes: the files of a day have at most {MAX_ALL_BYTES} together, "
                "and nothing was checked; look whether this is the day's folder"
            )
        with path.open("rb") as file:
            return file.read(about.st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def read_day(day_id: int, files: Mapping[str, bytes | str]) -> Day:
    """The day that these files tell of. Never raises: what cannot be read stands in ``problems``."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, found in files.items():
        try:
            if isinstance(found, str):
                raise Differs(found)
            values[name] = read_strict(found)
        except Differs as error:
            problems[name] = str(error)
    problems.update({name: "it is not there" for name in REQUIRED if name not in files})
    docs: dict[str, Any] = {}
    for name, value in values.items():
        try:
            docs[name] = read_document(name, value)
        except Differs as error:
            problems[name] = str(error)
    return Day(
        day_id=day_id,
        sha256s={name: sha256(found) for name, found in files.items() if isinstance(found, bytes)},
        docs=docs,
        # The JSON, because its hash is taken of what stands in the file.
        ruleset_json=values["inputs.json"]["ruleset"] if "inputs.json" in docs else {},
        problems=problems,
    )


def read_voided(day_id: int, files: Mapping[str, bytes | str]) -> VoidedFolder:
    """The voided day that a folder with voided.json tells of. Never raises: what cannot be read is the ``problem``."""
    found, others = files[VOIDED_FILE], tuple(sorted(name for name in files if name != VOIDED_FILE))
    try:
        if isinstance(found, str):
            raise Differs(found)
        return VoidedFolder(day_id, read_document(VOIDED_FILE, read_strict(found)), None, others)
    except Differs as error:
        return VoidedFolder(day_id, None, str(error), others)
