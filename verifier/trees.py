"""Leaves, trees and roots (rules 5.1 to 5.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.checking import require, require_equal
from verifier.hashing import ZERO_WORD, hex_of, keccak256, number_word, text_word, wallet_word


def leaf_domain(chain_id: int, vault: str) -> bytes:
    """No leaf fits another chain or vault."""
    return keccak256(text_word("BO-ENGINE/LEAF/1") + number_word(chain_id) + wallet_word(vault))


def leaf_of(domain: bytes, day_id: int, wallet: str, amount: int) -> bytes:
    """Hashed twice."""
    return keccak256(keccak256(domain + number_word(day_id) + wallet_word(wallet) + number_word(amount)))


def nodes_over(leaves: Sequence[bytes]) -> list[bytes]:
    """All nodes of the tree, root first; none without leaves."""
    count = len(leaves)
    nodes = [ZERO_WORD] * max(0, 2 * count - 1)
    for place, leaf in enumerate(sorted(leaves)):
        nodes[2 * count - 2 - place] = leaf
    for place in range(count - 2, -1, -1):
        nodes[place] = parent_of(nodes[2 * place + 1], nodes[2 * place + 2])
    return nodes


def parent_of(one: bytes, other: bytes) -> bytes:
    """keccak256 of the two, the smaller first."""
    return keccak256(min(one, other) + max(one, other))


def root_of(tree: Sequence[bytes]) -> bytes:
    """Node 0, or zero without leaves."""
    return tree[0] if tree else ZERO_WORD


def check_values(dump: Mapping[str, Any], payouts: Sequence[Mapping[str, Any]], domain: bytes, day_id: int) -> None:
    """The dump's values are the listed payouts, in their order, with this domain and day. Raises: Differs."""
    require_equal(len(dump["values"]), len(payouts), "leaves and listed payouts")
    for entry, payout in zip(dump["values"], payouts, strict=True):
        expected = [hex_of(domain), str(day_id), payout["wallet"], str(payout["amount"])]
        require_equal(entry["value"], expected, f"the leaf of {payout['wallet']}")


def check_nodes(dump: Mapping[str, Any]) -> None:
    """The tree is the one over the dump's own values, and each value says where its leaf is. Raises: Differs."""
    leaves = [_leaf_of(entry["value"]) for entry in dump["values"]]
    require(len(set(leaves)) == len(leaves), "a leaf stands twice")
    nodes = nodes_over(leaves)
    require_equal(len(dump["tree"]), len(nodes), f"nodes of a tree of {len(leaves)} leaves")
    for place, (found, expected) in enumerate(zip(dump["tree"], nodes, strict=True)):
        require(found == expected, f"node {place} is not what its leaves give")
    first_leaf = max(0, len(leaves) - 1)
    places = {node: place for place, node in enumerate(nodes[first_leaf:], start=first_leaf)}
    for entry, leaf in zip(dump["values"], leaves, strict=True):
        require_equal(entry["treeIndex"], places[leaf], f"treeIndex of {entry['value'][2]}")


def _leaf_of(value: Sequence[str]) -> bytes:
    """The leaf that a dump's value stands for; whatever is no leaf at all differs."""
    domain, day_id, wallet, amount = value
    numbers = all(text.isascii() and text.isdigit() and len(text) <= 78 for text in (day_id, amount))
    words = _is_hex(domain, 64) and _is_hex(wallet, 40)
    require(numbers and words and max(int(day_id), int(amount)) < 2**256, f"{value!r:.80} is no leaf")
    return leaf_of(bytes.fromhex(domain[2:]), int(day_id), wallet, int(amount))


def _is_hex(text: str, digits: int) -> bool:
    return text.startswith("0x") and len(text) == digits + 2 and not set(text[2:]) - set("0123456789abcdef")
