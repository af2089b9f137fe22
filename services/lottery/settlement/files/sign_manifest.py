"""The SETTLER's signature below a day's files: manifest.json, signed once for a committed run and never anew."""

from collections.abc import Mapping
from typing import Final

from bo_engine.errors import UsageError
from bo_engine.units import Hash32
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from core.lottery.documents.manifest import Manifest, render_manifest
from io_layer.lottery.manifest_signature import sign_manifest
from io_layer.lottery.stores.artifacts import put_artifact, select_artifact
from io_layer.lottery.stores.runs import Run
from services.lottery.context import LotteryContext
from services.lottery.settlement.files.compare_files import MANIFEST, require_manifest
from services.transactions.send import checked_signer

SIGNED: Final = "signed"


def ensure_manifest(context: LotteryContext, run: Run, sha256s: Mapping[str, Hash32]) -> str:
    """Sign the run's files once; ``signed``, or why they are not.

    ``sha256s`` comes from ``require_files``: what is signed is what the rows and the bundle give, whatever is stored by
    now. The stored manifest stays, whatever key is loaded today. A run whose day needs no key any more (released by
    somebody else) does not wait for one: then the manifest is missing, and `bo-engine commit --day N` with the key in
    place brings it later. It is deterministic: a run killed here signs the same.
    Raises: InvariantBroken ``manifest_differs`` when the stored manifest names other files or is not the SETTLER's.
    """
    if select_artifact(context.conn, run.day_id, run.run_id, MANIFEST) is not None:
        require_manifest(context, run, sha256s)
        return SIGNED
    try:
        signer = checked_signer(context)
    except UsageError as error:
        return f"not signed: {error.message}"
    files = {name: sha256s[name] for name in DETERMINISTIC_FILES}
    manifest = Manifest(run.day_id, context.game.deployment, files, signer.address)
    with context.transaction():
        signature = sign_manifest(signer, manifest)
        put_artifact(context.conn, run.day_id, run.run_id, MANIFEST, render_manifest(manifest, signature))
    return SIGNED
