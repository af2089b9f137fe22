"""The layout: where things lie, and what the lock files may not say."""

import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_comes_from_this_checkout(name: str) -> None:
    # `watchdog` and `core` are popular names: one installed from elsewhere would be imported without a word.
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found).resolve().parent == ROOT / name


def test_the_package_lists_name_every_package() -> None:
    present = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert present == set(PACKAGES)
    assert present == set(PROJECT["tool"]["mypy"]["packages"])
    assert present == set(PROJECT["tool"]["importlinter"]["root_packages"])


def test_tests_are_no_packages() -> None:
    # tests/core/__init__.py would hide the real `core`.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_lock_files_pin_hashes_and_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-node.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        pins = re.findall(r"^([a-zA-Z0-9._-]+(?:\[[^]]*\])?)==\S+.*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE)) > 0
        assert "://" not in text
    lock = json.loads((ROOT / "contracts" / "package-lock.json").read_text(encoding="utf-8"))
    for path, package in lock["packages"].items():
        assert "resolved" not in package, path
        assert path == "" or package.get("integrity", "").startswith("sha512-"), path


def test_every_declared_dependency_is_locked_at_its_version() -> None:
    locked = dict(
        re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    declared = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        declared += extra
    for line in declared:
        name, _, version = line.partition("==")
        assert locked[re.sub(r"\[.*\]", "", name).lower()] == version, line
    assert "watchdog" not in locked
