"""The mutants of `make mutants` are programs, differ from the original, and are seen by tests that look."""

import ast
from pathlib import Path

import pytest

from tests.support.mutants.mutate import mutants_of
from tests.support.mutants.run import ROOT, asked_tests, targets
from tests.support.mutants.run_solidity import copy_contracts, try_one
from tests.support.mutants.solidity import PLANTED, Planted

SOURCE = """
def pay(share: int, won: int) -> int:
    \"\"\"Not code: 1 < 2.\"\"\"
    if won == 0 and share > 5:
        return 0
    refuse(share)
    return share // won + 1
"""


def test_each_kind_of_error_is_planted_once_and_nothing_else_is_touched() -> None:
    found = mutants_of(SOURCE)
    assert sorted(one.change for one in found) == sorted(
        [
            *("condition negated", "And -> Or", "Eq -> NotEq", "Gt -> GtE", "0 -> 1", "0 -> 1", "5 -> 6", "1 -> 2"),
            *("returns None", "returns None", "statement left out", "FloorDiv -> Mult", "Add -> Sub"),
        ]
    )
    plain = ast.unparse(ast.parse(SOURCE))
    for one in found:
        changed = [
            (old, new) for old, new in zip(plain.splitlines(), one.source.splitlines(), strict=True) if old != new
        ]
        assert len(changed) == 1, one.change
        compile(one.source, "mutant", "exec")


def test_a_test_that_looks_sees_every_one_of_them() -> None:
    def behaviour(source: str) -> object:
        refused: list[int] = []
        scope: dict[str, object] = {"refuse": refused.append}
        exec(source, scope)  # noqa: S102
        cases = [(0, 0), (5, 0), (6, 0), (7, 2), (9, 1)]
        answers = []
        for case in cases:
            try:
                answers.append(scope["pay"](*case))  # type: ignore[operator]
            except ZeroDivisionError:
                answers.append("divided by zero")
        return answers, refused

    honest = behaviour(SOURCE)
    assert [one.change for one in mutants_of(SOURCE) if behaviour(one.source) == honest] == []


@pytest.mark.parametrize("path", targets([]), ids=lambda path: str(Path(path).relative_to(ROOT)))
def test_every_module_has_tests_to_ask(path: Path) -> None:
    for tests in asked_tests(str(path.relative_to(ROOT))):
        assert all((ROOT / test).exists() for test in tests)


# ------------------------------------------------------------------------------------------------------- in Solidity


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: f"{one.file}: {one.breaks}")
def test_each_error_in_solidity_has_one_place_and_tests_to_ask(planted: Planted) -> None:
    source = (ROOT / "contracts" / "src" / "lottery" / planted.file).read_text(encoding="utf-8")
    assert source.count(planted.old) == 1
    assert planted.new != planted.old
    assert all((ROOT / "contracts" / "test" / "lottery" / f"{name}.t.sol").is_file() for name in planted.tests)


def test_at_least_forty_errors_are_planted_in_solidity_and_none_twice() -> None:
    assert len(PLANTED) >= 40
    assert len({(one.file, one.old, one.new) for one in PLANTED}) == len(PLANTED)
    sources = {path.name for path in (ROOT / "contracts" / "src" / "lottery").glob("*.sol")}
    # The rest are numbers and types, and two names for ClaimVault.
    untouched = {"AffiliateVault.sol", "GameConstants.sol", "PrizeVault.sol", "Types.sol"}
    assert {one.file for one in PLANTED} == sources - untouched


@pytest.mark.slow
def test_an_error_in_solidity_dies_and_a_change_of_nothing_survives(tmp_path: Path) -> None:
    folder = copy_contracts(tmp_path / "contracts")
    error = next(one for one in PLANTED if one.breaks == "a leaf is hashed twice")
    trial = try_one(folder, error)
    assert trial.died is not None
    assert trial.died.startswith("ClaimsTest.")
    nothing = Planted(error.file, error.old, f"({error.old})", "nothing", error.tests)
    assert try_one(folder, nothing).died is None
