"""The map of the commands: everything is listed, explains itself, and says whether it may be repeated (section 9)."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE
from bo_engine.settings import SETTINGS
from cli.main import add_plugins, app
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished

COMMANDS = {
    "settle", "export-inputs", "export-affiliates", "compute", "approve", "commit", "refresh-stats", "resume",
    "recover-intents", "refresh-seeds", "update-pot-sizes", "prune", "jobs", "halt",
    "cron install", "cron show", "cron remove", "proof", "doctor", "explain", "refunds",
    "artifacts restore", "artifacts check",
    "db migrate", "db status", "db rebuild-tickets", "demo", "dev up", "dev down", "dev status",
    "key new", "key import", "key address", "key take-office", "tx list", "tx show", "tx resume",
    "contracts deploy", "contracts check", "contracts roles",
}  # fmt: skip
REPEATABLE = re.compile(r"safe to repeat|may be repeated|repeatable|reads only", re.I)


def listed(group: typer.Typer | None = None, before: str = "") -> Iterator[str]:
    """All commands that the program really has, sub-commands with their group's name."""
    if group is None:
        add_plugins()
        group = app
    for command in group.registered_commands:
        assert command.callback is not None
        yield before + (command.name or command.callback.__name__.replace("_", "-"))
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        yield from listed(sub.typer_instance, f"{sub.name} ")


def run(*arguments: str, cwd: Path, width: int = 80) -> Finished:
    """The program as a person starts it, without any settings."""
    env = {name: value for name, value in os.environ.items() if name not in {one.name for one in SETTINGS}}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env={**env, "COLUMNS": str(width), "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def test_this_list_of_commands_is_the_programs() -> None:
    assert set(listed()) >= COMMANDS


def test_the_help_lists_every_command_and_fits_a_terminal(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert (done.code, done.stderr) == (EXIT_DONE, "")
    for name in {command.split()[0] for command in listed()}:
        assert re.search(rf"^│ {name} ", done.stdout, re.M), f"{name} is not in the help"
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_the_program_alone_shows_its_help_and_ends_as_a_usage_error(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert done.code == EXIT_USAGE
    assert "Usage:" in done.stdout + done.stderr


@pytest.mark.parametrize("command", sorted(set(listed())))
def test_every_command_explains_itself_and_says_whether_it_may_be_repeated(
    sold_world: PlayedWorld, command: str
) -> None:
    for flag in ("--help", "-h"):
        done = sold_world.cli(*command.split(), flag, COLUMNS="100")
        assert (done.code, done.stderr) == (EXIT_DONE, "")
    text = " ".join(done.stdout.replace("│", " ").split())
    assert f"bo-engine {command}" in text
    assert REPEATABLE.search(text), f"{command} does not say whether it may be repeated: {text}"
    options = set(re.findall(r"--[a-z][a-z-]*", text))
    assert "--json" in options or command == "demo", f"{command} has no --json"


JSON_COMMANDS = (
    "settle", "settle --dry-run", "export-inputs --day N", "export-affiliates --day N", "compute --day N --dry-run",
    "compute --day N", "approve --day N --by Ann", "recover-intents", "refresh-seeds", "doctor --day N",
    "update-pot-sizes", "update-pot-sizes --dry-run", "jobs", "prune --dry-run",
    "artifacts check --day N", "artifacts restore --day N", "db migrate", "db status", "db rebuild-tickets --day N",
    "commit --day N",
)  # fmt: skip


def test_json_prints_exactly_one_object_on_stdout(played: PlayedWorld) -> None:
    # In an order in which each has something to say: by hand up to the commit.
    for command in JSON_COMMANDS[1:]:
        done = played.cli(*command.replace("N", str(played.day)).split(), "--json")
        assert done.code == EXIT_DONE, (command, done)
        assert isinstance(json.loads(done.stdout), dict), command
        assert all(line.startswith("{") for line in done.stderr.splitlines()), command
    wallet = payee(played)
    for command in ("proof", "explain"):
        done = played.cli(command, "--day", str(played.day), "--wallet", wallet, "--json")
        assert (done.code, json.loads(done.stdout)["wallet"]) == (EXIT_DONE, wallet)
    for command in ("settle", "settle"):
        done = played.cli(command, "--json")
        assert (done.code, json.loads(done.stdout)["exit_code"]) == (EXIT_DONE, EXIT_DONE)
        played.pass_challenge()
    assert json.loads(done.stdout)["days"][0]["status"] == "DONE"
    done = played.cli("refresh-stats", "--day", str(played.day), "--json")
    assert (done.code, json.loads(done.stdout)["status"]) == (EXIT_DONE, "DONE")


@pytest.mark.slow
def test_people_get_tables_of_at_most_100_columns(played: PlayedWorld) -> None:
    assert played.settle_through().status == "DONE"
    day = ("--day", str(played.day))
    for arguments in (
        ("proof", *day, "--wallet", payee(played)),
        ("explain", *day, "--wallet", payee(played)),
        ("doctor", *day),
        ("artifacts", "check", *day),
        ("settle",),
    ):
        done = played.cli(*arguments, COLUMNS="300")
        assert (done.code, done.stderr) == (EXIT_DONE, "")
        assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 100, done.stdout


def test_a_failed_check_says_so_by_its_exit_code(played: PlayedWorld) -> None:
    played.settle_through()
    (Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "inputs.json").unlink()
    done = played.cli("artifacts", "check", "--day", str(played.day), "--json")
    assert (done.code, json.loads(done.stdout)["files"]["inputs.json"]) == (EXIT_FAILED, "missing")


def payee(played: PlayedWorld) -> str:
    """A wallet that has won."""
    with played.context() as context:
        row = context.conn.execute("SELECT min(wallet) FROM settlement_winner_payouts").fetchone()
    assert row is not None
    return str(row[0])
