"""The complete binary tree of OpenZeppelin's StandardMerkleTree (rule 5.2).

Array layout: node 0 is the root, the children of node i are 2i+1 and 2i+2, and the n leaves fill the last n places in
descending order. The whole tree is one ``bytes`` of 32 * (2n - 1): stored as it is, and proofs are read from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bo_engine.errors import require_input
from bo_engine.keccak import keccak256
from bo_engine.units import ZERO_HASH, Hash32


@dataclass(frozen=True, slots=True)
class MerkleTree:
    """A tree over packed nodes, 32 bytes each; no nodes at all is the empty tree.

    Only the shape of ``nodes`` is checked here (InvalidInput ``bad_tree``); :func:`check_nodes` checks the hashes.
    """

    nodes: bytes

    def __post_init__(self) -> None:
        count, rest = divmod(len(self.nodes), 32)
        require_input(
            rest == 0 and (count == 0 or count % 2 == 1), "bad_tree", f"{len(self.nodes)} bytes are no packed tree"
        )

    @property
    def leaf_count(self) -> int:
        """How many leaves the tree has."""
        return (len(self.nodes) // 32 + 1) // 2

    @property
    def root(self) -> Hash32:
        """The root; ``ZERO_HASH`` for the empty tree."""
        return self.node(0) if self.nodes else ZERO_HASH

    def node(self, index: int) -> Hash32:
        """The node at an index of the array layout."""
        return Hash32(self.nodes[32 * index : 32 * index + 32])

    def tree_index_of(self, leaf: Hash32) -> int | None:
        """Where the leaf stands, by binary search; None if the tree has no such leaf."""
        low, high = self.leaf_count - 1, 2 * self.leaf_count - 2  # leaves descend from low to high
        while low <= high:
            middle = (low + high) // 2
            found = self.node(middle)
            if found == leaf:
                return middle
            if found > leaf:
                low = middle + 1
            else:
                high = middle - 1
        return None

    def proof(self, tree_index: int) -> tuple[Hash32, ...]:
        """The siblings from the leaf up to the root.

        Raises: InvalidInput ``no_leaf`` for an index that is no leaf's.
        """
        first_leaf = self.leaf_count - 1
        is_leaf = bool(self.nodes) and first_leaf <= tree_index <= 2 * first_leaf
        require_input(is_leaf, "no_leaf", f"node {tree_index} is not a leaf of a tree with {self.leaf_count} leaves")
        siblings = []
        while tree_index > 0:
            # Left children have odd indexes.
            siblings.append(self.node(tree_index + 1 if tree_index % 2 else tree_index - 1))
            tree_index = (tree_index - 1) // 2
        return tuple(siblings)


def build_tree(leaves: Sequence[Hash32]) -> MerkleTree:
    """Build the tree of the leaves, given in any order.

    No leaves give the empty tree, one leaf is its own root.
    Raises: InvalidInput ``bad_leaf`` (not 32 bytes), ``duplicate_leaf``.
    """
    if not leaves:
        return MerkleTree(b"")
    ordered = sorted(leaves, reverse=True)
    for position, leaf in enumerate(ordered):
        require_input(len(leaf) == 32, "bad_leaf", f"a leaf is 32 bytes, got {len(leaf)}")
        if position and leaf == ordered[position - 1]:
            require_input(False, "duplicate_leaf", f"the leaf 0x{leaf.hex()} stands twice")
    inner = len(ordered) - 1
    nodes: list[bytes] = [b""] * inner + [bytes(leaf) for leaf in ordered]
    for index in range(inner - 1, -1, -1):
        left, right = nodes[2 * index + 1], nodes[2 * index + 2]
        # Pairs are hashed in byte order, so a proof needs no left or right.
        nodes[index] = keccak256(left + right if left < right else right + left)
    return MerkleTree(b"".join(nodes))


def check_nodes(tree: MerkleTree) -> None:
    """Recompute every inner node of a tree that came from outside; leaves must descend strictly.

    Raises: InvalidInput ``bad_tree``, ``duplicate_leaf``.
    """
    leaves = [tree.node(index) for index in range(max(tree.leaf_count - 1, 0), len(tree.nodes) // 32)]
    require_input(build_tree(leaves).nodes == tree.nodes, "bad_tree", "a node is not the hash of its children")
