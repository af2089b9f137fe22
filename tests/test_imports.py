"""The import contracts of pyproject.toml can fail: each is broken by one import planted in a copy of the project."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["importlinter"]["root_packages"]
#: Contract: the module, and the import that it may not have.
PLANTED = {
    "Imports point one way": ("io_layer/rpc/wire.py", "services.running.cancel"),
    "In core a product stands above what is shared": ("core/deployment/terms.py", "core.lottery.model"),
    "In io_layer a product stands above what is shared": ("io_layer/stores/jobs.py", "io_layer.lottery.stores.runs"),
    "In services a product stands above what is shared": ("services/chain/clock_guard.py", "services.jobs.job"),
    "In workers a product stands above what is shared": ("workers/prune.py", "workers.lottery.settle"),
    "In cli a product stands above what is shared, and main puts them together": ("cli/jobs.py", "cli.lottery.start"),
    "In local_world a product stands above what is shared": ("local_world/chain.py", "local_world.lottery.bank"),
    "The lottery's capabilities are siblings above its days": (
        "services/lottery/claims/index.py",
        "services.lottery.purchases.recover",
    ),
    "The heart is pure": ("core/lottery/prizes.py", "os"),
    "The second opinion shares nothing with the first": ("io_layer/lottery/recount/day.py", "core.lottery.prizes"),
    "The second opinion computes with other libraries": ("io_layer/lottery/recount/beacon.py", "pyblst"),
    "The engine computes with its own libraries": ("core/lottery/drand.py", "py_ecc"),
    "The verifier shares nothing with what it checks": ("verifier/prizes.py", "core.lottery.prizes"),
    "Only its command knows the verifier": ("workers/all_jobs.py", "verifier.report"),
    "Of the commands, only verify does": ("cli/lottery/settling.py", "verifier.report"),
}


def broken(folder: Path) -> dict[str, bool]:
    """Whether each contract is broken in a copy of the project."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    found = re.findall(r"^(.+) (KEPT|BROKEN)$", said, re.MULTILINE)
    assert found, done
    return {name: state == "BROKEN" for name, state in found}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their contracts, without anything else."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_tried() -> None:
    assert set(PLANTED) == {one["name"] for one in PROJECT["tool"]["importlinter"]["contracts"]}


def test_each_contract_sees_a_forbidden_import_of_its_kind(copy: Path) -> None:
    assert not any(broken(copy).values())
    for path, imported in PLANTED.values():
        file = copy / path
        file.write_text(file.read_text(encoding="utf-8") + f"\n\nimport {imported}  # planted\n", encoding="utf-8")
    assert {name for name, is_broken in broken(copy).items() if not is_broken} == set()


def test_a_new_folder_must_be_given_its_place(copy: Path) -> None:
    (copy / "services" / "news").mkdir()
    (copy / "services" / "news" / "__init__.py").touch()
    assert broken(copy)["In services a product stands above what is shared"]
