"""Reading ``standard-v1`` dumps (rule 5.3). A dump from outside is hostile until its own root has been rebuilt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError

from bo_engine.errors import EngineError, InvalidInput, require_input
from bo_engine.keccak import keccak256
from bo_engine.strict_json import parse_json
from bo_engine.units import Atoms, Hash32, Wallet, parse_atoms, parse_hash32, parse_wallet
from merkle.leaf import leaf_hash
from merkle.standard_v1 import EMPTY_DUMP, FORMAT, PAYOUT_ENCODING
from merkle.tree import MerkleTree, build_tree

MAX_DUMP_BYTES: Final = 512 * 2**20  # about a million leaves
MAX_DEPTH: Final = 8  # a dump nests four deep
_KEYS: Final = {"format", "leafEncoding", "tree", "values"}


@dataclass(frozen=True, slots=True)
class LoadedValue:
    """One listed value and the place of its leaf in the tree."""

    value: tuple[str, ...]
    tree_index: int


@dataclass(frozen=True, slots=True)
class LoadedTree:
    """A dump whose every node has been recomputed from its values."""

    tree: MerkleTree
    values: tuple[LoadedValue, ...]


def load_dump(data: bytes | str, leaf_encoding: Sequence[str], *, max_bytes: int = MAX_DUMP_BYTES) -> LoadedTree:
    """Load a dump whose leaves have the expected encoding: ``PAYOUT_ENCODING``, or text and static words.

    The document ``{"tree":[],"values":[]}`` is the empty tree. Everything else must be complete: each value a string,
    each leaf listed exactly once, leaves in the library's order, each node the hash of its children.
    Raises: InvalidInput ``bad_dump`` for anything else.
    """
    document = _parse(data, max_bytes)
    if document == json.loads(EMPTY_DUMP):
        return LoadedTree(MerkleTree(b""), ())
    _require(document.get("format") == FORMAT, f"the format is not {FORMAT}")
    _require(document.get("leafEncoding") == list(leaf_encoding), f"the leaf encoding is not {list(leaf_encoding)}")
    _require(set(document) == _KEYS, f"the fields are not {sorted(_KEYS)}")
    nodes = _parse_nodes(document["tree"])
    values = tuple(_parse_value(item, len(leaf_encoding)) for item in _list(document["values"], "values"))
    _require(len(nodes) == 2 * len(values) - 1, f"{len(values)} values do not make a tree of {len(nodes)} nodes")
    try:
        leaves = [_leaf_of(item.value, leaf_encoding) for item in values]
        rebuilt = build_tree(leaves)
    except (EngineError, EncodingError, ValueError, TypeError, OverflowError) as error:
        raise InvalidInput("bad_dump", f"a value does not make a leaf: {error}") from error
    _require(rebuilt.nodes == b"".join(nodes), "a node is not what the values give")
    for position, (item, leaf) in enumerate(zip(values, leaves, strict=True)):
        stands_there = len(values) - 1 <= item.tree_index < len(nodes) and nodes[item.tree_index] == leaf
        _require(stands_there, f"value {position} does not stand at index {item.tree_index}")
    return LoadedTree(rebuilt, values)


def load_payout_dump(
    data: bytes | str, domain: Hash32, day_id: int, *, max_bytes: int = MAX_DUMP_BYTES
) -> tuple[MerkleTree, tuple[tuple[Wallet, Atoms], ...]]:
    """Load a dump of one vault's one day; return the tree and its payouts by wallet.

    Raises: InvalidInput ``bad_dump``, also for a foreign domain or day, a wallet listed twice or an amount of zero.
    """
    loaded = load_dump(data, PAYOUT_ENCODING, max_bytes=max_bytes)
    payouts = {}
    for item in loaded.values:
        domain_hex, day, wallet, amount = item.value
        _require(domain_hex == "0x" + domain.hex(), f"{wallet} has a leaf of another vault or chain")
        _require(day == str(day_id), f"{wallet} has a leaf of day {day}, not {day_id}")
        _require(wallet not in payouts, f"{wallet} is listed twice")
        _require(amount != "0", f"{wallet} is listed with nothing to claim")
        payouts[Wallet(wallet)] = Atoms(int(amount))
    return loaded.tree, tuple(sorted(payouts.items()))


def _require(holds: bool, message: str) -> None:
    require_input(holds, "bad_dump", message)


def _parse(data: bytes | str, max_bytes: int) -> dict[str, object]:
    _require(len(data) <= max_bytes, f"the dump is larger than {max_bytes} bytes")
    try:
        document = parse_json(data, max_depth=MAX_DEPTH, parse_float=_refuse_number)
    except ValueError as error:
        raise InvalidInput("bad_dump", f"not strict JSON: {str(error)[:120]}") from error
    _require(isinstance(document, dict), "the dump is not a JSON object")
    checked: dict[str, object] = document
    return checked


def _refuse_number(text: str) -> object:
    raise ValueError(f"the number {text[:20]} is not a whole one")


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise InvalidInput("bad_dump", f"{name} is not a list")
    return value


def _parse_nodes(value: object) -> list[bytes]:
    try:
        return [parse_hash32(node) for node in _list(value, "tree")]
    except InvalidInput as error:
        raise InvalidInput("bad_dump", f"a node is no hash: {error.message}") from error


def _parse_value(item: object, width: int) -> LoadedValue:
    if not isinstance(item, dict) or set(item) != {"value", "treeIndex"}:
        raise InvalidInput("bad_dump", "an entry of values is not {value, treeIndex}")
    value, index = _list(item["value"], "value"), item["treeIndex"]
    # type(), because a bool is an int to isinstance().
    if type(index) is not int:
        raise InvalidInput("bad_dump", f"treeIndex is not a whole number: {str(index)[:40]!r}")
    texts = tuple(part for part in value if isinstance(part, str))
    _require(len(value) == width and len(texts) == width, f"a value is not {width} strings")
    return LoadedValue(texts, index)


def _leaf_of(value: tuple[str, ...], leaf_encoding: Sequence[str]) -> Hash32:
    if tuple(leaf_encoding) == PAYOUT_ENCODING:
        domain, day, wallet, amount = value
        # Two spellings of one wallet would be two values of one leaf.
        require_input(domain == domain.lower() and wallet == wallet.lower(), "bad_dump", f"{wallet} is not lower case")
        return leaf_hash(parse_hash32(domain), parse_atoms(day), parse_wallet(wallet), parse_atoms(amount))
    typed = [_typed(kind, part) for kind, part in zip(leaf_encoding, value, strict=True)]
    return Hash32(keccak256(keccak256(encode(list(leaf_encoding), typed))))


def _typed(kind: str, text: str) -> object:
    if kind == "string":
        return text
    if kind == "address":
        return parse_wallet(text)
    if kind == "bytes32":
        return parse_hash32(text)
    require_input(kind == "uint256", "bad_dump", f"leaves of type {kind} are not known here")
    return parse_atoms(text)
