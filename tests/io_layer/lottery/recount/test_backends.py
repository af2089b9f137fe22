"""Gate G13 refuses to run on the engine's own libraries, however they are named, and on libraries that are wrong.

Each case is a process of its own that finds a package of the test's making in place of a library.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from bo_engine.errors import InvariantBroken
from io_layer.lottery.recount import backends as recount_backends
from io_layer.lottery.recount.beacon import Beacon, require_beacon
from services.lottery.backends import engine_backends
from tests.support.forged_beacons import Beacon as Signed
from tests.support.forged_beacons import honest_beacons

ROOT = Path(__file__).parents[4]
REFUSES = """
import sys
sys.path.insert(0, sys.argv[1])
from bo_engine.errors import EngineError
try:
    from services.lottery.backends import engine_backends
    from io_layer.lottery.recount.backends import require_second_backends
    require_second_backends(engine_backends())
except (EngineError, ImportError) as error:
    print(type(error).__name__, error)
else:
    print("runs")
"""

FUNCTION_OVER_PYCRYPTODOME = """
from Crypto.Hash import keccak
def keccak_256(data=b""):
    return keccak.new(digest_bits=256, data=data)
"""
CLASS_OVER_PYCRYPTODOME = """
from Crypto.Hash import keccak
class keccak_256:
    __module__ = "_pysha3"
    def __init__(self, data=b""):
        self._made = keccak.new(digest_bits=256, data=data)
    def digest(self):
        return self._made.digest()
"""
LATE_OVER_PYCRYPTODOME = """
class keccak_256:
    def __init__(self, data=b""):
        self._data = data
    def digest(self):
        from importlib import import_module
        return import_module("Crypto.Hash.keccak").new(digest_bits=256, data=self._data).digest()
"""
PYBLST_OVER_PY_ECC = """
import hashlib
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381 import pairing
class BlstP1Element:
    def __init__(self, point=None):
        self.point = point
    def uncompress(self, data):
        return type(self)(decompress_G1(int.from_bytes(data, "big")))
    def compress(self):
        return int(compress_G1(self.point)).to_bytes(48, "big")
    def hash_to_group(self, message, tag):
        return type(self)(hash_to_G1(message, tag, hashlib.sha256))
class BlstP2Element(BlstP1Element):
    def uncompress(self, data):
        return type(self)(decompress_G2((int.from_bytes(data[:48], "big"), int.from_bytes(data[48:], "big"))))
    def compress(self):
        return b"".join(int(half).to_bytes(48, "big") for half in compress_G2(self.point))
def miller_loop(first, second):
    return pairing(second.point, first.point)
def final_verify(left, right):
    return left == right
"""
HALF_PYBLST = """
import hashlib, importlib.util, sys
from pathlib import Path
here = Path(__file__).parent
sys.path.remove(str(here))
del sys.modules["pyblst"]
import pyblst as true
sys.path.insert(0, str(here))
sys.modules["pyblst"] = sys.modules[__name__] = true
from py_ecc.optimized_bls12_381 import FQ12, pairing
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
def loop(first, second):
    second = second.compress()
    point = decompress_G1(int.from_bytes(first.compress(), "big"))
    return pairing(decompress_G2((int.from_bytes(second[:48], "big"), int.from_bytes(second[48:], "big"))), point)
true.miller_loop = loop
true.final_verify = lambda left, right: left == right
"""
CRYPTO_OVER_PYSHA3 = """
import sha3
class new:
    def __init__(self, *, digest_bits, data):
        self._made = sha3.keccak_256(data)
    def digest(self):
        return self._made.digest()
"""
NOT_KECCAK = "from hashlib import sha3_256 as keccak_256"
NEVER = "raise ImportError('no such symbol')"
NEW_SHA3 = """
import hashlib
def new(*, digest_bits, data):
    return hashlib.sha3_256(data)
