"""The draw: the day's drand round and its signature, the seeds, the winning numbers (rules 3.2 to 3.5)."""

from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import sha256 as new_sha256
from typing import Any

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381.optimized_curve import G2, curve_order, is_inf, multiply, neg
from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

from verifier.checking import CannotVerify
from verifier.hashing import keccak256, number_word, sha256, text_word, wallet_word

TAG = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
DAY_S = 86400
# drand's network quicknet and its round 1000, as published.
_KNOWN_KEY = bytes.fromhex(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
_KNOWN_SIGNATURE = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)
_MAX = 2**256 - 1


def round_of(day_id: int, drand: Mapping[str, int], requested_at: int) -> int:
    """The one round of a day: the first that is published the delay after its close and after its VRF request."""
    wait = max((day_id + 1) * DAY_S, requested_at) + drand["delay_s"] - drand["genesis_s"]
    return max(0, -(-wait // int(drand["period_s"]))) + 1


@lru_cache(maxsize=64)
def is_signed(public_key: bytes, drand_round: int, signature: bytes) -> bool:
    """Whether the network signed the round: canonical points of the right subgroups, and the pairing holds.

    Raises: CannotVerify when py_ecc does not know a published beacon from a forged one.
    """
    _check_bls()
    return _is_signed(public_key, drand_round, signature)


@cache
def _check_bls() -> None:
    """Accept a published beacon, and refuse it for the next round: 0.4 s, before the first beacon only."""
    if not _is_signed(_KNOWN_KEY, 1000, _KNOWN_SIGNATURE) or _is_signed(_KNOWN_KEY, 1001, _KNOWN_SIGNATURE):
        raise CannotVerify("the BLS12-381 of this Python's py_ecc gives wrong answers: install it anew")


def _is_signed(public_key: bytes, drand_round: int, signature: bytes) -> bool:
    # A number has no length: a zero in front, or a longer second half of the key, would be a second spelling.
    if len(public_key) != 96 or len(signature) != 48 or not 1 <= drand_round < 2**64:
        return False
    try:
        point = decompress_G1(G1Compressed(int.from_bytes(signature, "big")))
        halves = (int.from_bytes(public_key[:48], "big"), int.from_bytes(public_key[48:], "big"))
        key = decompress_G2(G2Compressed(halves))
        # Written back, a point has one spelling: bits that the reader overlooks would make a second randomness.
        spelled = compress_G1(point) == int.from_bytes(signature, "big") and tuple(compress_G2(key)) == halves
    except (ValueError, AssertionError, TypeError, ZeroDivisionError):
        return False
    if not spelled or is_inf(point) or is_inf(key):
        return False
    if not (is_inf(multiply(point, curve_order)) and is_inf(multiply(key, curve_order))):
        return False
    hashed = hash_to_G1(sha256(drand_round.to_bytes(8, "big")), TAG, new_sha256)  # type: ignore[arg-type]
    both = pairing(G2, point, final_exponentiate=False) * pairing(key, neg(hashed), final_exponentiate=False)
    return bool(final_exponentiate(both) == FQ12.one())


def seed_of(chain_id: int, settlement: str, day_id: int, pool: int, seeds: Mapping[str, Any]) -> bytes:
    """Rule 3.4."""
    return keccak256(
        text_word("BO-ENGINE/DRAW/1")
        + number_word(chain_id)
        + wallet_word(settlement)
        + number_word(day_id)
        + number_word(pool)
        + number_word(seeds["vrf_word"])
        + number_word(seeds["drand_round"])
        + seeds["drand_randomness"]
    )


def numbers_from(seed: bytes, number_max: int) -> list[int]:
    """Six numbers, in the order drawn."""
    balls = list(range(1, number_max + 1))
    counter = 0
    for place in range(6):
        left = number_max - place
        limit = _MAX - (_MAX % left + 1) % left
        while True:
            drawn = int.from_bytes(keccak256(seed + number_word(counter)), "big")
            counter += 1
            if drawn <= limit:
                break
        other = place + drawn % left
        balls[place], balls[other] = balls[other], balls[place]
    return balls[:6]


def winning_numbers(day_id: int, inputs: Mapping[str, Any], seeds: Mapping[str, Any] | None) -> list[list[int]]:
    """The numbers of the five pools; none without seeds."""
    if seeds is None:
        return [[], [], [], [], []]
    settlement, number_max = inputs["contracts"]["settlement"], inputs["ruleset"]["number_max"]
    return [numbers_from(seed_of(inputs["chain_id"], settlement, day_id, pool, seeds), number_max) for pool in range(5)]
