"""`make mutants`: plants the errors of ``mutate`` in core/, merkle/ and the gates, and runs the tests that should see.

A mutant that no test fails on has survived: either a test is missing, or the change means nothing (docs/mutants.md
says which). Each runs in a fork of a process that has loaded the libraries already, from memory: no file is changed.
A mutant that never ends is stopped by the processor time it takes, so that a busy machine kills none.
"""

import argparse
import functools
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
# What is slow to import and is none of ours.
LIBRARIES = ("pytest", "hypothesis", "numpy", "rfc8785", "py_ecc.bls.hash_to_curve", "eth_account", "web3", "psycopg")
_PURE = ("tests/core", "tests/merkle", "tests/verifier/test_agreement.py")
GATES = "services/lottery/settlement/gates/gates.py"
#: Which tests are asked about a module; the first folder that fits decides.
TESTS: dict[str, tuple[str, ...]] = {
    "core/": _PURE,
    "merkle/": ("tests/merkle", "tests/core", "tests/verifier/test_agreement.py"),
    GATES: (
        "tests/services/lottery/settlement/gates/test_gates.py",
        "tests/services/lottery/settlement/gates/test_gates_recount.py",
    ),
}
LEAST_PERCENT = 85
# A test that waits takes no processor time: so many times as long by the clock ends it, too.
_PATIENCE = 10
_MOST_BYTES = 6 * 2**30  # what a mutant, and each process that it starts, may have
_AGES_S = 1_200  # without a mutant nothing is expected to hang


@dataclass(frozen=True)
class Trial:
    """A mutant and what became of it: killed, survived, or killed by the clock."""

    module: str
    line: int
    change: str
    outcome: str


def targets(named: list[str]) -> list[Path]:
    """The modules to look at: those that were named, or all."""
    if named:
        return [ROOT / name for name in named]
    found = [*ROOT.glob("core/**/*.py"), *ROOT.glob("merkle/*.py"), ROOT / GATES]
    return sorted(path for path in found if path.name != "__init__.py")


def asked_tests(module: str) -> list[tuple[str, ...]]:
    """The tests that are asked about a module, one lot after the other: its own first, which are few and see most."""
    tests = next(tests for prefix, tests in TESTS.items() if module.startswith(prefix))
    # A module's own test has its name, or that of its folder.
    for path in (Path(module), Path(module).parent):
        own = Path("tests", path).with_name(f"test_{path.stem}.py")
        if (ROOT / own).is_file() and str(own) not in tests:
            return [(str(own),), tests]
    return [tests]


@functools.cache
def seconds_of(tests: tuple[str, ...]) -> float:
    """How long a lot of tests takes without any mutant. Raises: ValueError if one of them fails."""
    started = time.monotonic()
    if _try_tests("core/__init__.py", None, tests, _AGES_S) != "survived":
        raise ValueError(f"{' '.join(tests)}: fails without any mutant")
    return time.monotonic() - started


def try_source(module: str, source: str) -> str:
    """Run the module's tests with its source replaced, until a lot of them sees it."""
    for tests in asked_tests(module):
        outcome = _try_tests(module, source, tests, 3 * seconds_of(tests) + 10)
        if outcome != "survived":
            return outcome
    return "survived"


def _try_tests(module: str, source: str | None, tests: tuple[str, ...], limit_s: float) -> str:
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), int(limit_s)))
        # A number that is multiplied where it was divided may ask for more days than a machine has memory for.
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
        _become_tests(module, source, tests)
    until = time.monotonic() + _PATIENCE * limit_s
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return "killed by the clock"
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "killed by the clock"


def _become_tests(module: str, source: str | None, tests: tuple[str, ...]) -> None:
    """In the child: hook the import, be silent, run pytest, end."""
    code: Any = 3
    try:
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        if source is not None:
            sys.meta_path.insert(0, _Planted(module.removesuffix(".py").replace("/", "."), ROOT / module, source))
        import pytest

        quiet = ("-x", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow")
        code = pytest.main([*quiet, "--hypothesis-seed=0", *tests])
    finally:
        os._exit(int(code))


class _Planted:
    """Loads one module from a changed source, whoever imports it."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """The spec of our one module."""
        if name != self._name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self._path))

    def create_module(self, spec: Any) -> None:
        """The default one."""

    def exec_module(self, module: Any) -> None:
        """Run the changed source."""
        module.__file__ = str(self._path)
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)  # noqa: S102


def main() -> int:
    """Try every mutant of the modules; exit 1 below ``LEAST_PERCENT``."""
    from tests.support.mutants.mutate import mutants_of

    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", help="core/lottery/prizes.py and the like, or contracts; all Python if none is named"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.chdir(ROOT)
    if given.modules == ["contracts"]:
        from tests.support.mutants import run_solidity

        return run_solidity.main(given.workers)
    for library in LIBRARIES:
        importlib.import_module(library)
    trials: list[Trial] = []
    for path in targets(given.modules):
        module = str(path.relative_to(ROOT))
        try:
            for tests in asked_tests(module):
                seconds_of(tests)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        mutants = mutants_of(path.read_text(encoding="utf-8"))
        with ThreadPoolExecutor(given.workers) as pool:
            outcomes = list(pool.map(lambda one, m=module: try_source(m, one.source), mutants))
        found = [Trial(module, one.line, one.change, outcome) for one, outcome in zip(mutants, outcomes, strict=True)]
        trials += found
        lived = [trial for trial in found if trial.outcome == "survived"]
        sys.stderr.write(f"{module}: {len(found) - len(lived)} of {len(found)} killed\n")
        for trial in lived:
            sys.stderr.write(f"  survived: {trial.module}:{trial.line} {trial.change}\n")
    killed = sum(trial.outcome != "survived" for trial in trials)
    percent = 100 * killed // len(trials) if trials else 100
    if given.json:
        sys.stdout.write(json.dumps([vars(trial) for trial in trials], indent=1) + "\n")
    else:
        sys.stdout.write(f"{killed} of {len(trials)} killed: {percent} %\n")
    return 0 if percent >= LEAST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
