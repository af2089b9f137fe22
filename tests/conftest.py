"""One world per test process, with a sold and closed day; every test finds it as if nothing had happened yet."""

from collections import Counter
from collections.abc import Iterator

import pytest

from bo_engine.redaction import REDACTOR
from tests.support.kill_summary import pytest_terminal_summary  # noqa: F401 - a hook of pytest
from tests.support.played_world import PlayedWorld, opened_sold_world


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked ``sampled(n)``, the cases behind the first n are slow ones."""
    seen: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is not None:
            test = item.nodeid.partition("[")[0]
            seen[test] += 1
            if seen[test] > mark.args[0]:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _forgotten_secrets() -> Iterator[None]:
    """A process knows its secrets for good; a test's must not blot what the next one reads."""
    known = REDACTOR.known
    yield
    if REDACTOR.known != known:
        REDACTOR.reset(known)


@pytest.fixture(scope="session")
def sold_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """One for all tests of a process."""
    with opened_sold_world(tmp_path_factory.mktemp("sold")) as sold:
        yield sold


@pytest.fixture
def played(sold_world: PlayedWorld) -> Iterator[PlayedWorld]:
    """The world at the moment when its first day is ready to be settled; no secret stands in what a test leaves."""
    sold_world.restore()
    yield sold_world
    sold_world.require_no_secret_left()
