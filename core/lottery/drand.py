"""drand beacons: BLS verification of ``bls-unchained-g1-rfc9380`` (rule 3.2).

The signature is a point of G1, the key one of G2: valid when e(signature, g2) = e(H(sha256(round)), key).
"""

import hashlib
import re
from typing import Any, Final

from bo_engine.backends import MissingLibrary
from bo_engine.errors import InvalidInput, InvariantBroken, require_input
from bo_engine.units import DayId, Hash32
from core.lottery.draw import drand_round_of
from core.lottery.model import Seeds
from core.lottery.ruleset import PUBLIC_KEY_BYTES, QUICKNET, SCHEME_G1_RFC9380, DrandNetwork, Ruleset

try:
    import pyblst
except ImportError as error:
    raise MissingLibrary(f"the engine's BLS12-381 is pyblst, which does not load here: {error}") from error

SIGNATURE_BYTES: Final = 48
HASH_TO_CURVE_TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
# The generator of G2, compressed (draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1).
_G2: Final = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)
_INFINITY_BIT: Final = 0x40  # of the first byte
# A published beacon of quicknet: https://api.drand.sh/v2/beacons/quicknet/rounds/1000
_KNOWN_ROUND: Final = 1000
_KNOWN_SIGNATURE: Final = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)


def parse_signature(text: object) -> bytes:
    """The bytes of a signature as drand's HTTP API writes it: 96 hex digits, with or without 0x.

    Raises: InvalidInput ``forged_beacon``.
    """
    if not isinstance(text, str) or not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{96}", text):
        raise InvalidInput("forged_beacon", f"a drand signature is 96 hex digits, got {str(text)[:40]!r}")
    return bytes.fromhex(text.removeprefix("0x"))


def verify_beacon(network: DrandNetwork, drand_round: int, signature: bytes) -> Hash32:
    """Verify a beacon against the pinned key; return its randomness, sha256(signature).

    Takes about 1 ms.
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


def check_bls() -> None:
    """Accept a published beacon, and refuse it for the next round. Raises: InvariantBroken ``wrong_backend``."""
    text = "the engine's BLS12-381 (pyblst) {} a published drand beacon{}; install the pinned packages anew"
    try:
        verify_beacon(QUICKNET, _KNOWN_ROUND, _KNOWN_SIGNATURE)
    except InvalidInput as error:
        raise InvariantBroken("wrong_backend", text.format("refuses", f" ({error.message})")) from error
    try:
        verify_beacon(QUICKNET, _KNOWN_ROUND + 1, _KNOWN_SIGNATURE)
    except InvalidInput:
        return
    raise InvariantBroken("wrong_backend", text.format("accepts", " for another round"))


def _check_signature(public_key: bytes, drand_round: int, signature: bytes) -> None:
    key = _read_point(pyblst.BlstP2Element, public_key, PUBLIC_KEY_BYTES, "the network's key")
    point = _read_point(pyblst.BlstP1Element, signature, SIGNATURE_BYTES, f"round {drand_round}: the signature")
    message = hashlib.sha256(drand_round.to_bytes(8, "big")).digest()
    hashed = pyblst.BlstP1Element().hash_to_group(message, HASH_TO_CURVE_TAG)
    generator = pyblst.BlstP2Element().uncompress(_G2)
    valid = pyblst.final_verify(pyblst.miller_loop(point, generator), pyblst.miller_loop(hashed, key))
    require_input(valid is True, "forged_beacon", f"round {drand_round}: the signature is not the network's")


def _read_point(group: Any, data: bytes, length: int, name: str) -> Any:
    """A point of the prime-order subgroup, in its one spelling and not at infinity."""
    require_input(len(data) == length, "forged_beacon", f"{name} is {len(data)} bytes long, not {length}")
    # blst takes the point at infinity for a member of the subgroup. As key and signature together it would sign all.
    require_input(not data[0] & _INFINITY_BIT, "forged_beacon", f"{name} is the point at infinity")
    try:
        point = group().uncompress(data)  # checks encoding, curve and subgroup
    except ValueError as error:
        raise InvalidInput("forged_beacon", f"{name} is not in the subgroup: {error}") from error
    # Two spellings of one point would be two randomnesses for one round, and one of them could be chosen.
    require_input(point.compress() == data, "forged_beacon", f"{name} is not in canonical form")
    return point
