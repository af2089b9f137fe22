"""`bo-engine dev up | down | status`: local worlds that stay up until they are taken down.

Heavy parts are imported where they are used: every command of bo-engine loads this module.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bo_engine.errors import EXIT_FAILED, EngineError, UsageError
from bo_engine.units import MAX_DAY_ID
from cli.output import JsonOption, print_facts, print_json, print_table, tell
from local_world.faults.limits import DEFAULT_PERCENT, MAX_PERCENT

if TYPE_CHECKING:
    from local_world.lottery.world import World

WORLDS: Final = Path(".local_world")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

dev = typer.Typer(
    help="A local world: PostgreSQL, a chain with all contracts, a second RPC endpoint, a drand beacon.",
    no_args_is_help=True,
)

NameOption = Annotated[str | None, typer.Option("--name", help="Name of the world.", metavar="NAME")]


@dev.command()
def up(
    name: Annotated[str, typer.Option("--name", help="Name of the new world.", metavar="NAME")] = "dev",
    *,
    number_max: Annotated[int, typer.Option(help="Tips have numbers from 1 to this one.", min=6, max=49)] = 38,
    first_day: Annotated[
        int | None,
        typer.Option(help="First day id; the chain's clock starts there. Default: a week ago.", min=1, max=MAX_DAY_ID),
    ] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Both RPC endpoints fail from time to time, never with a lie.")
    ] = False,
    seed: Annotated[int, typer.Option(help="With --chaos: the same seed, the same troubles.", min=0)] = 1,
    percent: Annotated[
        int, typer.Option(help="With --chaos: so many of a hundred calls go wrong.", min=1, max=MAX_PERCENT)
    ] = DEFAULT_PERCENT,
    as_json: JsonOption = False,
) -> None:
    """Start a world and leave it running.  Not repeatable under one name; several run side by side.

    With --chaos the endpoints hang up, answer late, in pieces, with errors or lag behind, again and again: runs end
    with 75 then, and the next one goes on. With DATABASE_URL in the environment its databases are made in that server,
    else in an embedded PostgreSQL.
    """
    from local_world.lottery.world import start_world

    root = root_of(name)
    world = start_world(
        root,
        database_url=os.environ.get("DATABASE_URL") or None,
        number_max=number_max,
        first_day=first_day,
        keep=True,
        chaos=(seed, percent) if chaos else None,
    )
    if as_json:
        print_json(status_of(world))
        return
    _print_status(world)
    tell(f"use it:  BO_ENV_FILE={_shown(world.env_file)} bo-engine db status")
    tell(f"end it:  bo-engine dev down --name {name}")


@dev.command()
def down(
    name: NameOption = None,
    all_worlds: Annotated[bool, typer.Option("--all", help="All worlds of this folder.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End a world and remove everything it had: processes, databases, files.  Safe to repeat.

    Also ends what a crashed start or demo left behind. Without a name: the only world there is.
    """
    from local_world.lottery.world import World

    if all_worlds and name:
        raise UsageError("bad_usage", "give --name or --all, not both")
    roots = [root_of(name)] if name else _roots()
    if len(roots) > 1 and not all_worlds:
        names = ", ".join(root.name for root in roots)
        raise UsageError("several_worlds", f"there are several worlds ({names}): give --name or --all")
    ended, failed = [], []
    for root in roots:
        if not (root / "world.json").is_file():
            continue
        try:
            World.load(root).stop()
            ended.append(root.name)
        except EngineError as error:
            failed.append(root.name)
            tell(f"{root.name}: {error}")
    remove_if_empty()
    if as_json:
        print_json({"ended": ended, "failed": failed})
    else:
        tell(f"ended: {', '.join(ended)}" if ended else "nothing to end")
    if failed:
        raise typer.Exit(EXIT_FAILED)


