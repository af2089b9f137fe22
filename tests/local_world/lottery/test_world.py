"""Whole worlds: side by side, ended without a trace, also after a crash of their starter."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bo_engine.errors import InvalidInput, UsageError
from bo_engine.settings import load_settings
from bo_engine.units import SECONDS_PER_DAY, hex_of
from core.lottery.ruleset import RULESET_1, ruleset_hash
from local_world import processes
from local_world.lottery.deploy import contract_at
from local_world.lottery.world import World, start_world
from local_world.postgres import start_postgres
from local_world.processes import Started, start_time_of

STARTER = """
import sys, time, pathlib
from local_world.lottery.world import start_world
start_world(pathlib.Path(sys.argv[1]), keep=sys.argv[2] == "keep", first_day=20000)
print("up", flush=True)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    started = start_world(tmp_path_factory.mktemp("worlds") / "first", first_day=20_000, number_max=9)
    yield started
    started.stop()


def all_processes(world: World) -> list[Started]:
    started = [Started(**document) for document in world.record["processes"].values()]
    return [*started, world.postgres.process]


def wait_for(holds: object, wait_s: float = 15) -> bool:
    assert callable(holds)
    deadline = time.monotonic() + wait_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(holds())


def test_its_settings_are_the_engines_settings(world: World) -> None:
    settings = load_settings({}, world.env_file)
    assert settings.is_local
    assert settings.rpc_url == world.chain.url
    assert settings.rpc_fallback_url == world.proxy.url
    assert settings.settlement_address == world.contracts.settlement
    assert settings.ruleset_files == (world.root / "ruleset.json",)
    assert {name: str(value) for name, value in world.env.items()} == world.env
    assert load_settings(world.env).database_url == settings.database_url
    assert world.env_file.stat().st_mode & 0o777 == 0o600
    assert (world.root / "world.json").stat().st_mode & 0o777 == 0o600


def test_its_contracts_know_its_ruleset_day_and_roles(world: World) -> None:
    w3 = world.web3()
    game = contract_at(w3, "GameManager", world.contracts.game_manager)
    assert game.functions.rulesetHashOf(20_000).call() == ruleset_hash(world.ruleset)
    assert game.functions.numberMax().call() == 9
    assert game.functions.firstDay().call() == 20_000
    roles = contract_at(w3, "Roles", world.contracts.roles)
    for role in ("owner", "guardian", "relayer", "settler", "promotions"):
        assert roles.functions[role]().call() == world.account(role).address
    assert world.ruleset.prices_atoms == RULESET_1.prices_atoms
    assert world.ruleset.drand.genesis_s == 20_000 * SECONDS_PER_DAY


def test_each_login_is_a_member_of_its_own_group_only(world: World) -> None:
    for url, group in (
        (world.database.engine_url, "bo_engine"),
        (world.database.app_url, "bo_app"),
        (world.database.watchdog_url, "bo_watchdog"),
    ):
        with psycopg.connect(url) as conn:
            groups = conn.execute(
                "SELECT array_agg(roleid::regrole::text) FROM pg_auth_members WHERE member = current_user::regrole"
            ).fetchone()
            assert groups == ([group],)
            row = conn.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False, False)


def test_a_second_database_is_empty_and_apart(world: World) -> None:
    second = world.add_database()
    assert second.name != world.database.name
    with psycopg.connect(second.engine_url) as conn:
        assert conn.execute("SELECT count(*) FROM tickets").fetchone() == (0,)


def test_another_process_finds_all_of_it(world: World) -> None:
    found = World.load(world.root)
    assert found.is_running()
    assert found.contracts == world.contracts
    assert found.deployment == world.deployment
    found.advance_to(20_000 * SECONDS_PER_DAY + 500)
    assert world.chain.now("finalized") >= 20_000 * SECONDS_PER_DAY + 500


