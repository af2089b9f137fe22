"""Hashes and the one encoding that the rules need: rows of 32-byte words (conventions of docs/rules.md)."""

import hashlib

from Crypto.Hash import keccak

from verifier.checking import CannotVerify

ZERO_WORD = bytes(32)
_KNOWN = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    # The storage slot of key 0 in a Solidity mapping at slot 0.
    bytes(64): "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
}


def keccak256(data: bytes) -> bytes:
    """Ethereum's Keccak-256."""
    return keccak.new(digest_bits=256, data=data).digest()


def check_keccak() -> None:
    """Compare known digests, before anything is verified. Raises: CannotVerify."""
    for data, expected in _KNOWN.items():
        if keccak256(data).hex() != expected:
            raise CannotVerify("the keccak-256 of this Python's pycryptodome gives wrong digests: install it anew")


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def number_word(number: int) -> bytes:
    """An unsigned integer as a word."""
    return number.to_bytes(32, "big")


def wallet_word(wallet: str) -> bytes:
    """An address as a word, zeros on the left."""
    return bytes(12) + bytes.fromhex(wallet[2:])


def text_word(text: str) -> bytes:
    """A ``bytes32("TEXT")``, zeros on the right."""
    return text.encode("ascii").ljust(32, b"\0")


def hex_of(data: bytes) -> str:
    """Lower-case 0x hex."""
    return "0x" + data.hex()
