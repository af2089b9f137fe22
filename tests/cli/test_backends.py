"""A command refuses to work with a library that is missing or wrong, before it reaches for database or chain."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_FAILED
from bo_engine.settings import SETTINGS

ROOT = Path(__file__).parents[2]
# Nothing listens there; whoever asks gets another code than the one that is expected.
ENV = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
    "RPC_URL": "http://127.0.0.1:9/",
    "RPC_FALLBACK_URL": "http://127.0.0.1:9/2",
    "CHAIN_ID": "421614",
    "SETTLEMENT_ADDRESS": "0x" + "11" * 20,
}
CHECK = "artifacts check --day 1"  # opens the engine
NOT_KECCAK = "from hashlib import sha3_256 as keccak_256"
NEVER = "raise ImportError('no such symbol')"
ACCEPTS_ALL = """
class BlstP1Element:
    def uncompress(self, data):
        self.data = data
        return self
    def compress(self):
        return self.data
    def hash_to_group(self, message, tag):
        return self
BlstP2Element = BlstP1Element
def miller_loop(first, second):
    return 0
def final_verify(left, right):
    return True
"""


def run(folder: Path, module: str, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where ``module`` is of this source."""
    (folder / "shims").mkdir()
    (folder / "shims" / f"{module}.py").write_text(source)
    names = {setting.name for setting in SETTINGS} | {"BO_ENV_FILE"}
    env = {name: value for name, value in os.environ.items() if name not in names}
    env |= {**ENV, "ARTIFACTS_DIR": str(folder / "artifacts"), "LOGS_DIR": str(folder / "logs")}
    env["PYTHONPATH"] = os.pathsep.join((str(folder / "shims"), str(ROOT)))
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "source", "command", "code", "says"),
    [
        pytest.param("sha3", NOT_KECCAK, CHECK, "wrong_backend", "the engine's keccak-256", id="not-keccak"),
        pytest.param("sha3", NOT_KECCAK, "jobs", "wrong_backend", "the engine's keccak-256", id="without-an-engine"),
        pytest.param("pyblst", ACCEPTS_ALL, CHECK, "wrong_backend", "the engine's BLS12-381", id="accepts-all"),
        pytest.param("pyblst", NEVER, CHECK, "missing_library", "the engine's BLS12-381 is pyblst", id="no-pyblst"),
        pytest.param("sha3", NEVER, "jobs", "missing_library", "the engine's keccak-256 is safe-pysha3", id="no-sha3"),
    ],
)
def test_a_wrong_or_missing_library_ends_the_command_at_once(
    tmp_path: Path, module: str, source: str, command: str, *, code: str, says: str
) -> None:
    done = run(tmp_path, module, source, *command.split(), "--json")
    assert done.returncode == EXIT_FAILED, done.stderr
    told = json.loads(done.stdout)
    assert (told["error"], told["exit_code"]) == (code, EXIT_FAILED)
    assert says in told["message"]
    assert {path.name for path in tmp_path.iterdir()} == {"shims"}
