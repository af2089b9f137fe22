"""Rule 5.3: reading dumps. A dump from outside is hostile until its own root has been rebuilt."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, hex_of
from merkle.leaf import leaf_hash
from merkle.load import load_dump, load_payout_dump
from merkle.standard_v1 import PAYOUT_ENCODING, build_payout_tree, dump_tree
from merkle.tree import build_tree
from tests.support.days import quick, wallet

VECTORS = Path(__file__).parents[1] / "vectors"
REFERENCE = (VECTORS / "standard-v1-reference-dump.json").read_text()
CASES = json.loads((VECTORS / "malformed-dumps.json").read_text())["cases"]
DOMAIN = Hash32(b"\x77" * 32)
PAYOUTS = [(wallet(number), number * 10) for number in range(1, 8)]
GOOD = b"".join(dump_tree(DOMAIN, 20_000, PAYOUTS))


def refused(data: bytes | str, encoding: tuple[str, ...] = PAYOUT_ENCODING) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load_dump(data, encoding)
    assert caught.value.code == "bad_dump"
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 250
    return caught.value


def test_the_reference_dump_loads_and_its_root_is_rebuilt() -> None:
    loaded = load_dump(REFERENCE, ["string"])
    assert hex_of(loaded.tree.root) == "0x6deb52b5da8fd108f79fab00341f38d2587896634c646ee52e49f845680a70c8"
    assert [item.value for item in loaded.values] == [("a",), ("b",), ("c",), ("d",), ("e",), ("f",)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_known_hostile_dump_meets_its_expectation(case: dict[str, str]) -> None:
    if case["expect"] == "accept":
        load_dump(case["document"], ["string"])
    else:
        assert case["expect"].startswith("refuse")
        refused(case["document"], ("string",))


def test_our_own_dump_loads_with_its_payouts() -> None:
    tree, payouts = load_payout_dump(GOOD, DOMAIN, 20_000)
    assert list(payouts) == PAYOUTS
    assert tree == build_payout_tree(DOMAIN, 20_000, PAYOUTS)


def test_the_empty_document_is_the_empty_tree() -> None:
    tree, payouts = load_payout_dump(b'{"tree": [], "values": []}', DOMAIN, 20_000)
    assert (tree.leaf_count, payouts) == (0, ())


def _set_value(position: int, text: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["values"][2]["value"][position] = text

    return change


def _hide_a_leaf(document: Any) -> None:
    document["values"].pop()


def _list_a_leaf_twice(document: Any) -> None:
    document["values"].append(copy.deepcopy(document["values"][0]))


def _swap_indexes(document: Any) -> None:
    one, two = document["values"][:2]
    one["treeIndex"], two["treeIndex"] = two["treeIndex"], one["treeIndex"]


def _swap_leaves(document: Any) -> None:
    """Two leaves trade places: the nodes above stay right, the library's order does not."""
    first, second = len(document["tree"]) - 2, len(document["tree"]) - 1
    nodes = document["tree"]
    nodes[first], nodes[second] = nodes[second], nodes[first]
    for item in document["values"]:
        item["treeIndex"] = {first: second, second: first}.get(item["treeIndex"], item["treeIndex"])