@dev.command()
def status(name: NameOption = None, as_json: JsonOption = False) -> None:
    """Show a world: addresses, contracts, clock.  Reads only; safe to repeat.

    Without a name: the one that was started last, and a list of all.
    """
    from local_world.lottery.world import World

    if name:
        world = World.load(root_of(name))
    else:
        worlds = sorted((World.load(root) for root in _roots()), key=lambda each: str(each.record["started_at"]))
        kept = [each for each in worlds if each.record["kept"]]
        if not kept:
            raise UsageError("no_world", f"there is no local world in {WORLDS.absolute()}: start one with `dev up`")
        world = kept[-1]
        if not as_json and len(worlds) > 1:
            rows = [(each.root.name, each.record["started_at"][:19], _state(each)) for each in worlds]
            print_table("Local worlds", ("name", "started (UTC)", "state"), rows)
    if as_json:
        print_json(status_of(world))
    else:
        _print_status(world)


def root_of(name: str) -> Path:
    """Folder of the world of that name. Raises: UsageError ``bad_name``."""
    if not _NAME.fullmatch(name):
        raise UsageError("bad_name", "a world's name has 1 to 40 of a-z, 0-9 and -, and does not begin with -")
    return WORLDS.absolute() / name


def remove_if_empty() -> None:
    """Remove the folder of the worlds when the last one is gone."""
    if WORLDS.is_dir() and not any(WORLDS.iterdir()):
        WORLDS.rmdir()


def status_of(world: "World") -> dict[str, Any]:
    """What a program needs to use a world, as JSON. The clock is null while the chain does not answer."""
    record, urls = world.record, world.record["urls"]
    clock: dict[str, int] | None = None
    try:
        chain = world.chain
        clock = {
            "time": chain.now(),
            "final_time": chain.now("finalized"),
            "height": chain.height(),
            "final_height": chain.height("finalized"),
        }
    except (EngineError, KeyError):
        pass
    return {
        "name": world.root.name,
        "state": _state(world),
        "root": str(world.root),
        "started_at": record["started_at"],
        "rpc_url": urls.get("rpc_url"),
        "rpc_fallback_url": urls.get("rpc_fallback_url"),
        "rpc_control_url": urls.get("rpc_control_url"),
        "drand_url": urls.get("drand_url"),
        "database_url": record["env"].get("DATABASE_URL"),
        "migration_database_url": record["env"].get("MIGRATION_DATABASE_URL"),
        "artifacts_dir": record["env"].get("ARTIFACTS_DIR"),
        "ruleset_file": record["env"].get("RULESET_FILES"),
        "env_file": str(world.env_file),
        "chaos": None,  # in the records of older worlds
        **record["parameters"],
        "contracts": record["contracts"] or {},
        "roles": {role: account["address"] for role, account in record["accounts"].items()},
        "chain_time": clock["time"] if clock else None,
        "clock": clock,
    }


def _roots() -> list[Path]:
    return sorted(path.parent for path in WORLDS.absolute().glob("*/world.json"))


def _state(world: "World") -> str:
    return "running" if world.is_running() else "broken: end it with `dev down`"


def _print_status(world: "World") -> None:
    facts = status_of(world)
    clock = facts["clock"]
    shown = {
        "state": facts["state"],
        "RPC endpoint": world.record["env"].get("RPC_URL", facts["rpc_url"]),
        "second RPC endpoint": facts["rpc_fallback_url"],
        "drand beacon": facts["drand_url"],
        "database": (world.record["databases"] or [{}])[0].get("name"),
        "first day": facts["first_day"],
        "chain's clock": f"day {clock['time'] // 86_400}, block {clock['height']}" if clock else "does not answer",
        **({"chaos": _chaos(world)} if facts["chaos"] else {}),
        "settlement contract": facts["contracts"].get("settlement"),
        "settings file": _shown(world.env_file),
    }
    print_facts(f"Local world {world.root.name}", shown)


def _chaos(world: "World") -> str:
    chosen = world.record["parameters"]["chaos"]
    try:
        asked = sum(sum(proxy.calls().values()) for proxy in (world.primary_proxy, world.proxy))
    except (OSError, ValueError, KeyError):
        return "the endpoints do not answer"
    return f"{chosen['percent']} of 100 calls fail, seed {chosen['seed']}; {asked} calls so far"


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
