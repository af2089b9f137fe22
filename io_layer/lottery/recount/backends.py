"""Before gate G13 speaks: its two libraries give known answers, and they are not the engine's.

A second opinion that hashes and pairs with the engine's own libraries would repeat their errors and agree.
"""

from functools import cache
from typing import Final

from bo_engine.backends import Backends, libraries_of
from bo_engine.errors import require_invariant
from io_layer.lottery.recount.beacon import is_signed
from io_layer.lottery.recount.day import keccak256

_KNOWN_DIGESTS: Final = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    # The storage slot of key 0 in a Solidity mapping at slot 0.
    bytes(64): "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
}
# drand's network quicknet and its round 1000, as published.
_KNOWN_KEY: Final = bytes.fromhex(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
_KNOWN_ROUND: Final = 1000
_KNOWN_SIGNATURE: Final = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)


def require_second_backends(engine: Backends) -> None:
    """Refuse to recount unless keccak-256 and BLS12-381 are right here and come from other libraries than the engine's.

    ``engine``: what :func:`bo_engine.backends.libraries_of` saw at work in the engine. About 1 s, once per process.
    Raises: InvariantBroken ``wrong_backend``, ``same_backends``.
    """
    second = second_backends()
    for what, of_engine, of_recount in (
        ("keccak-256", engine.keccak, second.keccak),
        ("BLS12-381", engine.bls, second.bls),
    ):
        # Nothing seen at work is nothing known: then they may be the same.
        differ = of_engine and of_recount and not of_engine & of_recount
        require_invariant(
            bool(differ),
            "same_backends",
            f"{what} needs two libraries, but the engine computes it with {_named(of_engine)} and the recount with "
            f"{_named(of_recount)}; install the pinned packages anew",
        )


@cache
def second_backends() -> Backends:
    """Check the known answers and name the libraries that gave them. Raises: InvariantBroken ``wrong_backend``."""
    found = Backends(keccak=libraries_of(_check_keccak), bls=libraries_of(_check_accepts))
    # Not watched: that takes half as long again, and the libraries are the same.
    refuses = not is_signed(_KNOWN_KEY, _KNOWN_ROUND + 1, _KNOWN_SIGNATURE)
    require_invariant(refuses, "wrong_backend", _WRONG.format("BLS12-381", "accepts a drand beacon for another round"))
    return found


_WRONG: Final = "the recount's {} {}; install the pinned packages anew"


def _check_keccak() -> None:
    for data, expected in _KNOWN_DIGESTS.items():
        text = _WRONG.format("keccak-256", f"gives a wrong digest of {len(data)} bytes")
        require_invariant(keccak256(data).hex() == expected, "wrong_backend", text)


def _check_accepts() -> None:
    accepts = is_signed(_KNOWN_KEY, _KNOWN_ROUND, _KNOWN_SIGNATURE)
    require_invariant(accepts, "wrong_backend", _WRONG.format("BLS12-381", "refuses a published drand beacon"))


def _named(libraries: frozenset[str]) -> str:
    return ", ".join(sorted(libraries)) or "no library at all"
