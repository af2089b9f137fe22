"""Checking a proof, apart from the code that made it (rule 5.4)."""

from collections.abc import Sequence

from bo_engine.keccak import keccak256


def verify_proof(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Fold the proof from the leaf up, as OpenZeppelin's ``MerkleProof`` does, and compare with the root.

    A root, leaf or sibling that is not 32 bytes long is simply no proof: False, never an exception.
    """
    if len(leaf) != 32:
        return False
    node = bytes(leaf)
    for sibling in proof:
        if len(sibling) != 32:
            return False
        node = keccak256(b"".join(sorted((node, bytes(sibling)))))
    return node == root
