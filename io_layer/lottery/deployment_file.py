"""The deployment file (TOML, written by a person) and the record beside it (JSON, ours): the journal of a deployment.

The record is on the disk, name and bytes, before anything that it speaks of is sent.
"""

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvalidInput, Unavailable, UsageError
from bo_engine.strict_json import parse_json
from bo_engine.units import Hash32, Wallet, hex_of, parse_hash32, parse_wallet
from core.deployment.terms import DeployTerms, parse_terms, terms_document
from io_layer.contracts.creation import SignedCreation
from io_layer.files.folder_sync import sync_folder

SCHEMA: Final = "bo-engine/deployment/2"
_LONGEST: Final = 65_536
_BROKEN: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidInput)


@dataclass(frozen=True, slots=True)
class Record:
    """A deployment that was begun: what for, by whom, from which nonce on, and everything signed so far, by key."""

    terms: DeployTerms
    code_hash: Hash32  # of all creations: an engine whose contracts were rebuilt does not go on with it
    deployer: Wallet
    first_nonce: int
    planned_block: int  # a final block: by its hash the chain is known again
    block_hash: Hash32
    adopts: bool  # whether contracts stood already when the record was begun, so that the block tells nothing else
    signed: dict[str, list[SignedCreation]] = field(default_factory=dict)
    finished: dict[str, Any] | None = None


def read_terms(path: Path) -> DeployTerms:
    """The terms in a deployment file. Raises: UsageError ``unreadable_file``, ``bad_deployment_file``, .."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST:
            raise OSError
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError("unreadable_file", f"the deployment file {path} cannot be read") from None
    try:
        return parse_terms(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError("bad_deployment_file", f"{path} is no TOML: {error}") from None
    except InvalidInput as error:
        raise UsageError(error.code, f"{path}: {error.message}") from None


def record_path(terms_path: Path) -> Path:
    """Where the record of a deployment file stands: beside it, always, so that one file is one deployment."""
    return terms_path.with_name(terms_path.name + ".record.json")


def read_record(path: Path) -> Record | None:
    """The record; None if the deployment was not begun. Raises: UsageError ``bad_record``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise UsageError("bad_record", f"the deployment's record {path} cannot be read") from None
    try:
        return _parse(parse_json(text))
    except _BROKEN:
        raise UsageError(
            "bad_record",
            f"{path} is not the record of a deployment as it was written; restore it from a copy. Without it: move it "
            "away and give --first-nonce, then what stands on the chain is adopted",
        ) from None


def write_record(path: Path, record: Record) -> None:
    """Replace the record as a whole; afterwards it survives a loss of power. Raises: UsageError ``bad_record``."""
    beside = path.with_name(f".{path.name}.new")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(json.dumps(_document(record), indent=1) + "\n")
            file.flush()
            os.fsync(fd)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError("bad_record", f"{path} cannot be written ({error.strerror}): nothing more is sent") from error


@contextmanager
def held_terms(path: Path) -> Iterator[None]:
    """Nobody else works on this deployment file meanwhile. Raises: Unavailable ``deploy_running``."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable("deploy_running", f"another `contracts deploy` works on {path}") from None
        yield


def _document(record: Record) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "terms": terms_document(record.terms),
        "code_hash": hex_of(record.code_hash),
        "deployer": record.deployer,
        "first_nonce": record.first_nonce,
        "planned_block": record.planned_block,
        "block_hash": hex_of(record.block_hash),
        "adopts": record.adopts,
        "signed": {
            key: [
                {
                    "nonce": one.nonce,
                    "gas_limit": one.gas_limit,
                    "max_fee_per_gas": str(one.max_fee_per_gas),
                    "max_priority_fee": str(one.max_priority_fee),
                    "hash": hex_of(one.tx_hash),
                    "raw": hex_of(one.raw),
                }
                for one in attempts
            ]
            for key, attempts in record.signed.items()
        },
        "finished": record.finished,
    }


def _parse(document: Any) -> Record:
    if document["schema"] != SCHEMA:
        raise ValueError
    signed = {
        str(key): [
            SignedCreation(
                nonce=int(one["nonce"]),
                gas_limit=int(one["gas_limit"]),
                max_fee_per_gas=int(one["max_fee_per_gas"]),
                max_priority_fee=int(one["max_priority_fee"]),
                raw=bytes.fromhex(one["raw"].removeprefix("0x")),
                tx_hash=parse_hash32(one["hash"]),
            )
            for one in attempts
        ]
        for key, attempts in document["signed"].items()
    }
    return Record(
        terms=parse_terms(document["terms"]),
        code_hash=parse_hash32(document["code_hash"]),
        deployer=parse_wallet(document["deployer"]),
        first_nonce=int(document["first_nonce"]),
        planned_block=int(document["planned_block"]),
        block_hash=parse_hash32(document["block_hash"]),
        adopts=bool(document["adopts"]),
        signed=signed,
        finished=document["finished"],
    )
