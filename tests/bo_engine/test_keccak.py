from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.keccak import keccak256


def test_known_digests_of_ethereum_come_out() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"transfer(address,uint256)").hex().startswith("a9059cbb")


@given(st.binary(max_size=500))
def test_both_backends_give_the_same_digest(data: bytes) -> None:
    assert keccak256(data) == keccak.new(data=data, digest_bits=256).digest()
