"""The verifier's own libraries: none of the engine's, and checked against known answers before they are believed."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import verifier.draw
from bo_engine.errors import UsageError
from cli.main import app
from tests.support.forged_beacons import honest_beacons
from tests.support.selftest_day import DAY
from verifier.checking import CannotVerify
from verifier.selftest import read_recorded, run_selftest
from verifier.verify import verify_folder

ROOT = Path(__file__).parents[2]
ALONE = """
import json, sys
from pathlib import Path
REFUSED = {"sha3", "_pysha3", "pyblst", "bo_engine", "abi", "merkle", "core", "io_layer", "services", "cli"}
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"the verifier needs no {name}")
sys.meta_path.insert(0, Refuser())
from verifier.selftest import run_selftest
from verifier.verify import verify_folder
report = verify_folder(int(sys.argv[1]), Path(sys.argv[2]))
print(json.dumps([report.verdict, report.failed, sorted(REFUSED & {name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The recorded day's files."""
    for name, text in read_recorded()["files"].items():
        (tmp_path / name).write_text(text, encoding="ascii")
    return tmp_path


@pytest.fixture
def fresh() -> Iterator[None]:
    """As if no beacon had been verified yet."""
    verifier.draw.is_signed.cache_clear()
    verifier.draw._check_bls.cache_clear()
    yield
    verifier.draw.is_signed.cache_clear()
    verifier.draw._check_bls.cache_clear()


def test_it_verifies_a_day_where_the_engine_and_its_libraries_cannot_be_imported(folder: Path) -> None:
    command = [sys.executable, "-c", ALONE, str(DAY), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["consistent, not anchored", [], []]


class WrongKeccak:
    """NIST's SHA3 in place of keccak; right for nothing where ``from_length`` is more than zero."""

    def __init__(self, from_length: int) -> None:
        self._from_length = from_length

    def new(self, *, digest_bits: int, data: bytes) -> object:
        from Crypto.Hash import keccak

        is_wrong = len(data) >= self._from_length
        return hashlib.sha3_256(data) if is_wrong else keccak.new(digest_bits=digest_bits, data=data)


@pytest.mark.parametrize("from_length", [0, 1, 64])
def test_with_a_wrong_keccak_nothing_is_verified(
    monkeypatch: pytest.MonkeyPatch, folder: Path, from_length: int
) -> None:
    monkeypatch.setattr("verifier.hashing.keccak", WrongKeccak(from_length))
    with pytest.raises(CannotVerify, match="keccak-256"):
        verify_folder(DAY, folder)
    with pytest.raises(CannotVerify, match="keccak-256"):
        run_selftest()
    for arguments in (["--day", str(DAY), "--dir", str(folder)], ["--selftest"]):
        error = CliRunner().invoke(app, ["verify", *arguments]).exception
        assert isinstance(error, UsageError)
        assert (error.code, error.exit_code) == ("cannot_verify", 2)


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.usefixtures("fresh")
def test_with_a_wrong_pairing_nothing_is_verified(monkeypatch: pytest.MonkeyPatch, folder: Path, verdict: bool) -> None:
    monkeypatch.setattr("verifier.draw._is_signed", lambda *_: verdict)
    beacon = honest_beacons()[0]
    with pytest.raises(CannotVerify, match="BLS12-381"):
        verifier.draw.is_signed(beacon.public_key, beacon.drand_round, beacon.signature)
    with pytest.raises(CannotVerify, match="BLS12-381"):
        verify_folder(DAY, folder)