"""


def outcome(folder: Path, name: str, source: str) -> str:
    """What the recount says when ``name`` is a module of this source."""
    path = folder.joinpath(*name.split("."))
    for parent in list(path.relative_to(folder).parents)[:-1]:
        (folder / parent).mkdir(parents=True, exist_ok=True)
        # The rest of the package is the true one.
        (folder / parent / "__init__.py").write_text("__path__ = __import__('pkgutil').extend_path(__path__, __name__)")
    path.with_suffix(".py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", REFUSES, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_engine_and_recount_compute_with_the_libraries_that_the_page_names() -> None:
    recount_backends.require_second_backends(engine_backends())
    assert (engine_backends().keccak, engine_backends().bls) == ({"_pysha3"}, {"pyblst"})
    second = recount_backends.second_backends()
    assert "Crypto" in second.keccak
    assert "py_ecc" in second.bls


@pytest.mark.parametrize(
    ("name", "source", "shared"),
    [
        pytest.param("sha3", FUNCTION_OVER_PYCRYPTODOME, "Crypto", id="a-function-over-pycryptodome"),
        pytest.param("sha3", CLASS_OVER_PYCRYPTODOME, "Crypto", id="a-class-that-lies-about-its-module"),
        pytest.param("sha3", LATE_OVER_PYCRYPTODOME, "Crypto", id="a-class-that-imports-late"),
        pytest.param("Crypto.Hash.keccak", CRYPTO_OVER_PYSHA3, "_pysha3", id="the-other-way-round"),
        pytest.param("pyblst", PYBLST_OVER_PY_ECC, "py_ecc", id="pyblst-over-py_ecc"),
        pytest.param("pyblst", HALF_PYBLST, "py_ecc", id="pyblst-with-py_ecc-for-its-pairing"),
    ],
)
@pytest.mark.sampled(1)
def test_one_library_behind_two_names_is_refused(tmp_path: Path, name: str, source: str, shared: str) -> None:
    said = outcome(tmp_path, name, source)
    assert said.startswith("InvariantBroken same_backends: "), said
    of_engine, of_recount = said.partition("the engine computes it with ")[2].split(" and the recount with ")
    assert shared in of_engine
    assert shared in of_recount


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        pytest.param("sha3", NOT_KECCAK, "wrong_backend: the engine's keccak-256", id="the-engines-keccak"),
        pytest.param("Crypto.Hash.keccak", NEW_SHA3, "wrong_backend: the recount's keccak-256", id="the-recounts"),
        pytest.param("sha3", NEVER, "the engine's keccak-256 is safe-pysha3", id="no-safe-pysha3"),
        pytest.param("pyblst", NEVER, "the engine's BLS12-381 is pyblst", id="no-pyblst"),
        pytest.param("Crypto.Hash.keccak", NEVER, "no such symbol", id="no-pycryptodome"),
    ],
)
def test_a_library_that_is_wrong_or_missing_is_not_replaced(tmp_path: Path, name: str, source: str, says: str) -> None:
    assert says in outcome(tmp_path, name, source)


@pytest.mark.parametrize(("verdict", "says"), [(True, "accepts a drand"), (False, "refuses a published")])
def test_a_second_bls_that_knows_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, verdict: bool, says: str) -> None:
    recount_backends.second_backends.cache_clear()
    monkeypatch.setattr(recount_backends, "is_signed", lambda *_: verdict)
    with pytest.raises(InvariantBroken, match=f"wrong_backend: .*{says}"):
        recount_backends.require_second_backends(engine_backends())


def test_libraries_that_were_not_seen_at_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = frozenset[str]()
    context = engine_backends()
    for found in (type(context)(nothing, context.bls), type(context)(context.keccak, nothing)):
        with pytest.raises(InvariantBroken, match=r"same_backends: .*no library at all"):
            recount_backends.require_second_backends(found)


def given(signed: Signed, randomness: bytes) -> Beacon:
    """As the gate hands it over."""
    return Beacon(signed.public_key, signed.drand_round, signed.signature, randomness)


def test_a_beacon_passes_with_its_own_randomness_only() -> None:
    signed = honest_beacons()[0]
    randomness = hashlib.sha256(signed.signature).digest()
    require_beacon(given(signed, randomness))
    for wrong in (bytes(32), randomness[::-1], signed.signature[:32]):
        with pytest.raises(InvariantBroken, match="forged_beacon: the randomness"):
            require_beacon(given(signed, wrong))


def test_a_forged_beacon_stops_the_recount_whatever_its_randomness() -> None:
    first, second, *_ = honest_beacons()
    forged = Signed("", first.signature, second.drand_round)
    with pytest.raises(InvariantBroken, match="forged_beacon: by py_ecc"):
        require_beacon(given(forged, hashlib.sha256(first.signature).digest()))
