"""Rule 5.3: writing dumps."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import Hash32, Wallet, hex_of
from merkle.leaf import leaf_hash
from merkle.load import load_payout_dump
from merkle.proof import verify_proof
from merkle.standard_v1 import ROWS_PER_CHUNK, build_payout_tree, dump_tree
from tests.support.days import quick, wallet

ROOT = Path(__file__).parents[2]
VECTOR = json.loads((ROOT / "tests/vectors/payouts-openzeppelin-js.json").read_text())
DOMAIN = Hash32(b"\x77" * 32)
payout_lists = st.dictionaries(st.integers(1, 2**160 - 1).map(wallet), st.integers(1, 2**256 - 1), max_size=25).map(
    lambda amounts: sorted(amounts.items())
)


def vector_payouts() -> list[tuple[Wallet, int]]:
    return [(Wallet(item["value"][2]), int(item["value"][3])) for item in VECTOR["dump"]["values"]]


def test_our_dump_is_the_one_that_openzeppelin_writes() -> None:
    domain = Hash32(bytes.fromhex(VECTOR["domain"][2:]))
    written = b"".join(dump_tree(domain, VECTOR["day_id"], vector_payouts()))
    assert written == rfc8785.dumps(VECTOR["dump"])


def test_our_proofs_are_those_of_openzeppelin() -> None:
    domain = Hash32(bytes.fromhex(VECTOR["domain"][2:]))
    tree = build_payout_tree(domain, VECTOR["day_id"], vector_payouts())
    assert hex_of(tree.root) == VECTOR["root"]
    for owner, amount in vector_payouts():
        leaf = leaf_hash(domain, VECTOR["day_id"], owner, amount)
        index = tree.tree_index_of(leaf)
        assert index is not None
        assert hex_of(leaf) == VECTOR["proofs"][owner]["leaf"]
        assert [hex_of(node) for node in tree.proof(index)] == VECTOR["proofs"][owner]["proof"]


@quick
@given(payout_lists, st.randoms(use_true_random=False))
def test_a_dump_is_canonical_json_in_wallet_order_and_loads_again(
    payouts: list[tuple[Wallet, int]], rng: random.Random
) -> None:
    shuffled = list(payouts)
    rng.shuffle(shuffled)
    data = b"".join(dump_tree(DOMAIN, 20_000, shuffled))
    assert data == rfc8785.dumps(json.loads(data))
    tree, loaded = load_payout_dump(data, DOMAIN, 20_000)
    assert list(loaded) == payouts
    assert tree == build_payout_tree(DOMAIN, 20_000, payouts)
    for owner, amount in payouts:
        leaf = leaf_hash(DOMAIN, 20_000, owner, amount)
        index = tree.tree_index_of(leaf)
        assert index is not None
        assert verify_proof(tree.root, leaf, tree.proof(index))


@pytest.mark.parametrize("count", [ROWS_PER_CHUNK // 2, ROWS_PER_CHUNK, ROWS_PER_CHUNK + 1])
def test_chunks_join_at_their_edges(count: int) -> None:
    payouts = [(wallet(number), number) for number in range(1, count + 1)]
    document = json.loads(b"".join(dump_tree(DOMAIN, 1, payouts)))
    assert len(document["tree"]) == 2 * count - 1
    assert [item["value"][2] for item in document["values"]] == [owner for owner, _ in payouts]


def test_no_payouts_are_the_empty_document() -> None:
    assert b"".join(dump_tree(DOMAIN, 1, [])) == b'{"tree":[],"values":[]}'


@pytest.mark.parametrize("amount", [0, -1, 2**256])
def test_an_amount_that_no_leaf_can_pay_is_refused(amount: int) -> None:
    with pytest.raises(InvalidInput, match="bad_amount"):
        dump_tree(DOMAIN, 1, [(wallet(1), amount)])


def test_a_wallet_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="duplicate_wallet"):
        dump_tree(DOMAIN, 1, [(wallet(1), 5), (wallet(2), 5), (wallet(1), 6)])


JS = """
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const tree = StandardMerkleTree.load(JSON.parse(require("fs").readFileSync(0, "utf8")));
tree.validate();
const proofs = Object.fromEntries([...tree.entries()].map(([i, v]) => [v[2], tree.getProof(i)]));
console.log(JSON.stringify({ root: tree.root, proofs }));
"""


def test_openzeppelin_loads_our_dump_and_finds_the_same_root_and_proofs() -> None:
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    modules = ROOT / "contracts"
    assert node is not None, "there is no Node: run `make setup`"
    payouts = [(wallet(number * 7919), number**9) for number in range(1, 30)]
    data = b"".join(dump_tree(DOMAIN, 20_000, payouts))
    run = subprocess.run([node, "-e", JS], input=data, capture_output=True, cwd=modules, timeout=60, check=True)
    answer = json.loads(run.stdout)
    tree = build_payout_tree(DOMAIN, 20_000, payouts)
    assert answer["root"] == hex_of(tree.root)
    for owner, amount in payouts:
        index = tree.tree_index_of(leaf_hash(DOMAIN, 20_000, owner, amount))
        assert index is not None
        assert answer["proofs"][owner] == [hex_of(node) for node in tree.proof(index)]
