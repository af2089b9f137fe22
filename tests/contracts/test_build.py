"""What stands in abi/ is what the sources give, and the contracts' own tests pass."""

import json
from pathlib import Path

import abi
from tests.contracts.node_tools import CONTRACTS, ROOT, find_forge, find_node, run

MAX_CODE_BYTES = 24_576
FORGE_TESTS = CONTRACTS / "test" / "lottery"


def built_files(folder: Path) -> dict[str, bytes]:
    """The JSON files below a folder, by their path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json")}


def test_abi_is_what_the_sources_compile_to_byte_for_byte(tmp_path: Path) -> None:
    built = run([find_node(), CONTRACTS / "build.js", tmp_path], timeout_s=120)
    assert built.returncode == 0, built.stderr
    committed = built_files(ROOT / "abi")
    rebuilt = built_files(tmp_path)
    assert sorted(rebuilt) == sorted(committed)
    differing = [name for name in sorted(rebuilt) if rebuilt[name] != committed[name]]
    assert differing == [], "run `make contracts` and commit abi/"


def test_the_real_coordinator_of_the_forge_tests_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    built = run([find_node(), FORGE_TESTS / "chainlink.js", tmp_path / "built.json"], timeout_s=120)
    assert built.returncode == 0, built.stderr
    committed = FORGE_TESTS / "VRFCoordinatorV2_5.json"
    assert (tmp_path / "built.json").read_bytes() == committed.read_bytes(), (
        "run `node contracts/test/lottery/chainlink.js`"
    )


def test_every_contract_has_an_artifact_and_fits_the_chain() -> None:
    files = {Path(name).stem for name in built_files(ROOT / "abi")} - {"build", "constants"}
    assert files == set(abi.CONTRACT_NAMES)
    sizes = abi.build_info()["codeBytes"]
    assert set(sizes) == files
    assert all(size <= MAX_CODE_BYTES for size in sizes.values())


def test_the_compiler_is_the_pinned_one() -> None:
    pins = json.loads((CONTRACTS / "package.json").read_text("utf-8"))["devDependencies"]
    assert abi.build_info()["solc"].startswith(pins["solc"] + "+commit.")


def test_the_contracts_own_tests_pass(tmp_path: Path) -> None:
    """Unit and fuzz tests in Solidity, one file per part of the contracts."""
    places = ["--out", tmp_path / "out", "--cache-path", tmp_path / "cache"]
    # The campaigns have a file of their own: test_invariants.py. Linked at run time, the contracts are compiled once
    # and not into each test again.
    argv = [find_forge(), "test", "--json", "--skip", "*/invariants/*", "--dynamic-test-linking", *places]
    result = run(argv, timeout_s=300)
    suites = json.loads(result.stdout.strip().splitlines()[-1]) if result.stdout.strip() else {}
    outcomes = {
        f"{suite}:{name}": outcome for suite, found in suites.items() for name, outcome in found["test_results"].items()
    }
    failed = {name: outcome.get("reason") for name, outcome in outcomes.items() if outcome["status"] != "Success"}
    assert failed == {}, failed
    assert result.returncode == 0, result.stderr
    # A suite that does not compile or is not found would otherwise pass in silence.
    assert len(suites) >= 16
    assert len(outcomes) >= 260
