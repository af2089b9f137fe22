import pytest

from bo_engine.errors import (
    EXIT_FAILED,
    EXIT_LATER,
    EXIT_USAGE,
    EngineError,
    InvalidInput,
    InvariantBroken,
    Unavailable,
    UsageError,
    require_input,
    require_invariant,
)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (InvalidInput, EXIT_FAILED),
        (InvariantBroken, EXIT_FAILED),
        (UsageError, EXIT_USAGE),
        (Unavailable, EXIT_LATER),
    ],
)
def test_an_error_says_what_to_do_next_by_its_exit_code(kind: type[EngineError], exit_code: int) -> None:
    error = kind("some_code", "what happened")
    assert (error.exit_code, error.code, str(error)) == (exit_code, "some_code", "some_code: what happened")


def test_a_requirement_that_holds_is_silent() -> None:
    require_input(True, "never", "never")
    require_invariant(True, "never", "never")


def test_a_broken_requirement_raises_with_its_code() -> None:
    with pytest.raises(InvalidInput, match="no_winners: a tier needs a winner"):
        require_input(False, "no_winners", "a tier needs a winner")
    with pytest.raises(InvariantBroken, match="leak: 1 atom"):
        require_invariant(False, "leak", "1 atom")


def test_findings_travel_with_a_broken_invariant() -> None:
    assert InvariantBroken("gates", "two failed", ["G3", "G9"]).findings == ("G3", "G9")