def _index(value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["values"][0]["treeIndex"] = value

    return change


def _top(key: str, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document[key] = value

    return change


HOSTILE = {
    "a hidden leaf": _hide_a_leaf,
    "a leaf listed twice": _list_a_leaf_twice,
    "indexes swapped": _swap_indexes,
    "leaves in another order": _swap_leaves,
    "index true": _index(True),
    "index null": _index(None),
    "index of an inner node": _index(0),
    "index far outside": _index(10**30),
    "index as a list": _index([6]),
    "amount as a number": _set_value(3, 30),
    "amount with a sign": _set_value(3, "+30"),
    "amount with a leading zero": _set_value(3, "030"),
    "amount too large": _set_value(3, str(2**256)),
    "amount as text": _set_value(3, "thirty"),
    "amount changed": _set_value(3, "31"),
    "wallet in upper case": _set_value(2, "0x" + wallet(3)[2:].upper().replace("3", "A")),
    "wallet too short": _set_value(2, "0x03"),
    "wallet null": _set_value(2, None),
    "domain too short": _set_value(0, "0x77"),
    "day fractional": _set_value(1, "20000.0"),
    "another format": _top("format", "standard-v2"),
    "another leaf encoding": _top("leafEncoding", ["bytes32", "uint256", "address", "uint128"]),
    "leaf encoding as text": _top("leafEncoding", "bytes32"),
    "tree as an object": _top("tree", {}),
    "tree null": _top("tree", None),
    "values as text": _top("values", "abc"),
    "a field of its own": _top("note", "hello"),
    "a node as a number": lambda document: document["tree"].__setitem__(3, 7),
    "a value without index": lambda document: document["values"][0].pop("treeIndex"),
    "a value with more": lambda document: document["values"][0].__setitem__("hash", "0x"),
    "a value too long": lambda document: document["values"][0]["value"].append("1"),
    "a value that is text": lambda document: document["values"].__setitem__(0, "value"),
    "a value that is null": lambda document: document["values"].__setitem__(0, None),
    "tree emptied, values kept": _top("tree", []),
    "values emptied, tree kept": _top("values", []),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_dump_spoiled_in_one_place_is_refused(name: str) -> None:
    document = json.loads(GOOD)
    HOSTILE[name](document)
    refused(json.dumps(document))


def test_a_second_spelling_of_a_wallet_or_a_domain_is_refused() -> None:
    """Both name the same leaf; taken, one wallet could be listed as two."""
    holder, domain = wallet(0xABCDEF), Hash32(b"\xab" * 32)
    data = b"".join(dump_tree(domain, 20_000, [(holder, 30)])).decode()
    load_dump(data, PAYOUT_ENCODING)
    for text in (holder, hex_of(domain)):
        shouted = "0x" + text[2:].upper()
        assert data.count(text) == 1
        assert "is not lower case" in refused(data.replace(text, shouted)).message


def test_the_librarys_own_example_of_addresses_and_amounts_has_its_root() -> None:
    """Addresses and amounts: the first example in the documentation of OpenZeppelin's merkle-tree."""
    encoding = ("address", "uint256")
    values = [("0x" + "11" * 20, 5 * 10**18), ("0x" + "22" * 20, 25 * 10**17)]
    leaves = [Hash32(keccak256(keccak256(encode(encoding, value)))) for value in values]
    tree = build_tree(leaves)
    assert hex_of(tree.root) == "0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    nodes = [hex_of(tree.nodes[at : at + 32]) for at in range(0, len(tree.nodes), 32)]
    document = {
        "format": "standard-v1",
        "leafEncoding": list(encoding),
        "tree": nodes,
        "values": [
            {"value": [holder, str(amount)], "treeIndex": nodes.index(hex_of(leaf))}
            for (holder, amount), leaf in zip(values, leaves, strict=True)
        ],
    }
    loaded = load_dump(json.dumps(document), encoding)
    assert (loaded.tree, loaded.values[0].value) == (tree, ("0x" + "11" * 20, "5000000000000000000"))
    text = json.dumps(document)
    refused(text.replace('"5000000000000000000"', '"5000000000000000001"'), encoding)
    refused(text.replace("0x" + "11" * 20, "0x" + "33" * 20), encoding)


def test_hashes_as_values_make_leaves_too() -> None:
    value = "0x" + "ab" * 32
    leaf = Hash32(keccak256(keccak256(encode(["bytes32"], [bytes.fromhex("ab" * 32)]))))
    listed = [{"value": [value], "treeIndex": 0}]
    document = {"format": "standard-v1", "leafEncoding": ["bytes32"], "tree": [hex_of(leaf)], "values": listed}
    assert load_dump(json.dumps(document), ["bytes32"]).tree.root == leaf
    listed[0]["value"] = ["0x" + "ac" * 32]
    refused(json.dumps(document), ("bytes32",))


def test_true_is_no_index_even_where_the_leaf_stands_at_1() -> None:
    document = json.loads(b"".join(dump_tree(DOMAIN, 20_000, PAYOUTS[:2])))
    for item in document["values"]:
        item["treeIndex"] = True if item["treeIndex"] == 1 else item["treeIndex"]
    refused(json.dumps(document))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"7",
        b'"text"',
        b"\xef\xbb\xbf" + GOOD,
        GOOD + b"x",
        GOOD[:-1],
        b'{"tree":[],"tree":[],"values":[]}',
        b'{"tree":[],"values":[],"format":"standard-v1"}',
        b'{"tree":[],"values":[null]}',
        b'{"tree":' + b"[" * 100_000,
        b'{"tree":' + b"9" * 10_000 + b"}",
        b'{"tree":[],"values":Infinity}',
        b'{"tree":[],"values":1.5}',
        GOOD.replace(b'"treeIndex":6', b'"treeIndex":6.0'),
        GOOD.replace(b'"treeIndex":6', b'"treeIndex":6e0'),
    ],
)
def test_bytes_that_are_no_strict_dump_are_refused(data: bytes) -> None:
    refused(data)


def test_a_lone_surrogate_in_a_value_is_refused_without_a_crash() -> None:
    refused(REFERENCE.replace('["a"]', '["\\ud800"]'), ("string",))


def test_an_oversize_dump_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        load_dump(b"[" * 101, PAYOUT_ENCODING, max_bytes=100)
    load_dump(GOOD, PAYOUT_ENCODING, max_bytes=len(GOOD))
    with pytest.raises(InvalidInput, match="larger than"):
        load_dump(GOOD, PAYOUT_ENCODING, max_bytes=len(GOOD) - 1)


def test_an_unknown_leaf_type_is_refused() -> None:
    spoiled = REFERENCE.replace('["string"]', '["int8"]')
    refused(spoiled, ("int8",))


def test_a_dump_of_another_vault_or_day_is_refused() -> None:
    for domain, day in ((Hash32(b"\x78" * 32), 20_000), (DOMAIN, 20_001)):
        with pytest.raises(InvalidInput, match="bad_dump"):
            load_payout_dump(GOOD, domain, day)


def test_a_wallet_with_two_amounts_or_nothing_is_refused() -> None:
    # Both make sound trees; as payouts they are impossible.
    twice = _dump_of([(wallet(1), "5"), (wallet(1), "6")])
    nothing = _dump_of([(wallet(1), "0")])
    for data, message in ((twice, "listed twice"), (nothing, "nothing to claim")):
        with pytest.raises(InvalidInput, match=message):
            load_payout_dump(data, DOMAIN, 20_000)


def _dump_of(rows: list[tuple[str, str]]) -> str:
    """A sound standard-v1 dump of any rows, made without our writer's checks."""
    leaves = [leaf_hash(DOMAIN, 20_000, owner, int(amount)) for owner, amount in rows]  # type: ignore[arg-type]
    tree = build_tree(leaves)
    values = [
        {"value": [hex_of(DOMAIN), "20000", owner, amount], "treeIndex": tree.tree_index_of(leaf)}
        for (owner, amount), leaf in zip(rows, leaves, strict=True)
    ]
    nodes = [hex_of(tree.node(index)) for index in range(2 * len(rows) - 1)]
    return json.dumps({"format": "standard-v1", "leafEncoding": list(PAYOUT_ENCODING), "tree": nodes, "values": values})


@quick
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_changed_byte_passes_unseen(place: int, byte: int) -> None:
    spoiled = bytearray(GOOD)
    spoiled[place] = byte
    try:
        _, payouts = load_payout_dump(bytes(spoiled), DOMAIN, 20_000)
    except InvalidInput as error:
        assert error.code == "bad_dump"
    else:
        assert list(payouts) == PAYOUTS


@quick
@given(st.binary(max_size=200))
def test_no_bytes_make_the_loader_crash(data: bytes) -> None:
    try:
        load_dump(data, PAYOUT_ENCODING)
    except InvalidInput as error:
        assert error.code == "bad_dump"
