"""Three verifications of drand beacons by two libraries, which share no line: the engine's (blst), the verifier's and
gate G13's (py_ecc). Each refuses every forged beacon, each accepts the true ones, and they agree on any bytes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import io_layer.lottery.recount.beacon
import verifier.draw
from bo_engine.errors import InvalidInput
from core.lottery.drand import verify_beacon
from core.lottery.ruleset import QUICKNET
from tests.support.forged_beacons import FORGERIES, Beacon, honest_beacons


def engine_accepts(beacon: Beacon) -> bool:
    """core/, which refuses with one code."""
    network = replace(QUICKNET, public_key=beacon.public_key)
    try:
        verify_beacon(network, beacon.drand_round, beacon.signature)
    except InvalidInput as error:
        assert error.code == "forged_beacon"
        return False
    return True


def verifier_accepts(beacon: Beacon) -> bool:
    """verifier/."""
    return verifier.draw.is_signed(beacon.public_key, beacon.drand_round, beacon.signature)


def recount_accepts(beacon: Beacon) -> bool:
    """Gate G13."""
    return io_layer.lottery.recount.beacon.is_signed(beacon.public_key, beacon.drand_round, beacon.signature)


ALL: tuple[Callable[[Beacon], bool], ...] = (engine_accepts, verifier_accepts, recount_accepts)


TEMPLATES = st.deferred(lambda: st.sampled_from(honest_beacons()))


def test_true_beacons_are_accepted_by_all() -> None:
    # Without this, one that refuses everything would pass.
    assert [(one.name, accepts.__name__) for one in honest_beacons() for accepts in ALL if not accepts(one)] == []


@pytest.mark.parametrize("group", FORGERIES)
def test_forged_beacons_are_refused_by_all(group: str) -> None:
    members = list(FORGERIES[group]())
    assert len({(one.signature, one.drand_round, one.public_key) for one in members}) == len(members) >= 3
    assert [(one.name, accepts.__name__) for one in members for accepts in ALL if accepts(one)] == []


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid signature with bits flipped, bytes exchanged, put in or left out."""
    data = bytearray(draw(TEMPLATES).signature)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(("bit", "bit", "byte", "insert", "delete", "swap")))
        if kind == "insert" or not data:
            data.insert(place, draw(st.integers(0, 255)))
        elif kind == "bit":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            data[place] = draw(st.integers(0, 255))
        elif kind == "delete":
            del data[place]
        else:
            other = draw(st.integers(0, len(data) - 1))
            data[place], data[other] = data[other], data[place]
    return bytes(data)


@settings(max_examples=200, deadline=None)
@given(template=TEMPLATES, signature=mutated())
@pytest.mark.slow
def test_a_changed_signature_is_refused_and_all_agree(template: Beacon, signature: bytes) -> None:
    found = [accepts(replace(template, signature=signature)) for accepts in ALL]
    is_true = signature == template.signature  # changes can cancel each other
    assert found == [is_true, is_true, is_true]


@settings(max_examples=60, deadline=None)
@given(
    template=TEMPLATES,
    drand_round=st.integers(-(2**65), 2**65),
    key=st.binary(max_size=100),
    signature=st.binary(max_size=100),
)
def test_all_agree_on_any_bytes(template: Beacon, drand_round: int, key: bytes, signature: bytes) -> None:
    for beacon in (
        replace(template, public_key=key),
        replace(template, signature=signature),
        replace(template, drand_round=drand_round, signature=signature),
    ):
        assert len({accepts(beacon) for accepts in ALL}) == 1
