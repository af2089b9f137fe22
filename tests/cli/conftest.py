"""What the tests of refused commands compare with."""

import pytest

from services.lottery.settlement.dry_run import dry_run_step
from tests.support.played_world import PlayedWorld


@pytest.fixture(scope="session")
def true_run_hash(sold_world: PlayedWorld) -> str:
    """The run hash of the sold day when nobody has changed anything."""
    sold_world.restore()
    with sold_world.context() as context:
        return str(dry_run_step(context, "settle", sold_world.day)["run_hash"])
