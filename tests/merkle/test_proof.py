"""Rule 5.4."""

from hypothesis import given
from hypothesis import strategies as st

from bo_engine.keccak import keccak256
from bo_engine.units import Hash32
from merkle.proof import verify_proof
from merkle.tree import build_tree
from tests.support.days import quick

LEAVES = [Hash32(keccak256(bytes([number]))) for number in range(11)]
TREE = build_tree(LEAVES)
INDEX = TREE.leaf_count + 3
PROOF = TREE.proof(INDEX)


@quick
@given(st.integers(0, len(PROOF) - 1), st.integers(0, 31), st.integers(1, 255))
def test_any_changed_byte_of_a_proof_breaks_it(sibling: int, place: int, change: int) -> None:
    spoiled = bytearray(PROOF[sibling])
    spoiled[place] ^= change
    assert not verify_proof(TREE.root, TREE.node(INDEX), [*PROOF[:sibling], bytes(spoiled), *PROOF[sibling + 1 :]])


def test_a_shorter_longer_or_turned_proof_is_none() -> None:
    leaf = TREE.node(INDEX)
    assert verify_proof(TREE.root, leaf, PROOF)
    assert not verify_proof(TREE.root, leaf, PROOF[:-1])
    assert not verify_proof(TREE.root, leaf, [*PROOF, PROOF[0]])
    assert not verify_proof(TREE.root, leaf, PROOF[::-1])


def test_an_inner_node_passes_only_as_hash_never_as_a_claim() -> None:
    # verify_proof() knows hashes only: an inner node folds to the root too. That no claim can present one is the work
    # of the double hash: 64 bytes hashed once are never what 128 bytes hashed twice give.
    inner = keccak256(b"".join(sorted((TREE.node(3), TREE.node(4)))))
    assert inner == TREE.node(1)
    assert verify_proof(TREE.root, inner, [TREE.node(2)])
    assert keccak256(keccak256(b"".join(sorted((TREE.node(3), TREE.node(4)))))) != inner


def test_values_of_other_lengths_are_no_proof_and_no_crash() -> None:
    leaf = TREE.node(INDEX)
    assert verify_proof(TREE.root, leaf, [*PROOF[:-1], PROOF[-1][:31]]) is False
    assert verify_proof(TREE.root, leaf[:31], PROOF) is False
    assert verify_proof(b"", leaf, PROOF) is False
    assert verify_proof(b"", b"", []) is False
    assert not verify_proof(TREE.root, leaf, [b"", *PROOF])