def test_two_run_side_by_side_and_end_without_a_trace(world: World, tmp_path: Path) -> None:
    other = start_world(tmp_path / "second", first_day=20_100, number_max=9)
    started, private = all_processes(other), other.postgres.private
    try:
        assert other.chain.now() >= 20_100 * SECONDS_PER_DAY
        assert world.chain.now() < 20_050 * SECONDS_PER_DAY
        assert other.contracts.settlement != world.contracts.settlement
        assert other.ruleset.drand.chain_hash != world.ruleset.drand.chain_hash
    finally:
        other.stop()
    assert not any(start_time_of(process.pid) == process.started for process in started)
    assert not private.exists()
    assert not other.root.exists()
    assert world.is_running()
    other.stop()  # may be repeated
    with pytest.raises(InvalidInput, match="no local world"):
        World.load(other.root)


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        start_world(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_world_whose_start_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Started] = []

    def fail(world: World, *_: object) -> None:
        ended.extend(all_processes(world))
        raise UsageError("planted", "the contracts cannot be deployed")

    monkeypatch.setattr("local_world.lottery.world._deploy", fail)
    with pytest.raises(UsageError, match="planted"):
        start_world(tmp_path / "world")
    assert len(ended) == 4
    assert not any(processes.is_running(process) for process in ended)
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize("moment", ["while it starts", "when it is up"])
@pytest.mark.slow
def test_a_world_ends_with_its_starter_even_by_sigkill(tmp_path: Path, moment: str) -> None:
    root = tmp_path / "world"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(root), "die", "60"], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    if moment == "when it is up":
        assert starter.stdout.readline() == b"up\n"
    else:
        assert wait_for(lambda: (root / "chain" / "anvil.log").exists())
    record = json.loads((root / "postgres" / "postgres.json").read_text())
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert wait_for(lambda: not root.exists() and not Path(record["private"]).exists())
    assert start_time_of(record["process"]["pid"]) != record["process"]["started"]


@pytest.mark.slow
def test_a_kept_world_lives_on_until_it_is_stopped_even_when_half_of_it_has_died(tmp_path: Path) -> None:
    root = tmp_path / "world"
    subprocess.run([sys.executable, "-c", STARTER, str(root), "keep", "0"], check=True, capture_output=True)
    world = World.load(root)
    assert world.is_running()
    server = world.postgres
    server.crash()
    assert not world.is_running()
    server.restart()
    assert world.is_running()
    os.kill(world.record["processes"]["anvil"]["pid"], signal.SIGKILL)
    assert wait_for(lambda: not world.is_running())
    started = all_processes(world)
    world.stop()
    assert not any(processes.is_running(process) for process in started)
    assert not root.exists()
    assert not server.private.exists()


@pytest.mark.slow
def test_in_a_given_server_its_databases_and_logins_come_and_go(tmp_path: Path) -> None:
    given = start_postgres(tmp_path / "given")
    try:
        with psycopg.connect(given.url, autocommit=True) as conn:
            conn.execute("CREATE ROLE admin LOGIN CREATEDB CREATEROLE PASSWORD 'p@ss/word'")
        url = given.url_of("postgres", "admin").replace("admin@", "admin:p%40ss%2Fword@")
        world = start_world(tmp_path / "world", database_url=url)
        try:
            assert not (world.root / "postgres").exists()
            assert world.is_running()
            with psycopg.connect(world.env["DATABASE_URL"]) as conn:
                assert conn.execute("SELECT current_database()").fetchone() == (world.database.name,)
            with pytest.raises(InvalidInput, match="DATABASE_URL"):
                _ = world.postgres
        finally:
            world.stop()
        with psycopg.connect(given.url) as conn:
            left = conn.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles").fetchall()
        assert not [name for (name,) in left if name.startswith("bo_world")]
        with psycopg.connect(given.url, autocommit=True) as conn:
            conn.execute("ALTER ROLE admin NOCREATEROLE")
        with pytest.raises(UsageError, match="database_forbidden"):
            start_world(tmp_path / "world", database_url=url)
        assert not (tmp_path / "world").exists()
    finally:
        given.stop()


def test_the_rulesets_file_is_what_its_hash_was_taken_of(world: World) -> None:
    printed = subprocess.run(
        ["sha256sum", str(world.root / "ruleset.json")], capture_output=True, text=True, check=True
    ).stdout
    assert "0x" + printed.split()[0] == hex_of(ruleset_hash(world.ruleset))
