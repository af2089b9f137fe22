"""The runner of watched processes, one per test process."""

from collections.abc import Iterator

import pytest

from tests.support.kill_world import Runner, opened_runner


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Starts the engine and kills it where it is told."""
    with opened_runner(tmp_path_factory.mktemp("runner")) as opened:
        yield opened
