"""The sold day one step further: computed and waiting for the gates."""

from collections.abc import Iterator

import pytest

from services.artifacts import mirror_artifacts
from tests.support.observed import run_steps
from tests.support.played_world import PlayedWorld


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
    with sold_world.engine() as engine:
        mirror_artifacts(engine, sold_world.day)
    yield sold_world
    sold_world.require_no_secret_left()
