"""Beacons that no verifier may accept, by class. Each class has three members at least, because a defence against one
spelling alone is none. Built with py_ecc, for a network with our own key."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from py_ecc.bls.hash_to_curve import hash_to_G2
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.optimized_bls12_381 import FQ, G1, add, curve_order, field_modulus, is_inf, multiply

from core.lottery.ruleset import QUICKNET
from tests.support.beacon import SECRET, public_key_of, sign_message, sign_round

ROUND = 1000
#: A published beacon of quicknet, round 1000.
REAL_SIGNATURE = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)
COMPRESSED, INFINITY, SIGN = 0x80, 0x40, 0x20  # bits of the first byte
# The curve point (0, 2) has order three.
ORDER_THREE = (FQ(0), FQ(2), FQ(1))


@cache
def own_key() -> bytes:
    """The network's."""
    return public_key_of(SECRET)


@dataclass(frozen=True)
class Beacon:
    """What a verifier is handed."""

    name: str
    signature: bytes
    drand_round: int = ROUND
    public_key: bytes = field(default_factory=own_key)


@cache
def honest_beacons() -> tuple[Beacon, ...]:
    """Valid ones: without them, a verifier that refuses everything would pass."""
    ours = [Beacon(f"round {number}", sign_round(number), number) for number in (1, ROUND, 2**64 - 1)]
    return (*ours, Beacon("quicknet", REAL_SIGNATURE, ROUND, QUICKNET.public_key))


def _another_tag() -> Iterator[Beacon]:
    message = _message(ROUND)
    for name, tag in {
        "fastnet": b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_",  # which signs in G1, too
        "proof of possession": b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_",
        "message augmentation": b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_AUG_",
        "not uniform": b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_NU_NUL_",
        "one letter short": b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL",
    }.items():
        yield Beacon(name, sign_message(message, tag=tag))


def _the_g2_scheme() -> Iterator[Beacon]:
    tag = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
    signature = g2_bytes(multiply(hash_to_G2(_message(ROUND), tag, hashlib.sha256), SECRET))
    key = g1_bytes(multiply(G1, SECRET))
    yield Beacon("its key and its signature", signature, public_key=key)
    yield Beacon("its signature under our key", signature)
    yield Beacon("half of its signature", signature[:48])
    yield Beacon("its key with our signature", sign_round(ROUND), public_key=key)


def _another_round() -> Iterator[Beacon]:
    for other in (ROUND - 1, ROUND + 1, ROUND + 2**32):
        yield Beacon(f"that of {other}", sign_round(other))
    chained = hashlib.sha256(sign_round(ROUND - 1) + ROUND.to_bytes(8, "big")).digest()
    yield Beacon("chained to the one before", sign_message(chained))
    little = hashlib.sha256(ROUND.to_bytes(8, "little")).digest()
    yield Beacon("little-endian", sign_message(little))
    yield Beacon("zero", sign_round(0), drand_round=0)
    for never in (-1, 2**64):
        yield Beacon(f"{never}", sign_round(ROUND), drand_round=never)


def _another_key() -> Iterator[Beacon]:
    yield Beacon("the next", sign_message(_message(ROUND), secret=SECRET + 1))
    yield Beacon("quicknet's signature under ours", REAL_SIGNATURE)
    yield Beacon("ours under quicknet's", sign_round(ROUND), public_key=QUICKNET.public_key)
    yield Beacon("one", sign_message(_message(ROUND), secret=1))


def _infinity() -> Iterator[Beacon]:
    for name, first, rest in (
        ("in its one spelling", COMPRESSED | INFINITY, bytes(47)),
        ("with a sign", COMPRESSED | INFINITY | SIGN, bytes(47)),
        ("not compressed", INFINITY, bytes(47)),
        ("with a coordinate", COMPRESSED | INFINITY, bytes(46) + b"\x01"),
        ("not marked", COMPRESSED, bytes(47)),
        ("as zeros", 0, bytes(47)),
    ):
        yield Beacon(name, bytes([first]) + rest)
    # Nothing equals nothing: this one passes the pairing for every round.
    infinite = bytes([COMPRESSED | INFINITY])
    yield Beacon("under itself", infinite + bytes(47), public_key=infinite + bytes(95))


def _infinite_key() -> Iterator[Beacon]:
    signature = sign_round(ROUND)
    for name, first in (
        ("in its one spelling", COMPRESSED | INFINITY),
        ("with a sign", COMPRESSED | INFINITY | SIGN),
        ("not compressed", INFINITY),
        ("not marked", COMPRESSED),
        ("as zeros", 0),
    ):
        yield Beacon(name, signature, public_key=bytes([first]) + bytes(95))


def _x_too_great() -> Iterator[Beacon]:
    # x + p says the same to a reader that reduces, and fits into 381 bits where x is small.
    found = 0
    for number in count(1):
        x, flags = _x_of(sign_round(number))
        if x + field_modulus < 2**381:
            found += 1
            yield Beacon(f"x + p of round {number}", _spelled(x + field_modulus, flags), number)
        if found == 3:
            break
    yield Beacon("x is p", _spelled(field_modulus, COMPRESSED))
    yield Beacon("all ones", b"\xff" * 48)


def _sign_flipped() -> Iterator[Beacon]:
    for number in (1, ROUND, ROUND + 1):
        signature = sign_round(number)
        flipped = bytes([signature[0] ^ SIGN]) + signature[1:]
        yield Beacon(f"round {number}", flipped, drand_round=number)


