"""Rule 3.2: real beacons verify, forged ones do not."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyblst
import pytest
from py_ecc.bls.point_compression import compress_G1, decompress_G1
from py_ecc.optimized_bls12_381 import add, curve_order, field_modulus, is_inf, multiply

from bo_engine.errors import InvalidInput, InvariantBroken
from bo_engine.units import Hash32
from core.lottery.drand import check_bls, check_seeds, parse_signature, verify_beacon, verify_seeds
from core.lottery.draw import drand_round_of
from core.lottery.model import Seeds
from core.lottery.ruleset import QUICKNET, RULESET_1
from tests.support.beacon import own_network, sign_round
from tests.support.days import DAY, seeds_for

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/drand-quicknet.json").read_text())
[BEACON] = VECTORS["beacons"]
SIGNATURE = bytes.fromhex(BEACON["signature"])
INFINITY = b"\xc0" + bytes(47)


def stray_point() -> bytes:
    """A point of the curve outside the prime-order subgroup: the cofactor is large, so almost any x will do."""
    for x in range(1, 200):
        try:
            point = decompress_G1(x + 2**383)  # type: ignore[arg-type]
        except ValueError:
            continue
        if not is_inf(multiply(point, curve_order)):
            return (x + 2**383).to_bytes(48, "big")
    raise LookupError("no point found")


def shifted_by_small_order() -> bytes:
    """The true signature plus a point of order dividing the cofactor: a pairing alone may not see the difference."""
    stray = decompress_G1(int.from_bytes(stray_point(), "big"))  # type: ignore[arg-type]
    true = decompress_G1(int.from_bytes(SIGNATURE, "big"))  # type: ignore[arg-type]
    return int(compress_G1(add(true, multiply(stray, curve_order)))).to_bytes(48, "big")


def refused(signature: Any, drand_round: int = 1000) -> None:
    with pytest.raises(InvalidInput) as caught:
        verify_beacon(QUICKNET, drand_round, signature)
    assert caught.value.code == "forged_beacon"


def test_the_pinned_network_is_quicknet() -> None:
    network = VECTORS["networks"]["quicknet"]
    assert QUICKNET.chain_hash.hex() == network["chain_hash"]
    assert (QUICKNET.genesis_s, QUICKNET.period_s) == (network["genesis_time"], network["period"])
    assert QUICKNET.public_key.hex() == BEACON["public_key"]
    assert QUICKNET.scheme == BEACON["scheme"]


def test_a_real_beacon_verifies_and_gives_its_published_randomness() -> None:
    assert verify_beacon(QUICKNET, BEACON["round"], SIGNATURE).hex() == BEACON["randomness"]
    assert parse_signature(BEACON["signature"]) == parse_signature("0x" + BEACON["signature"]) == SIGNATURE


@pytest.mark.parametrize("case", VECTORS["negative"], ids=[case["name"] for case in VECTORS["negative"]])
def test_known_forgeries_are_refused(case: dict[str, Any]) -> None:
    refused(bytes.fromhex(case["signature"]), case["round"])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:-1],
        SIGNATURE + b"\x00",
        SIGNATURE * 2,
        bytes(48),
        INFINITY,
        b"\xe0" + bytes(47),
        b"\xc0" + bytes(46) + b"\x01",
        bytes([SIGNATURE[0] & 0x7F]) + SIGNATURE[1:],  # not marked as compressed
        (field_modulus + 2**383).to_bytes(48, "big"),  # x is not below the modulus
        (1 + 2**383).to_bytes(48, "big"),  # no y for this x, or a stray point
        BEACON["signature"],
        None,
        7,
        bytearray(SIGNATURE),
    ],
)
def test_bytes_that_are_no_signature_are_refused_cleanly(signature: object) -> None:
    refused(signature)


def test_the_negated_signature_is_refused() -> None:
    refused(bytes([SIGNATURE[0] ^ 0x20]) + SIGNATURE[1:])


def test_a_point_outside_the_subgroup_is_refused() -> None:
    refused(stray_point())
    refused(shifted_by_small_order())


@pytest.mark.parametrize("drand_round", [999, 1001, 0, -1, 2**64])
def test_a_signature_of_another_round_is_refused(drand_round: int) -> None:
    refused(SIGNATURE, drand_round)


def test_a_beacon_of_another_key_is_refused() -> None:
    network = own_network()
    signature = sign_round(1000)
    assert verify_beacon(network, 1000, signature) == hashlib.sha256(signature).digest()
    refused(signature)
    with pytest.raises(InvalidInput, match="forged_beacon"):
        verify_beacon(network, 1000, SIGNATURE)


def test_the_first_round_is_one() -> None:
    network, signature = own_network(), sign_round(1)
    assert verify_beacon(network, 1, signature) == hashlib.sha256(signature).digest()


def test_a_network_of_another_scheme_verifies_nothing() -> None:
    with pytest.raises(InvalidInput, match="scheme"):
        verify_beacon(replace(QUICKNET, scheme="pedersen-bls-chained"), 1000, SIGNATURE)


def test_the_point_at_infinity_is_no_key() -> None:
    with pytest.raises(InvalidInput, match="key is the point at infinity"):
        verify_beacon(replace(QUICKNET, public_key=b"\xc0" + bytes(95)), 1000, SIGNATURE)


@pytest.mark.parametrize("key", [bytes(96), b"\xff" * 96, b"\xc0" + bytes(95), (2**383 + 2).to_bytes(48, "big") * 2])
def test_a_key_that_is_no_point_of_the_subgroup_verifies_nothing(key: bytes) -> None:
    with pytest.raises(InvalidInput, match="forged_beacon"):
        verify_beacon(replace(QUICKNET, public_key=key), 1000, SIGNATURE)


TRUE_POINT = pyblst.BlstP1Element


class LenientPoint:
    """Stands for a library that overlooks how a point is spelled: it reads every spelling as the true signature."""

    def __init__(self) -> None:
        self._true = TRUE_POINT()

    def uncompress(self, _: bytes) -> Any:
        return self._true.uncompress(SIGNATURE)

    def hash_to_group(self, message: bytes, tag: bytes) -> Any:
        return self._true.hash_to_group(message, tag)


@pytest.mark.parametrize("first", [SIGNATURE[0] ^ 0x20, SIGNATURE[0] ^ 0x80, SIGNATURE[0] ^ 0x01])
def test_another_spelling_is_refused_even_if_the_library_reads_it(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr("core.lottery.drand.pyblst.BlstP1Element", LenientPoint)
    verify_beacon(QUICKNET, 1000, SIGNATURE)
    with pytest.raises(InvalidInput, match="not in canonical form"):
        verify_beacon(QUICKNET, 1000, bytes([first]) + SIGNATURE[1:])


@pytest.mark.parametrize(("verdict", "says"), [(True, "accepts a published"), (False, "refuses a published")])
def test_a_library_that_does_not_know_a_published_beacon_is_no_backend(
    monkeypatch: pytest.MonkeyPatch, verdict: bool, says: str
) -> None:
    check_bls()
    monkeypatch.setattr("core.lottery.drand.pyblst.final_verify", lambda *_: verdict)
    with pytest.raises(InvariantBroken, match=f"wrong_backend: .*{says}"):
        check_bls()


@pytest.mark.parametrize("key", [b"", QUICKNET.public_key[:-1], b"\x00" + QUICKNET.public_key])
def test_a_key_of_another_length_is_refused_for_its_length(key: bytes) -> None:
    with pytest.raises(InvalidInput, match=f"key is {len(key)} bytes long, not 96"):
        verify_beacon(replace(QUICKNET, public_key=key), 1000, SIGNATURE)


@pytest.mark.parametrize("text", ["", "b4", "zz" * 48, BEACON["signature"] + "00", " " + BEACON["signature"], None, 7])
def test_text_that_is_no_signature_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="forged_beacon"):
        parse_signature(text)


def test_seeds_of_the_day_verify_from_the_bottom() -> None:
    ruleset = replace(RULESET_1, drand=own_network())
    requested_at = (DAY + 1) * 86_400 + 40
    drand_round = drand_round_of(ruleset.drand, DAY, requested_at)
    signature = sign_round(drand_round)
    seeds = Seeds(5, requested_at, drand_round, signature, Hash32(hashlib.sha256(signature).digest()))
    verify_seeds(ruleset, DAY, seeds)
    with pytest.raises(InvalidInput, match="forged_beacon"):
        verify_seeds(RULESET_1, DAY, seeds)
    other = sign_round(drand_round + 1)  # a true beacon, but not this day's
    with pytest.raises(InvalidInput, match="bad_seeds"):
        verify_seeds(
            ruleset, DAY, Seeds(5, requested_at, drand_round + 1, other, Hash32(hashlib.sha256(other).digest()))
        )


def test_seeds_that_do_not_fit_the_day_are_refused() -> None:
    seeds = seeds_for(RULESET_1, DAY)
    check_seeds(RULESET_1, DAY, seeds)
    for spoiled in (
        replace(seeds, drand_round=seeds.drand_round + 1),
        replace(seeds, drand_randomness=Hash32(bytes(32))),
        replace(seeds, vrf_word=2**256),
        replace(seeds, vrf_word=-1),
        replace(seeds, vrf_requested_at=seeds.vrf_requested_at + 3),
        replace(seeds, vrf_requested_at=-1),
        replace(seeds, vrf_requested_at=2**53),
    ):
        with pytest.raises(InvalidInput, match="bad_seeds"):
            check_seeds(RULESET_1, DAY, spoiled)
