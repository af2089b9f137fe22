"""The addresses of contracts that do not exist yet (core/deployment/creations.py)."""

import pytest

from bo_engine.errors import InvalidInput
from bo_engine.units import parse_wallet
from core.deployment.creations import CREATIONS, create_address, creation_addresses

DEPLOYER = parse_wallet("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")


def test_the_addresses_of_a_deployer_are_those_that_ethereum_gave_it() -> None:
    # A well-known account of the main chain and what it created first; nonces of more bytes: tests/contracts.
    assert [create_address(DEPLOYER, nonce) for nonce in range(4)] == [
        "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
        "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91",
        "0xfffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c",
    ]


def test_each_contract_has_the_address_of_its_place() -> None:
    expected = [create_address(DEPLOYER, 5 + place) for place in range(len(CREATIONS))]
    assert list(creation_addresses(DEPLOYER, 5).values()) == expected


def test_a_negative_nonce_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        create_address(DEPLOYER, -1)
    assert refusal.value.code == "bad_nonce"
