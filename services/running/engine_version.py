"""Which engine this is: its version, and a digest of the sources that settle a day."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bo_engine.errors import Unavailable

_SETTLING: Final = ("bo_engine", "abi", "merkle", "core", "io_layer", "services", "workers")
_KINDS: Final = frozenset({".py", ".sql", ".json"})


@cache
def engine_version() -> str:
    """`0.1.0+3f2a9c1177aa`. The number alone would not tell two checkouts of one version apart.

    Asked first when a run begins, so that files that are exchanged under it later do not change its name.
    Raises: Unavailable ``engine_changing``.
    """
    try:
        number = version("bo-engine")
    except PackageNotFoundError:
        number = "0"
    return f"{number}+{digest_of_sources(Path(__file__).resolve().parents[2])[:12]}"


def digest_of_sources(root: Path) -> str:
    """Names and contents of what settles a day. Raises: Unavailable ``engine_changing``."""
    digest = hashlib.sha256()
    for package in _SETTLING:
        for path in sorted((root / package).rglob("*")):
            # Hidden ones are an editor's: Emacs locks x.py with .#x.py, a link to nowhere.
            if path.suffix in _KINDS and not path.name.startswith("."):
                try:
                    content = path.read_bytes()
                except OSError as error:
                    raise Unavailable(
                        "engine_changing",
                        f"{path} cannot be read ({error.strerror}): the engine's files are being exchanged, or it is "
                        "not for this user; run the command again when that is over",
                    ) from error
                digest.update(str(path.relative_to(root)).encode() + b"\0" + content + b"\0")
    return digest.hexdigest()
