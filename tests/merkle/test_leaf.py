"""Rule 5.1."""

from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, Wallet
from merkle.leaf import leaf_domain, leaf_hash
from tests.support.days import quick, wallet

wallets = st.integers(0, 2**160 - 1).map(wallet)
uints = st.integers(0, 2**256 - 1)


@quick
@given(st.integers(1, 2**63), wallets)
def test_a_domain_is_the_hash_of_tag_chain_and_vault(chain_id: int, vault: Wallet) -> None:
    encoded = encode(["bytes32", "uint256", "address"], [b"BO-ENGINE/LEAF/1", chain_id, vault])
    assert leaf_domain(chain_id, vault) == keccak256(encoded)


@quick
@given(st.binary(min_size=32, max_size=32).map(Hash32), uints, wallets, uints)
def test_a_leaf_is_the_double_hash_of_its_abi_encoding(domain: Hash32, day: int, owner: Wallet, amount: int) -> None:
    encoded = encode(["bytes32", "uint256", "address", "uint256"], [domain, day, owner, amount])
    assert leaf_hash(domain, day, owner, amount) == keccak256(keccak256(encoded))


def test_every_field_changes_the_leaf() -> None:
    domain, other = leaf_domain(1, wallet(1)), leaf_domain(2, wallet(1))
    leaves = {
        leaf_hash(domain, 7, wallet(5), 10),
        leaf_hash(other, 7, wallet(5), 10),
        leaf_hash(leaf_domain(1, wallet(2)), 7, wallet(5), 10),
        leaf_hash(domain, 8, wallet(5), 10),
        leaf_hash(domain, 7, wallet(6), 10),
        leaf_hash(domain, 7, wallet(5), 11),
    }
    assert len(leaves) == 6
