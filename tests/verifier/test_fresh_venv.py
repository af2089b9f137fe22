"""The verifier works where nothing of the engine's surroundings is: an installed wheel, no settings, no database."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.selftest_day import DAY
from verifier.selftest import read_recorded

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
# What a database or the engine would come through.
POISON = """
import sys
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("psycopg", "web3", "eth_account", "yoyo", "pywebpush", "numpy"):
            raise ImportError(f"the verifier needs no {name}")
sys.meta_path.insert(0, Refuser())
"""


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command without any environment."""
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd=cwd, env={}, capture_output=True, text=True, check=False)


def test_the_wheel_alone_verifies_a_day_and_itself(tmp_path: Path) -> None:
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    fresh = tmp_path / "fresh"
    assert run(sys.executable, "-m", "venv", "--without-pip", fresh, cwd=tmp_path).returncode == 0
    python = fresh / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", wheel)
    installed = run(*pip, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    # The libraries of this environment, but not its packages of ours: those come from the wheel.
    (site,) = fresh.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (site / "sitecustomize.py").write_text(POISON)
    where = run(python, "-I", "-c", "import verifier; print(verifier.__file__)", cwd=tmp_path)
    assert where.stdout.startswith(str(site)), where

    folder = tmp_path / "day"
    folder.mkdir()
    for name, text in read_recorded()["files"].items():
        (folder / name).write_text(text, encoding="ascii")
    program = fresh / "bin" / "bo-engine"
    good = run(program, "verify", "--day", DAY, "--dir", folder, "--json", cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, ""), good.stderr
    assert json.loads(good.stdout)["verdict"] == "consistent, not anchored"
    itself = run(program, "verify", "--selftest", cwd=tmp_path)
    assert itself.returncode == 0, itself.stderr
    caught, of = itself.stdout.splitlines()[-1].removesuffix(" caught").split(" of ")
    assert caught == of and int(of) >= 36
