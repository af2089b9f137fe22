"""The contracts' ABI and bytecode, as `node contracts/build.js` wrote them, and their errors in words.

Data and pure functions only: nothing here talks to a chain.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.crypto import keccak

LOTTERY_NAMES: Final = (
    "AffiliateVault",
    "CharityVault",
    "ClaimRouter",
    "GameManager",
    "GameTreasury",
    "PrizeVault",
    "ReserveVault",
    "Roles",
    "SettlementV4",
    "TestCoordinator",
    "VRFReceiver",
)
SHARED_NAMES: Final = ("IERC20", "IERC20Metadata", "Multicall3", "TestUSDT")
CONTRACT_NAMES: Final = (*LOTTERY_NAMES, *SHARED_NAMES)

_IMMUTABLE_BYTES: Final = 32
_PANICS: Final = {0x01: "assertion failed", 0x11: "arithmetic overflow", 0x12: "division by zero", 0x32: "bad index"}


@dataclass(frozen=True, slots=True)
class ContractArtifact:
    """One compiled contract: ABI entries as Solidity's compiler gives them, creation code as 0x hex.

    ``runtime_sha256`` is of the code that the chain then holds, with zeros where the constructor writes immutables;
    each of ``immutables`` lists the places (32 bytes from there) of one of them.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    runtime_sha256: str
    immutables: tuple[tuple[int, ...], ...]


@cache
def load(name: str) -> ContractArtifact:
    """Return a contract's artifact.

    Raises: KeyError for a name that is not in ``CONTRACT_NAMES``.
    """
    if name not in CONTRACT_NAMES:
        raise KeyError(name)
    folder = "lottery" if name in LOTTERY_NAMES else "shared"
    document = json.loads(files("abi").joinpath(folder, f"{name}.json").read_text("utf-8"))
    return ContractArtifact(
        name=document["contractName"],
        abi=document["abi"],
        bytecode=document["bytecode"],
        runtime_sha256=document["runtime"]["sha256"],
        immutables=tuple(tuple(places) for places in document["runtime"]["immutables"]),
    )


def build_info() -> dict[str, Any]:
    """Return compiler version, settings, code sizes (bytes) and sha256 of every source that went in."""
    info: dict[str, Any] = json.loads(files("abi").joinpath("build.json").read_text("utf-8"))
    return info


def game_constants() -> dict[str, Any]:
    """Return the game constants that every deployment has, by their names in GameTreasury's ``constants()``.

    Whole numbers and lists of them. ``numberMax`` is not there: each deployment chooses it.
    """
    constants: dict[str, Any] = json.loads(files("abi").joinpath("lottery", "constants.json").read_text("utf-8"))
    return constants


def is_code_of(name: str, code: bytes) -> bool:
    """Whether these bytes are the runtime code of the contract with that name, whatever its constructor was given.

    Immutables are left out of the hash, because each deployment has its own; every place of one immutable must hold
    the same value, as the constructor writes it. What those values are is for the contract's own getters to say.
    """
    artifact = load(name)
    masked = bytearray(code)
    for places in artifact.immutables:
        if len({code[place : place + _IMMUTABLE_BYTES] for place in places}) != 1:
            return False
        for place in places:
            masked[place : place + _IMMUTABLE_BYTES] = bytes(_IMMUTABLE_BYTES)
    return hashlib.sha256(masked).hexdigest() == artifact.runtime_sha256


def decode_error(data: bytes) -> str | None:
    """Return revert data in words, as ``NotNextDay(dayId=7, nextDay=6)``; None if no error of ours is in it.

    Knows every custom error of every contract, and Solidity's own ``Error(string)`` and ``Panic(uint256)``. Bytes that
    carry a known selector but do not decode give the bare name, so that a hostile contract cannot make this fail.
    """
    found = _errors().get(bytes(data[:4]))
    if found is None:
        return None
    name, names, types = found
    try:
        values = decode(types, bytes(data[4:]))
    except Exception:  # whatever the decoder dislikes, the name is what can be said
        return name
    if name == "Panic":
        return f"Panic({_PANICS.get(values[0], hex(values[0]))})"
    return f"{name}({', '.join(_argument(n, v) for n, v in zip(names, values, strict=True))})"


def _argument(name: str, value: object) -> str:
    text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return f"{name}={text}" if name else text


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    known: dict[bytes, tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
    solidity = [
        {"name": "Error", "inputs": [{"name": "", "type": "string"}]},
        {"name": "Panic", "inputs": [{"name": "", "type": "uint256"}]},
    ]
    ours = [entry for name in CONTRACT_NAMES for entry in load(name).abi if entry["type"] == "error"]
    for entry in solidity + ours:
        types = tuple(str(field["type"]) for field in entry["inputs"])
        names = tuple(str(field["name"]) for field in entry["inputs"])
        selector = keccak(text=f"{entry['name']}({','.join(types)})")[:4]
        known[selector] = (str(entry["name"]), names, types)
    return known
