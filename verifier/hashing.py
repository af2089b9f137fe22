"""Hashes and the one encoding that the rules need: rows of 32-byte words (conventions of docs/rules.md)."""

import hashlib

from Crypto.Hash import keccak

ZERO_WORD = bytes(32)


def keccak256(data: bytes) -> bytes:
    """Ethereum's Keccak-256."""
    return keccak.new(digest_bits=256, data=data).digest()


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
