"""A wish to end is heard at safe points, and nowhere between (fault P06)."""

import threading
import time

import pytest

from bo_engine.errors import EXIT_LATER, Stopped, Unavailable
from services.running.cancel import Stop


def test_work_goes_on_until_the_next_safe_point() -> None:
    stop = Stop()
    with stop.working():
        stop.check()
        stop.ask("SIGTERM")
        with stop.finishing():
            stop.check()
            stop.wait(0)
        with pytest.raises(Stopped, match="SIGTERM asked") as caught:
            stop.check()
    assert (caught.value.code, caught.value.exit_code) == ("stopped", EXIT_LATER)
    # Passing over what does not answer must not pass over this.
    assert not isinstance(caught.value, Unavailable)


def test_a_second_wish_and_one_while_nothing_is_under_way_end_at_once() -> None:
    now = [5.0]
    stop = Stop(clock_s=lambda: now[0])
    with stop.working():
        stop.ask("SIGTERM")
        now[0] += 0.5
        stop.ask("SIGHUP")  # the same wish, told twice
        now[0] += 0.6
        with pytest.raises(KeyboardInterrupt):
            stop.ask("SIGINT")
    with pytest.raises(KeyboardInterrupt):
        Stop().ask("SIGINT")


def test_a_wait_ends_soon_after_the_wish() -> None:
    stop = Stop()
    began = time.monotonic()
    with stop.working(), pytest.raises(Stopped):
        threading.Timer(0.1, stop.ask, ["SIGTERM"]).start()
        stop.wait(60)
    assert time.monotonic() - began < 30