def _not_compressed() -> Iterator[Beacon]:
    for number in (1, ROUND, ROUND + 1):
        signature = sign_round(number)
        plain = bytes([signature[0] & 0x7F]) + signature[1:]
        yield Beacon(f"round {number}", plain, drand_round=number)
    signature = sign_round(ROUND)
    x, y, _ = (int(one) for one in _affine(decompress_G1(_number(signature))))
    yield Beacon("x and y", x.to_bytes(48, "big") + y.to_bytes(48, "big"))


def _wrong_length() -> Iterator[Beacon]:
    signature = sign_round(ROUND)
    for name, wrong in {
        "nothing": b"",
        "one": signature[:1],
        "47, the last is missing": signature[:-1],
        "47, the first is missing": signature[1:],
        "49, a zero in front": b"\x00" + signature,
        "49, a one in front": b"\x01" + signature,
        "49, a zero behind": signature + b"\x00",
        "64, zeros in front": bytes(16) + signature,
        "96, twice": signature * 2,
        "96, half of it zeros": bytes(48) + signature,
    }.items():
        yield Beacon(name, wrong)


def _outside_subgroup() -> Iterator[Beacon]:
    for number, point in enumerate(_strays(3), 1):
        yield Beacon(f"stray {number}", g1_bytes(point))
    yield Beacon("of order three", g1_bytes(ORDER_THREE))


def _shifted() -> Iterator[Beacon]:
    # A point whose order divides the cofactor vanishes in the pairing: only the check of the subgroup sees it.
    true = decompress_G1(_number(sign_round(ROUND)))
    for number, point in enumerate(_strays(3), 1):
        yield Beacon(f"by stray {number}", g1_bytes(add(true, multiply(point, curve_order))))
    yield Beacon("by order three", g1_bytes(add(true, ORDER_THREE)))


def _bad_keys() -> Iterator[Beacon]:
    signature, key = sign_round(ROUND), public_key_of(SECRET)
    second = int.from_bytes(key[48:], "big")
    true = decompress_G2((_number(key[:48]), second))  # type: ignore[arg-type]
    wrong = {
        "the negative": bytes([key[0] ^ SIGN]) + key[1:],
        "not compressed": bytes([key[0] & 0x7F]) + key[1:],
        "95 bytes": key[:-1],
        "97 bytes, a zero in front": b"\x00" + key,
        "97 bytes, a zero in the middle": key[:48] + b"\x00" + key[48:],
        "97 bytes, a zero behind": key + b"\x00",
        "first half too great": _spelled(field_modulus, COMPRESSED) + key[48:],
        "second half too great": key[:48] + field_modulus.to_bytes(48, "big"),
        "second half marked": key[:48] + bytes([key[48] | COMPRESSED]) + key[49:],
        "all ones": b"\xff" * 96,
    }
    for number, point in enumerate(_stray_keys(3), 1):
        wrong[f"outside the subgroup {number}"] = g2_bytes(point)
        wrong[f"shifted {number}"] = g2_bytes(add(true, multiply(point, curve_order)))
    for name, public_key in wrong.items():
        yield Beacon(name, signature, public_key=public_key)


def g1_bytes(point: Any) -> bytes:
    """A point of G1, compressed."""
    return int(compress_G1(point)).to_bytes(48, "big")


def g2_bytes(point: Any) -> bytes:
    """A point of G2, compressed."""
    return b"".join(int(half).to_bytes(48, "big") for half in compress_G2(point))


def _strays(wanted: int) -> Iterator[Any]:
    """Points of the curve outside the prime-order subgroup: its cofactor is great, so almost any x will do."""
    for x in count(1):
        try:
            point = decompress_G1(x + 2**383)  # type: ignore[arg-type]
        except ValueError:
            continue
        if not is_inf(multiply(point, curve_order)):
            yield point
            wanted -= 1
        if not wanted:
            return


def _stray_keys(wanted: int) -> Iterator[Any]:
    for x in count(1):
        try:
            point = decompress_G2((2**383, x))  # type: ignore[arg-type]
        except ValueError:
            continue
        if not is_inf(multiply(point, curve_order)):
            yield point
            wanted -= 1
        if not wanted:
            return


def _message(drand_round: int) -> bytes:
    return hashlib.sha256(drand_round.to_bytes(8, "big")).digest()


def _number(signature: bytes) -> Any:
    return int.from_bytes(signature, "big")


def _x_of(signature: bytes) -> tuple[int, int]:
    """The coordinate and the flags of the first byte."""
    return _number(signature) % 2**381, signature[0] & 0xE0


def _spelled(x: int, flags: int) -> bytes:
    data = x.to_bytes(48, "big")
    return bytes([data[0] | flags]) + data[1:]


def _affine(point: Any) -> tuple[Any, Any, Any]:
    x, y, z = point
    return x / z, y / z, FQ(1)


#: Each class by its name. They are built when asked for: signing takes some hundredths of a second.
FORGERIES: dict[str, Callable[[], Iterator[Beacon]]] = {
    "another tag": _another_tag,
    "the G2 scheme": _the_g2_scheme,
    "another round": _another_round,
    "another key": _another_key,
    "infinity": _infinity,
    "infinite key": _infinite_key,
    "x too great": _x_too_great,
    "sign flipped": _sign_flipped,
    "not compressed": _not_compressed,
    "wrong length": _wrong_length,
    "outside the subgroup": _outside_subgroup,
    "shifted by torsion": _shifted,
    "bad keys": _bad_keys,
}
