import hashlib

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvariantBroken
from bo_engine.keccak import check_keccak, keccak256


def test_known_digests_of_ethereum_come_out() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"transfer(address,uint256)").hex().startswith("a9059cbb")


@given(st.binary(max_size=500))
def test_both_libraries_give_the_same_digest(data: bytes) -> None:
    assert keccak256(data) == keccak.new(data=data, digest_bits=256).digest()


def of_long_inputs_only(data: bytes) -> object:
    """Right for nothing, wrong for 64 bytes."""
    return hashlib.sha3_256(data) if data else keccak.new(data=data, digest_bits=256)


@pytest.mark.parametrize(("wrong", "length"), [(hashlib.sha3_256, 0), (hashlib.blake2s, 0), (of_long_inputs_only, 64)])
def test_another_hash_is_no_backend(monkeypatch: pytest.MonkeyPatch, wrong: object, length: int) -> None:
    check_keccak()
    monkeypatch.setattr("bo_engine.keccak.keccak_256", wrong)
    with pytest.raises(InvariantBroken, match=f"wrong_backend: .* for {length} bytes"):
        check_keccak()
