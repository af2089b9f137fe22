"""How a command of the lottery starts: its context, opened and closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.output import tell
from cli.start import loaded_settings, watched

if TYPE_CHECKING:
    from services.lottery.context import LotteryContext
    from services.lottery.wording import LotteryWording


@contextmanager
def opened_lottery(*, for_display: bool = False) -> Iterator["LotteryContext"]:
    """Database and chain, closed at the end. Signals ask the command to stop at the next safe point.

    A command that only shows goes on with one RPC endpoint when the other does not answer, and says so.
    """
    from services.lottery.context import open_lottery

    settings = loaded_settings()
    with (
        watched() as (report, cancel),
        open_lottery(settings, report=report, cancel=cancel, for_display=for_display) as context,
    ):
        yield context
    for warning in context.chain.warnings:
        tell(f"bo-engine: warning: {warning}")


def lottery_wording() -> "LotteryWording":
    """How the lottery's transactions are named."""
    from services.lottery.wording import WORDING

    return WORDING
