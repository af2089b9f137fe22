"""A drand network with a key of our own, for tests that need valid beacons of any round."""

import hashlib
from dataclasses import replace

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2
from py_ecc.optimized_bls12_381 import G2, multiply

from core.lottery.drand import HASH_TO_CURVE_TAG
from core.lottery.ruleset import QUICKNET, DrandNetwork

SECRET = 0x1234_5678_9ABC_DEF0


def own_network() -> DrandNetwork:
    """Quicknet's clock with our own key."""
    return replace(QUICKNET, public_key=public_key_of(SECRET))


def public_key_of(secret: int) -> bytes:
    """The key in G2, compressed: 96 bytes."""
    first, second = compress_G2(multiply(G2, secret))
    return first.to_bytes(48, "big") + second.to_bytes(48, "big")


def sign_round(drand_round: int) -> bytes:
    """The network's signature of a round."""
    return sign_message(hashlib.sha256(drand_round.to_bytes(8, "big")).digest())


def sign_message(message: bytes, *, secret: int = SECRET, tag: bytes = HASH_TO_CURVE_TAG) -> bytes:
    """A signature in G1 of any message, with any key and any domain separation tag: 48 bytes."""
    return compress_G1(multiply(hash_to_G1(message, tag, hashlib.sha256), secret)).to_bytes(48, "big")
