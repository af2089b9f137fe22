"""One world per test process, with a sold and closed day; every test finds it as if nothing had happened yet."""

from collections.abc import Iterator

import pytest

from bo_engine import blots
from local_world.world import start_world
from tests.support.canaries import require_clean_files
from tests.support.kill_summary import pytest_terminal_summary  # noqa: F401 - a hook of pytest
from tests.support.played_world import PlayedWorld


@pytest.fixture(autouse=True)
def _forgotten_secrets() -> Iterator[None]:
    """A process knows its secrets for good; a test's must not blot what the next one reads."""
    known, patterns = set(blots._known), list(blots._patterns)
    yield
    blots._known.clear()
    blots._known.update(known)
    blots._patterns[:] = patterns


@pytest.fixture(scope="session")
def sold_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """Numbers 1..9, so that every tier wins by itself."""
    folder = tmp_path_factory.mktemp("sold")
    world = start_world(folder / "world", number_max=9)
    try:
        played = PlayedWorld(world, folder)
        played.sell(played.day)
        played.close(played.day)
        played.remember()
        yield played
        # After the whole session: what PostgreSQL, the chain, the relay and the endpoint have written down.
        require_clean_files(played.env, world.root, "*.log")
    finally:
        world.stop()


@pytest.fixture
def played(sold_world: PlayedWorld) -> Iterator[PlayedWorld]:
    """The world at the moment when its first day is ready to be settled; no secret stands in what a test leaves."""
    sold_world.restore()
    yield sold_world
    sold_world.require_no_secret_left()
