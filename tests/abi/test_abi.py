"""The artifacts load, and revert data reads in words."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

import abi
from bo_engine.keccak import keccak256


def revert_data(signature: str, types: list[str], values: list[object]) -> bytes:
    return keccak256(signature.encode())[:4] + encode(types, values)


@pytest.mark.parametrize("name", abi.CONTRACT_NAMES)
def test_every_artifact_loads_with_code_and_abi(name: str) -> None:
    artifact = abi.load(name)
    assert artifact.name == name
    assert artifact.abi
    has_code = bool(bytes.fromhex(artifact.bytecode.removeprefix("0x")))
    assert has_code == (name not in ("IERC20", "IERC20Metadata"))  # an interface has none


@pytest.mark.parametrize("name", ["build", "../pyproject", "Nothing", ""])
def test_no_other_name_loads(name: str) -> None:
    with pytest.raises(KeyError):
        abi.load(name)


def test_custom_errors_read_with_the_names_of_their_arguments() -> None:
    data = revert_data("NotNextDay(uint256,uint256)", ["uint256", "uint256"], [7, 6])
    assert abi.decode_error(data) == "NotNextDay(dayId=7, nextDay=6)"
    assert abi.decode_error(keccak256(b"BadSignature()")[:4]) == "BadSignature()"
    root = revert_data("RootTotalMismatch(bytes32,uint256)", ["bytes32", "uint256"], [b"\1" * 32, 5])
    assert abi.decode_error(root) == f"RootTotalMismatch(root=0x{'01' * 32}, total=5)"


def test_soliditys_own_errors_read_too() -> None:
    assert abi.decode_error(revert_data("Error(string)", ["string"], ["too late"])) == "Error(too late)"
    assert abi.decode_error(revert_data("Panic(uint256)", ["uint256"], [0x11])) == "Panic(arithmetic overflow)"
    assert abi.decode_error(revert_data("Panic(uint256)", ["uint256"], [0x99])) == "Panic(0x99)"


@given(data=st.binary(max_size=100))
def test_hostile_bytes_never_fail(data: bytes) -> None:
    abi.decode_error(data)
    for signature in (b"NotNextDay(uint256,uint256)", b"Error(string)"):
        assert abi.decode_error(keccak256(signature)[:4] + data) is not None


def test_unknown_bytes_say_nothing() -> None:
    assert abi.decode_error(b"") is None
    assert abi.decode_error(b"\0\0\0") is None
    assert abi.decode_error(b"\xde\xad\xbe\xef") is None
