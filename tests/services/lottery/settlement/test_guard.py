"""What is kept of an error while a day's state is written down."""

from services.lottery.settlement.guard import _let_go


def test_an_error_that_stands_in_its_own_chain_is_let_go_once() -> None:
    try:
        try:
            raise ValueError("first")
        except ValueError as first:
            raise KeyError("second") from first
    except KeyError as second:
        caught = second
    assert caught.__cause__ is not None
    caught.__cause__.__context__ = caught
    _let_go(caught)
