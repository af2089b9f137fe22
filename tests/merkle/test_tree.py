"""Rules 5.2 and 5.4."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import ZERO_HASH, Hash32
from merkle.proof import verify_proof
from merkle.tree import MerkleTree, build_tree, check_nodes
from tests.support.days import quick

leaf_sets = st.sets(st.binary(min_size=32, max_size=32).map(Hash32), max_size=40)


def recursive_root(nodes: bytes, index: int = 0) -> bytes:
    """The root by recursion from the leaves, apart from the tree's own loop."""
    left, right = 2 * index + 1, 2 * index + 2
    if 32 * left >= len(nodes):
        return nodes[32 * index : 32 * index + 32]
    return keccak256(b"".join(sorted((recursive_root(nodes, left), recursive_root(nodes, right)))))


def some_leaves(count: int) -> list[Hash32]:
    return [Hash32(keccak256(bytes([number]))) for number in range(count)]


@pytest.mark.parametrize("count", range(1, 40))
def test_every_leaf_of_every_small_tree_has_a_proof_that_verifies(count: int) -> None:
    leaves = some_leaves(count)
    tree = build_tree(leaves)
    assert tree.leaf_count == count
    assert tree.root == recursive_root(tree.nodes)
    for leaf in leaves:
        index = tree.tree_index_of(leaf)
        assert index is not None
        assert tree.node(index) == leaf
        proof = tree.proof(index)
        assert verify_proof(tree.root, leaf, proof)
        assert (count - 1).bit_length() - 1 <= len(proof) <= (count - 1).bit_length()


@quick
@given(leaf_sets, st.randoms(use_true_random=False))
def test_the_order_of_leaves_never_matters(leaves: set[Hash32], rng: random.Random) -> None:
    one, two = sorted(leaves), sorted(leaves)
    rng.shuffle(one)
    rng.shuffle(two)
    assert build_tree(one) == build_tree(two)


@quick
@given(leaf_sets.filter(bool), st.binary(min_size=32, max_size=32).map(Hash32))
def test_a_stranger_has_no_place_and_no_proof(leaves: set[Hash32], stranger: Hash32) -> None:
    tree = build_tree(list(leaves))
    if stranger in leaves:
        return
    assert tree.tree_index_of(stranger) is None
    for index in range(tree.leaf_count - 1, 2 * tree.leaf_count - 1):
        assert not verify_proof(tree.root, stranger, tree.proof(index))


def test_the_empty_tree_has_the_zero_root_and_no_leaf() -> None:
    tree = build_tree([])
    assert (tree.root, tree.leaf_count, tree.nodes) == (ZERO_HASH, 0, b"")
    assert tree.tree_index_of(ZERO_HASH) is None
    check_nodes(tree)
    with pytest.raises(InvalidInput, match="no_leaf"):
        tree.proof(0)


def test_a_single_leaf_is_its_own_root_with_an_empty_proof() -> None:
    [leaf] = some_leaves(1)
    tree = build_tree([leaf])
    assert (tree.root, tree.proof(0)) == (leaf, ())


def test_the_same_leaf_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="duplicate_leaf"):
        build_tree([*some_leaves(5), *some_leaves(1)])


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_leaf_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput, match="bad_leaf"):
        build_tree([*some_leaves(2), Hash32(bytes(length))])


@pytest.mark.parametrize("length", [1, 31, 33, 64, 128])
def test_bytes_that_are_no_packed_tree_are_refused(length: int) -> None:
    with pytest.raises(InvalidInput, match="bad_tree"):
        MerkleTree(bytes(length))


@pytest.mark.parametrize("index", [-1, 0, 5, 13, 10**9])
def test_inner_nodes_and_places_outside_have_no_proof(index: int) -> None:
    with pytest.raises(InvalidInput, match="no_leaf"):
        build_tree(some_leaves(7)).proof(index)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_a_stored_tree_is_recomputed_and_any_flipped_bit_is_found(count: int) -> None:
    tree = build_tree(some_leaves(count))
    check_nodes(tree)
    for index in range(len(tree.nodes) // 32):
        spoiled = bytearray(tree.nodes)
        spoiled[32 * index + 9] ^= 1
        if count == 1:
            continue  # any single node is a tree of its own
        with pytest.raises(InvalidInput, match="bad_tree"):
            check_nodes(MerkleTree(bytes(spoiled)))
