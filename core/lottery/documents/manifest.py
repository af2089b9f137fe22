"""manifest.json: which files a day has, with the SETTLER's signature below it (docs/artifacts.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import require_input
from bo_engine.units import DayId, Hash32, Wallet, hex_of
from core.lottery.documents.canonical import render_object
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from core.lottery.documents.parts import contracts_json
from core.lottery.model import Deployment

SCHEMA: Final = "bo-engine/manifest/1"
#: In front of what is signed. With EIP-191's own prefix it can be neither a transaction nor a permit.
TITLE: Final = b"BO-ENGINE/MANIFEST/1\n"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A day's files by their sha256; ``files`` names exactly the deterministic ones."""

    day_id: DayId
    deployment: Deployment
    files: Mapping[str, Hash32]
    signer: Wallet

    def fields(self) -> dict[str, object]:
        """What is signed. Raises: InvalidInput ``bad_manifest``."""
        complete = set(self.files) == set(DETERMINISTIC_FILES) and all(len(one) == 32 for one in self.files.values())
        require_input(complete, "bad_manifest", f"a manifest names the six files of day {self.day_id} and no other")
        return {
            "schema": SCHEMA,
            "day_id": self.day_id,
            "chain_id": self.deployment.chain_id,
            "contracts": contracts_json(self.deployment),
            "run_hash": hex_of(self.files["commit_bundle.json"]),
            "files": {name: hex_of(digest) for name, digest in self.files.items()},
            "signer": self.signer,
        }


def manifest_message(manifest: Manifest) -> bytes:
    """The text that the SETTLER signs by EIP-191."""
    return TITLE + b"".join(render_object(manifest.fields()))


def render_manifest(manifest: Manifest, signature: bytes) -> Iterator[bytes]:
    """The file's bytes."""
    return render_object({**manifest.fields(), "signature": "0x" + signature.hex()})
