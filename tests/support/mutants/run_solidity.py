"""`make mutants ARGS=contracts`: plants the errors of ``solidity`` and runs forge's unit tests until one dies.

Each worker has a copy of contracts/ with its compiler's cache; nothing of the project is changed. forge links the tests
to the contracts when they run, so an error compiles its own file and not all tests anew. The optimizer is off: it
changes what calls cost and not what they do.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.contracts.node_tools import CONTRACTS, find_forge, find_node
from tests.support.mutants.solidity import PLANTED, Planted

# Fuzz tests of an error look at the same values each time.
_SEED = "0xb0e"
_LIMIT_S = 1_800
_COPIED = ("src", "test", "foundry.toml", "solc-npm.js", "package.json")


@dataclass(frozen=True)
class Trial:
    """An error and the test that saw it; none if it survived."""

    planted: Planted
    died: str | None
    took_s: float


class NotCompiled(Exception):
    """The sources do not compile, so no test was asked."""


def copy_contracts(folder: Path) -> Path:
    """A copy of contracts/ without the campaigns, which needs the packages of the original only."""
    folder.mkdir(parents=True)
    for name in _COPIED:
        place = CONTRACTS / name
        if place.is_dir():
            shutil.copytree(place, folder / name, ignore=shutil.ignore_patterns("invariants"))
        else:
            shutil.copy2(place, folder / name)
    (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
    return folder


def ask(folder: Path, *selection: str) -> str | None:
    """Run forge's tests in a copy until one fails; the name of that one, or None.

    Raises: NotCompiled.
    """
    argv = [find_forge(), "test", "--json", "--fail-fast", "--dynamic-test-linking", "--fuzz-seed", _SEED, *selection]
    path = f"{find_node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    forge = {"FOUNDRY_OFFLINE": "true", "FOUNDRY_PROFILE": "default", "FOUNDRY_OPTIMIZER": "false", "NO_COLOR": "1"}
    env = {**os.environ, **forge, "PATH": path}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise NotCompiled(done.stderr.strip()[-2_000:])
    suites: dict[str, Any] = json.loads(lines[-1])
    failed = [
        f"{suite.split(':')[-1]}.{test.partition('(')[0]}"
        for suite, found in suites.items()
        for test, outcome in found["test_results"].items()
        if outcome["status"] == "Failure"
    ]
    return min(failed) if failed else None


@contextlib.contextmanager
def planted_in(folder: Path, planted: Planted) -> Iterator[None]:
    """The copy with the error in it."""
    source = folder / "src" / "lottery" / planted.file
    text = source.read_text(encoding="utf-8")
    if text.count(planted.old) != 1:
        raise ValueError(f"{planted.file}: {text.count(planted.old)} times: {planted.old}")
    source.write_text(text.replace(planted.old, planted.new), encoding="utf-8")
    try:
        yield
    finally:
        source.write_text(text, encoding="utf-8")


def try_one(folder: Path, planted: Planted) -> Trial:
    """Plant an error and ask its own tests, then all others. Raises: NotCompiled."""
    started = time.monotonic()
    names = planted.tests[0] if len(planted.tests) == 1 else "{" + ",".join(planted.tests) + "}"
    own = f"test/lottery/{names}.t.sol"
    with planted_in(folder, planted):
        died = ask(folder, "--match-path", own) or ask(folder, "--no-match-path", own)
    return Trial(planted, died, time.monotonic() - started)


def shown(trial: Trial) -> str:
    """One line: where, what it breaks, and which test died."""
    where = f"contracts/src/lottery/{trial.planted.file}"
    return f"{where}: {trial.planted.breaks}: {trial.died or 'SURVIVED'} ({trial.took_s:.0f} s)"


def main(workers: int, planted: tuple[Planted, ...] = PLANTED) -> int:
    """Try all errors; exits with 1 if one survives or cannot be planted."""
    with tempfile.TemporaryDirectory(prefix="bo-mutants-") as temporary:
        first = copy_contracts(Path(temporary) / "0")
        died = ask(first)
        if died is not None:
            sys.stderr.write(f"{died} fails without any error\n")
            return 1
        folders: SimpleQueue[Path] = SimpleQueue()
        folders.put(first)
        for number in range(1, workers):
            # With the cache, so that it does not compile everything again.
            folders.put(Path(shutil.copytree(first, Path(temporary) / str(number), symlinks=True)))

        def attempt(one: Planted) -> Trial | None:
            folder = folders.get()
            try:
                trial = try_one(folder, one)
            except (NotCompiled, ValueError, subprocess.TimeoutExpired) as error:
                sys.stdout.write(f"contracts/src/lottery/{one.file}: {one.breaks}: NOT TRIED: {error}\n")
                return None
            finally:
                folders.put(folder)
            sys.stdout.write(shown(trial) + "\n")
            sys.stdout.flush()
            return trial

        with ThreadPoolExecutor(workers) as pool:
            trials = list(pool.map(attempt, planted))
    killed = sum(trial is not None and trial.died is not None for trial in trials)
    sys.stdout.write(f"{killed} of {len(planted)}\n")
    return 0 if killed == len(planted) else 1
