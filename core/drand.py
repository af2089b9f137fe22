"""drand beacons: BLS verification of ``bls-unchained-g1-rfc9380`` (rule 3.2).

The signature is a point of G1, the key one of G2: valid when e(signature, g2) = e(H(sha256(round)), key).
"""

import hashlib
import re
from functools import lru_cache
from typing import Any, Final

from py_ecc.bls.g2_primitives import subgroup_check
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381.optimized_curve import G2, is_inf, neg
from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import DayId, Hash32
from core.draw import drand_round_of
from core.model import Seeds
from core.ruleset import SCHEME_G1_RFC9380, DrandNetwork, Ruleset

SIGNATURE_BYTES: Final = 48
HASH_TO_CURVE_TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


def parse_signature(text: object) -> bytes:
    """The bytes of a signature as drand's HTTP API writes it: 96 hex digits, with or without 0x.

    Raises: InvalidInput ``forged_beacon``.
    """
    if not isinstance(text, str) or not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{96}", text):
        raise InvalidInput("forged_beacon", f"a drand signature is 96 hex digits, got {str(text)[:40]!r}")
    return bytes.fromhex(text.removeprefix("0x"))


def verify_beacon(network: DrandNetwork, drand_round: int, signature: bytes) -> Hash32:
    """Verify a beacon against the pinned key; return its randomness, sha256(signature).

    Takes about 0.2 s, once per beacon and process.
    Raises: InvalidInput ``forged_beacon`` for any signature that is not the network's for this round.
    """
    is_signature = isinstance(signature, bytes) and len(signature) == SIGNATURE_BYTES
    require_input(is_signature, "forged_beacon", f"round {drand_round}: a signature is {SIGNATURE_BYTES} bytes")
    require_input(1 <= drand_round < 2**64, "forged_beacon", f"there is no round {drand_round}")
    require_input(network.scheme == SCHEME_G1_RFC9380, "forged_beacon", f"unknown drand scheme {network.scheme}")
    _check_signature(network.public_key, drand_round, signature)
    return Hash32(hashlib.sha256(signature).digest())


def verify_seeds(ruleset: Ruleset, day_id: DayId, seeds: Seeds) -> None:
    """Verify a day's seeds from the bottom: the word's range, the day's own round, its signature and randomness.

    Raises: InvalidInput ``bad_seeds``, ``forged_beacon``.
    """
    check_seeds(ruleset, day_id, seeds)
    verify_beacon(ruleset.drand, seeds.drand_round, seeds.drand_signature)


def check_seeds(ruleset: Ruleset, day_id: DayId, seeds: Seeds) -> None:
    """The part of :func:`verify_seeds` that costs nothing: all but the signature.

    Raises: InvalidInput ``bad_seeds``.
    """
    require_input(0 <= seeds.vrf_word < 2**256, "bad_seeds", "the VRF word is not a uint256")
    time_fits = 0 <= seeds.vrf_requested_at < 2**53
    require_input(time_fits, "bad_seeds", f"{seeds.vrf_requested_at} is no time of a VRF request")
    due_round = drand_round_of(ruleset.drand, day_id, seeds.vrf_requested_at)
    require_input(
        seeds.drand_round == due_round,
        "bad_seeds",
        f"day {day_id}, its VRF word requested at {seeds.vrf_requested_at}, draws from drand round {due_round}, "
        f"the seed is of round {seeds.drand_round}",
    )
    randomness = hashlib.sha256(seeds.drand_signature).digest()
    require_input(seeds.drand_randomness == randomness, "bad_seeds", "the randomness is not sha256 of the signature")


@lru_cache(maxsize=256)
def _check_signature(public_key: bytes, drand_round: int, signature: bytes) -> None:
    key = _key_point(public_key)
    try:
        point = decompress_G1(G1Compressed(int.from_bytes(signature, "big")))
    except (ValueError, ArithmeticError) as error:
        raise InvalidInput("forged_beacon", f"round {drand_round}: not a point of G1: {error}") from error
    # A point at infinity or outside the prime-order subgroup is no signature, whatever the pairing says.
    proper = not is_inf(point) and subgroup_check(point)
    require_input(proper, "forged_beacon", f"round {drand_round}: the signature is not in the subgroup")
    message = hashlib.sha256(drand_round.to_bytes(8, "big")).digest()
    # py_ecc annotates the hash object where it takes its constructor.
    hashed = hash_to_G1(message, HASH_TO_CURVE_TAG, hashlib.sha256)  # type: ignore[arg-type]
    product = pairing(key, hashed, final_exponentiate=False) * pairing(G2, neg(point), final_exponentiate=False)
    valid = final_exponentiate(product) == FQ12.one()
    require_input(bool(valid), "forged_beacon", f"round {drand_round}: the signature is not the network's")


@lru_cache(maxsize=16)
def _key_point(public_key: bytes) -> Any:
    try:
        halves = (int.from_bytes(public_key[:48], "big"), int.from_bytes(public_key[48:], "big"))
        point = decompress_G2(G2Compressed(halves))
    except (ValueError, ArithmeticError) as error:
        raise InvalidInput("forged_beacon", f"the network's key is not a point of G2: {error}") from error
    proper = not is_inf(point) and subgroup_check(point)
    require_input(proper, "forged_beacon", "the network's key is not in the subgroup")
    return point
