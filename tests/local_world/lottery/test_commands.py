"""`bo-engine dev`: up, status, down."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bo_engine.errors import UsageError
from local_world.lottery.commands import dev
from local_world.lottery.world import World

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    yield tmp_path
    for record in tmp_path.glob(".local_world/*/world.json"):
        World.load(record.parent).stop()


def run(*arguments: str) -> str:
    done = RUNNER.invoke(dev, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_up_status_down_is_a_round_trip(folder: Path) -> None:
    up = json.loads(run("up", "--number-max", "9", "--first-day", "20000", "--json"))
    assert up["state"] == "running"
    assert (up["number_max"], up["first_day"]) == (9, 20_000)
    assert "Local world two" in run("up", "--name", "two")

    assert json.loads(run("status", "--name", "dev", "--json"))["contracts"] == up["contracts"]
    latest = json.loads(run("status", "--json"))
    assert latest["name"] == "two"
    assert {"rpc_url", "rpc_fallback_url", "database_url", "contracts", "env_file", "chain_time"} <= latest.keys()
    assert "***" not in str(latest), "a person needs these addresses whole"
    assert latest["contracts"]["settlement"].startswith("0x")
    assert Path(latest["env_file"]).is_file()
    assert latest["chain_time"] >= latest["first_day"] * 86_400

    with pytest.raises(UsageError, match="world_exists"):
        run("up", "--name", "two")
    with pytest.raises(UsageError, match="several_worlds"):
        run("down")
    assert json.loads(run("down", "--name", "dev", "--json")) == {"ended": ["dev"], "failed": []}
    assert json.loads(run("down", "--json")) == {"ended": ["two"], "failed": []}
    assert json.loads(run("down", "--all", "--json")) == {"ended": [], "failed": []}
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_world_with_chaos_has_two_endpoints_that_fail_by_a_seed(folder: Path) -> None:
    up = json.loads(run("up", "--chaos", "--seed", "3", "--percent", "7", "--json"))
    assert up["chaos"] == {"seed": 3, "percent": 7}
    world = World.load(Path(up["root"]))
    assert (world.env["RPC_URL"], world.env["RPC_FALLBACK_URL"]) == (world.primary_proxy.url, world.proxy.url)
    for name, proxy in (("primary", world.primary_proxy), ("fallback", world.proxy)):
        (rule,) = proxy._control("GET", None)["rules"]
        assert (rule["fault"], rule["args"]) == ("chaos", {"seed": 3, "percent": 7, "endpoint": name})
    assert "7 of 100 calls fail, seed 3" in run("status")
    run("down")


def test_without_a_world_status_names_the_way_out(folder: Path) -> None:
    with pytest.raises(UsageError, match="dev up"):
        run("status")


@pytest.mark.parametrize("name", ["../up", "", "A", "-x", "a/b", "x" * 41])
def test_a_name_that_is_no_folder_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="bad_name"):
        run("up", f"--name={name}")
    assert list(folder.iterdir()) == []
