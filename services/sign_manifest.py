"""The SETTLER's signature below a day's files: manifest.json, signed once for a committed run and never anew."""

from typing import Final

from bo_engine.errors import UsageError, require_invariant
from core.documents.checksums import DETERMINISTIC_FILES
from core.documents.manifest import Manifest, render_manifest
from io_layer.artifact_store import put_artifact, select_artifact, select_digests
from io_layer.run_store import Run
from services.artifacts import MANIFEST
from services.engine import Engine
from services.lease import Lease
from services.send_transaction import checked_signer

SIGNED: Final = "signed"


def ensure_manifest(engine: Engine, lease: Lease, run: Run) -> str:
    """Sign the run's files once; ``signed``, or why they are not.

    The stored one stays, whatever key is loaded today. A run whose day needs no key any more (released by somebody
    else) does not wait for one: then the manifest is missing, and `bo-engine commit --day N` with the key in
    place brings it later. Made from the stored digests alone, and deterministic: a run killed here signs the same.
    Raises: InvariantBroken ``manifest_differs`` when the stored bundle is not the run's.
    """
    if select_artifact(engine.conn, run.day_id, run.run_id, MANIFEST) is not None:
        return SIGNED
    try:
        signer = checked_signer(engine)
    except UsageError as error:
        return f"not signed: {error.message}"
    stored = select_digests(engine.conn, run.day_id, run.run_id)
    files = {name: digest for name, digest in stored.items() if name in DETERMINISTIC_FILES}
    require_invariant(
        files.get("commit_bundle.json") == run.run_hash,
        "manifest_differs",
        f"the stored commit_bundle.json of day {run.day_id} is not that of its run {run.run_id}; nothing is signed",
    )
    manifest = Manifest(run.day_id, engine.game.deployment, files, signer.address)
    with lease.transaction():
        signature = signer.sign_manifest(manifest)
        put_artifact(engine.conn, run.day_id, run.run_id, MANIFEST, render_manifest(manifest, signature))
    return SIGNED
