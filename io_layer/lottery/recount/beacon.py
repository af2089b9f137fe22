"""Gate G13 verifies the day's drand beacon (rule 3.2) once more, with py_ecc and from the rule alone.

About 0.2 s in pure Python. The engine's own verification (core/lottery/drand.py, another library) is not imported.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381.optimized_curve import G2, curve_order, is_inf, multiply, neg
from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

from bo_engine.errors import require_invariant

_TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


@dataclass(frozen=True, slots=True)
class Beacon:
    """A day's beacon and the key that the ruleset pins, as plain values."""

    public_key: bytes  # compressed G2, 96 bytes
    drand_round: int
    signature: bytes  # compressed G1, 48 bytes
    randomness: bytes


def require_beacon(beacon: Beacon) -> None:
    """Verify signature and randomness. Raises: InvariantBroken ``forged_beacon``."""
    require_invariant(
        is_signed(beacon.public_key, beacon.drand_round, beacon.signature),
        "forged_beacon",
        f"by py_ecc, the drand signature of round {beacon.drand_round} is not the network's",
    )
    require_invariant(
        hashlib.sha256(beacon.signature).digest() == beacon.randomness,
        "forged_beacon",
        f"the randomness of round {beacon.drand_round} is not sha256 of its signature",
    )


def is_signed(public_key: bytes, drand_round: int, signature: bytes) -> bool:
    """Whether the network signed the round: canonical points of the right subgroups, and the pairing holds."""
    if len(public_key) != 96 or len(signature) != 48 or not 1 <= drand_round < 2**64:
        return False
    halves = int.from_bytes(public_key[:48], "big"), int.from_bytes(public_key[48:], "big")
    try:
        point = decompress_G1(G1Compressed(int.from_bytes(signature, "big")))
        key = decompress_G2(G2Compressed(halves))
    except (ValueError, ArithmeticError):
        return False
    if is_inf(point) or is_inf(key):
        return False
    # A point outside the prime-order subgroup can pass the pairing all the same.
    if not (is_inf(multiply(point, curve_order)) and is_inf(multiply(key, curve_order))):
        return False
    message = hashlib.sha256(drand_round.to_bytes(8, "big")).digest()
    # py_ecc annotates the hash object where it takes its constructor.
    hashed = hash_to_G1(message, _TAG, hashlib.sha256)  # type: ignore[arg-type]
    product = pairing(key, hashed, final_exponentiate=False) * pairing(G2, neg(point), final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())
