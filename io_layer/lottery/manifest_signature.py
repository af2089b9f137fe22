"""The SETTLER's signature of a day's manifest: made, and recovered."""

from typing import Final

from bo_engine.errors import require_input
from bo_engine.units import Wallet
from core.lottery.documents.manifest import TITLE, Manifest, manifest_message
from io_layer.keys.signer import Signer, recovered_signer

#: What the SETTLER's key signs besides transactions.
TITLES: Final = (TITLE,)


def sign_manifest(signer: Signer, manifest: Manifest) -> bytes:
    """r, s and v of a day's manifest: deterministic (RFC 6979), so the same manifest gives the same bytes.

    Raises: InvalidInput ``signer_refused`` for one of another chain or signer, ``bad_manifest``.
    """
    is_ours = isinstance(manifest, Manifest) and manifest.deployment.chain_id == signer.chain_id
    require_input(
        is_ours and manifest.signer == signer.address,
        "signer_refused",
        "the engine's key does not sign anything but a manifest of its own chain in its own name",
    )
    return signer.sign_message(manifest_message(manifest))


def manifest_signer(manifest: Manifest, signature: bytes) -> Wallet:
    """Who has signed the manifest. Raises: ValueError as ``recovered_signer``."""
    return recovered_signer(manifest_message(manifest), signature)
