"""A package that is not the one that was locked is not installed (fault X07); nothing listens for commands (X09)."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.loopback import serving
from tests.support.played_world import PlayedWorld

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-node.lock", "requirements-slither.lock")


def wheel(folder: Path, *, text: str) -> Path:
    """A wheel of a package of one module, as an index would serve it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bo_tiny-1.0-py3-none-any.whl"
    files = {
        "bo_tiny.py": text,
        "bo_tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: bo-tiny\nVersion: 1.0\n",
        "bo_tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
        record += f"{name},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "bo_tiny-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, content)
    return path


def install(lock: Path, wheels: Path, target: Path) -> "subprocess.CompletedProcess[str]":
    """What `make setup` runs, without an index."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q", "--no-index"]
    command += ["--find-links", str(wheels), "--target", str(target), "--require-hashes", "-r", str(lock)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    good = wheel(tmp_path / "good", text="VALUE = 1\n")
    lock = tmp_path / "requirements.lock"
    line = f"bo-tiny==1.0 \\\n    --hash=sha256:{hashlib.sha256(good.read_bytes()).hexdigest()}\n"
    lock.write_text(line)
    done = install(lock, good.parent, tmp_path / "first")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "first" / "bo_tiny.py").exists()

    bad = wheel(tmp_path / "bad", text="VALUE = 2\n")
    changed = line[:-2] + ("0" if line[-2] != "0" else "1") + "\n"
    for wheels, text, said in (
        (bad, line, "DO NOT MATCH THE HASHES"),
        (good, changed, "DO NOT MATCH THE HASHES"),
        (good, "bo-tiny==1.0\n", "Hashes are required"),
        (good, line.replace("==", ">="), "=="),
    ):
        lock.write_text(text)
        done = install(lock, wheels.parent, tmp_path / "second")
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
        assert not (tmp_path / "second" / "bo_tiny.py").exists()


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_version_with_its_hashes(name: str) -> None:
    assert unpinned((ROOT / name).read_text(encoding="utf-8")) == []


def unpinned(text: str) -> list[str]:
    """Requirements of a lock that are not one exact version with at least one sha256."""
    found = []
    for entry in text.replace("\\\n", " ").splitlines():
        bare = entry.partition("    #")[0].strip()
        if not bare or bare.startswith("#"):
            continue
        pin = re.fullmatch(
            r"[A-Za-z0-9._-]+(?:\[[^]]*\])?==[A-Za-z0-9.!+_-]+(?: *;[^#]*?)?(?: +--hash=sha256:[0-9a-f]{64})+", bare
        )
        if pin is None:
            found.append(bare[:80])
    return found


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests==2.34.2",
        "requests>=2 --hash=sha256:" + "0" * 64,
        "requests==2.* --hash=sha256:" + "0" * 64,
        "requests==2.34.2 --hash=md5:" + "0" * 32,
        "requests @ git+ssh://host/requests --hash=sha256:" + "0" * 64,
        "-e .",
        "--trusted-host host",
    ],
)
def test_a_line_without_its_hash_would_be_found(line: str) -> None:
    assert unpinned(f"a==1 \\\n    --hash=sha256:{'0' * 64}\n{line}\n") == [line[:80]]


@pytest.mark.parametrize("name", LOCKS)
def test_setup_installs_by_hash_and_itself_without_dependencies(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line.strip() for line in makefile.splitlines() if "pip) install" in line]
    assert any(f"--require-hashes -r {name}" in line for line in installs)
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation -e ." in line for line in installs)


@pytest.mark.world
def test_a_command_listens_nowhere(played: PlayedWorld) -> None:
    # There are no inbound commands: nobody could send one to a process that holds no listening socket.
    with serving(lambda path, body: iter([60.0])) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "settle"],
            env=played.command_env(RPC_URL=server.url),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not server.asked:
            assert process.poll() is None
            os.sched_yield()
        own = {str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir()}
        tables = [Path(f"/proc/{process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6", "udp", "udp6")]
        process.kill()
        process.wait()
    inodes = {link.removeprefix("socket:[").rstrip("]") for link in own if link.startswith("socket:")}
    rows = [row.split() for table in tables for row in table.splitlines()[1:]]
    assert inodes
    listening = "0A"
    assert [row[1] for row in rows if row[3] == listening and row[9] in inodes] == []
