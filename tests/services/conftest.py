"""The sold day one step further: computed and waiting for the gates; and a sold day whose VRF word never comes."""

from collections.abc import Iterator

import pytest

from local_world.lottery.world import start_world
from services.lottery.settlement.files.artifacts import mirror_artifacts
from tests.support.observed import run_steps
from tests.support.played_world import PlayedWorld
from tests.support.refunding import void_day


@pytest.fixture(scope="session")
def computed_database(sold_world: PlayedWorld) -> str:
    """A database in which the first day is exported and computed; the chain knows nothing of it yet."""
    sold_world.restore()
    run_steps(sold_world, "export", "affiliates", "compute")
    return sold_world.keep()


@pytest.fixture
def computed(sold_world: PlayedWorld, computed_database: str) -> Iterator[PlayedWorld]:
    """The world at the moment before the gates look at its first day."""
    sold_world.restore(computed_database)
    with sold_world.context() as context:
        mirror_artifacts(context, sold_world.day)
    yield sold_world
    sold_world.require_no_secret_left()


@pytest.fixture(scope="module")
def closed_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """A world whose first day is sold and closed, and whose VRF word nobody has asked for."""
    folder = tmp_path_factory.mktemp("closed")
    world = start_world(folder / "world", number_max=9)
    try:
        played = PlayedWorld(world, folder)
        played.sell(played.day)
        played.close(played.day, has_tips=False)
        played.remember()
        yield played
    finally:
        world.stop()


@pytest.fixture
def closed(closed_world: PlayedWorld) -> Iterator[PlayedWorld]:
    """The world at that moment."""
    closed_world.restore()
    yield closed_world
    closed_world.require_no_secret_left()


@pytest.fixture
def voided(closed: PlayedWorld) -> PlayedWorld:
    """Its day is voided on the chain."""
    void_day(closed, closed.day)
    return closed
