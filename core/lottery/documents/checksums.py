"""checksums.json: the sha256 of the six deterministic files (rule 4.7)."""

from collections.abc import Iterator, Mapping
from typing import Final

from bo_engine.errors import require_input
from bo_engine.units import DayId, Hash32, hex_of
from core.lottery.documents.canonical import render_object

SCHEMA: Final = "bo-engine/checksums/1"
DETERMINISTIC_FILES: Final = (
    "inputs.json",
    "affiliates.json",
    "settlement_result.json",
    "winners_merkle.json",
    "affiliate_merkle.json",
    "commit_bundle.json",
)


def render_checksums(*, day_id: DayId, sha256s: Mapping[str, Hash32]) -> Iterator[bytes]:
    """Yield checksums.json. Raises: InvalidInput ``bad_checksums`` unless exactly the six files are named."""
    odd = set(DETERMINISTIC_FILES).symmetric_difference(sha256s)
    require_input(not odd, "bad_checksums", f"missing or unknown: {', '.join(sorted(odd))}")
    files = {name: hex_of(digest) for name, digest in sha256s.items()}
    return render_object({"schema": SCHEMA, "day_id": day_id, "files": files})
