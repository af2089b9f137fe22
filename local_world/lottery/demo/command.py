"""`bo-engine demo`: plays lottery days from sale to claim in a world of their own.

Heavy parts are imported where they are used: every command of bo-engine loads this module.
"""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId, day_of
from cli.output import JsonOption, print_json, tell
from local_world.lottery.commands import remove_if_empty, root_of

if TYPE_CHECKING:
    from local_world.lottery.demo.play import Played
    from local_world.lottery.world import World

_DAYS_AGO: Final = 7  # a week is played, so the last of its days ends when today begins


def demo(
    as_json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the world running; `dev status` finds it.")] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the demo's world. Default: a fresh one.", metavar="NAME")
    ] = None,
) -> None:
    """Play a week of the lottery from sale to claim and show where every atom went: days with and without tickets, one
    left to the lines of the crontab, one whose seed never comes and whose buyers get their money back.

    Needs no account and no network.  May be repeated, also side by side: each demo has a world of its own.
    Its files stay in a folder of their own below artifacts/.
    """
    from local_world.lottery.demo.play import STEPS, Demo
    from local_world.lottery.demo.summary import print_summary
    from local_world.story import told_story

    # A demo that is told to end takes its world with it, as one that is interrupted by Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    started_at = time.monotonic()
    name = name or f"demo-{secrets.token_hex(2)}"
    artifacts_dir = (
        Path("artifacts").absolute() / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name.removeprefix('demo-')}"
    )
    with told_story(STEPS) as story, _world_for(name, artifacts_dir, keep=keep, story=story) as world:
        with _app_login(world) as conn:
            played = Demo(world, conn, story).play()
        # Taken before the world ends: what it says of addresses is needed afterwards.
        shown_env = _shown(world.env_file) if keep else None
    seconds = time.monotonic() - started_at
    broken = [check.text for check in played.checks if not check.holds]
    if as_json and not broken:
        print_json(document_of(played, artifacts_dir, seconds))
    elif not as_json:
        print_summary(played, artifacts_dir=Path(_shown(artifacts_dir)), seconds=seconds, env_file=shown_env, name=name)
    if broken:
        raise InvariantBroken("demo_check_failed", f"{len(broken)} checks of the demo do not hold", broken)


def document_of(played: "Played", artifacts_dir: Path, seconds: float) -> dict[str, Any]:
    """The object that ``demo --json`` prints. Amounts are decimal strings, in atoms."""
    return {
        "days": [day.document() for day in played.in_order],
        "claims_paid": len(played.book.paid),
        "claims_refused": len(played.book.refused),
        "recovered_intents": played.recovered_intents,
        "adopted_tickets": played.adopted_tickets,
        "cron": [run.document() for run in played.cron],
        "players": len({sale.ticket.buyer for sale in played.sales}),
        "checks": len(played.checks),
        "artifacts_dir": str(artifacts_dir),
        "seconds": round(seconds, 1),
    }


@contextmanager
def _world_for(name: str, artifacts_dir: Path, *, keep: bool, story: Any) -> "Iterator[World]":
    """A fresh world whose tips have few numbers; ended afterwards unless it is to be kept."""
    from local_world.lottery.demo.play import NUMBER_MAX
    from local_world.lottery.world import start_world

    root = root_of(name)
    # The only look at the wall clock: the chain's own clock starts seven days ago and is moved from there.
    first_day = DayId(day_of(int(time.time())) - _DAYS_AGO)
    with story.step("a world starts: PostgreSQL, a chain, a drand beacon, the contracts"):
        world = start_world(
            root,
            database_url=os.environ.get("DATABASE_URL") or None,
            number_max=NUMBER_MAX,
            first_day=first_day,
            artifacts_dir=artifacts_dir,
            keep=keep,
        )
    try:
        yield world
    except BaseException:
        if keep:
            tell(f"the world {name} is left as it is; end it with: bo-engine dev down --name {name}")
        raise
    finally:
        if not keep:
            world.stop()
            remove_if_empty()


@contextmanager
def _app_login(world: "World") -> "Iterator[Any]":
    from io_layer.postgres.connection import connect

    with connect(world.database.app_url, application_name="bo-engine demo, the App", check_version=False) as conn:
        yield conn


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
