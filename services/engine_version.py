"""Which engine this is: its version, and a digest of the sources that settle a day."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_SETTLING: Final = ("bo_engine", "abi", "merkle", "core", "io_layer", "services", "workers")
_KINDS: Final = frozenset({".py", ".sql", ".json"})


@cache
def engine_version() -> str:
    """`0.1.0+3f2a9c1177aa`. The number alone would not tell two checkouts of one version apart.

    Asked first when a run begins, so that files that are exchanged under it later do not change its name.
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for package in _SETTLING:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in _KINDS:
                digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    try:
        number = version("bo-engine")
    except PackageNotFoundError:
        number = "0"
    return f"{number}+{digest.hexdigest()[:12]}"
