"""Writing ``standard-v1`` dumps that @openzeppelin/merkle-tree loads unchanged (rule 5.3)."""

from collections.abc import Iterator, Sequence
from typing import Final

from bo_engine.errors import require_input
from bo_engine.units import MAX_UINT256, Hash32, Wallet
from merkle.leaf import leaf_hash
from merkle.tree import MerkleTree, build_tree

FORMAT: Final = "standard-v1"
PAYOUT_ENCODING: Final = ("bytes32", "uint256", "address", "uint256")  # domain, day_id, wallet, amount
EMPTY_DUMP: Final = b'{"tree":[],"values":[]}'
ROWS_PER_CHUNK: Final = 4096


def payout_leaves(domain: Hash32, day_id: int, payouts: Sequence[tuple[Wallet, int]]) -> list[Hash32]:
    """The leaves of a day's payouts, in their order.

    Raises: InvalidInput ``duplicate_wallet``, ``bad_amount`` for an amount outside 1..2^256-1, ``bad_wallet``.
    """
    require_input(len({wallet for wallet, _ in payouts}) == len(payouts), "duplicate_wallet", "a wallet appears twice")
    for wallet, amount in payouts:
        require_input(0 < amount <= MAX_UINT256, "bad_amount", f"{wallet}: a leaf pays 1 to 2^256-1, got {amount}")
    return [leaf_hash(domain, day_id, wallet, amount) for wallet, amount in payouts]


def build_payout_tree(domain: Hash32, day_id: int, payouts: Sequence[tuple[Wallet, int]]) -> MerkleTree:
    """The tree of a day's payouts; the empty tree without any. Raises: as :func:`payout_leaves`."""
    return build_tree(payout_leaves(domain, day_id, payouts))


def dump_tree(domain: Hash32, day_id: int, payouts: Sequence[tuple[Wallet, int]]) -> Iterator[bytes]:
    """Yield the dump of a day's payouts as RFC 8785 JSON, in chunks; values in wallet order, whatever order came in.

    Without payouts the document is ``{"tree":[],"values":[]}``: the format itself knows no empty tree.
    Raises: as :func:`payout_leaves`, before the first chunk.
    """
    ordered = sorted(payouts)
    leaves = payout_leaves(domain, day_id, ordered)
    return _render(domain, day_id, ordered, leaves, build_tree(leaves)) if ordered else iter((EMPTY_DUMP,))


def _render(
    domain: Hash32, day_id: int, payouts: list[tuple[Wallet, int]], leaves: list[Hash32], tree: MerkleTree
) -> Iterator[bytes]:
    encoding = ",".join(f'"{name}"' for name in PAYOUT_ENCODING)
    yield f'{{"format":"{FORMAT}","leafEncoding":[{encoding}],"tree":['.encode()
    node_count = 2 * len(payouts) - 1
    for start in range(0, node_count, ROWS_PER_CHUNK):
        stop = min(start + ROWS_PER_CHUNK, node_count)
        rows = [f'"0x{tree.nodes[32 * index : 32 * index + 32].hex()}"' for index in range(start, stop)]
        yield (("," if start else "") + ",".join(rows)).encode()
    yield b'],"values":['
    # The leaves stand at the end of the array in descending order.
    descending = sorted(leaves, reverse=True)
    index_of = {leaf: len(payouts) - 1 + position for position, leaf in enumerate(descending)}
    head = f'"value":["0x{domain.hex()}","{day_id}","'
    for start in range(0, len(payouts), ROWS_PER_CHUNK):
        rows = [
            f'{{"treeIndex":{index_of[leaf]},{head}{wallet}","{amount}"]}}'
            for (wallet, amount), leaf in zip(
                payouts[start : start + ROWS_PER_CHUNK], leaves[start : start + ROWS_PER_CHUNK], strict=True
            )
        ]
        yield (("," if start else "") + ",".join(rows)).encode()
    yield b"]}"
