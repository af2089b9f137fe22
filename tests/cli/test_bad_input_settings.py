"""Wrong settings and wrong flags: one line that names the thing, exit code 2, and nothing was tried (section 9)."""

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from tests.support.old_postgres import old_postgres
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

NEEDED = ("DATABASE_URL", "RPC_URL", "RPC_FALLBACK_URL", "CHAIN_ID", "SETTLEMENT_ADDRESS")
WRONG = {
    "BO_PROFILE": "prod",
    "DATABASE_URL": "mysql://canary-user:canary-word@localhost/db",
    "RPC_URL": "wss://first.example/v2/canary-word",
    "RPC_FALLBACK_URL": "canary-word.example",
    "CHAIN_ID": "arbitrum",
    "SETTLEMENT_ADDRESS": "0x1234",
    "FIRST_BLOCK": "-1",
    "DRAND_URLS": " , ",
    "APPROVAL_MODE": "later",
    "MIGRATION_DATABASE_URL": "canary-word",
}
#: Settings whose values are keys or hold passwords: a message never repeats them.
SECRET = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "RPC_URL", "RPC_FALLBACK_URL")


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_setting_is_named_with_what_it_is_for(played: PlayedWorld, name: str) -> None:
    refusal = refused(played, "settle", code="missing_setting", exit_code=EXIT_USAGE, **{name: ""})
    assert refusal.message.startswith(f"{name} is not set: ")
    assert "Put it into .env (see .env.example)" in refusal.message


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG.keys())
@pytest.mark.sampled(5)
def test_a_wrong_setting_is_named_with_its_rule(played: PlayedWorld, name: str, value: str) -> None:
    refusal = refused(played, "settle", code="bad_setting", exit_code=EXIT_USAGE, **{name: value})
    assert refusal.message.startswith(f"{name} must be ")
    if name in SECRET:
        assert "canary" not in refusal.finished.stderr
    else:
        assert repr(value.strip()) in refusal.message or value in refusal.message


def test_a_settings_file_that_is_not_there_is_named(played: PlayedWorld) -> None:
    path = str(played.folder / "nowhere.env")
    refusal = refused(played, "settle", code="missing_env_file", exit_code=EXIT_USAGE, BO_ENV_FILE=path)
    assert path in refusal.message
    assert "BO_ENV_FILE" in refusal.message


def test_the_environment_wins_over_the_settings_file(played: PlayedWorld) -> None:
    path = played.folder / "some.env"
    path.write_text("CHAIN_ID=1\nSETTLER_KEYSTORE_FILE=/nowhere\n")
    assert played.cli("doctor", "--day", str(played.day), BO_ENV_FILE=str(path)).code == EXIT_DONE
    # What the environment leaves open, the file says.
    refusal = refused(
        played,
        "settle",
        code="missing_setting",
        exit_code=EXIT_USAGE,
        BO_ENV_FILE=str(path),
        SETTLER_PRIVATE_KEY="",
    )
    assert refusal.message.startswith("SETTLER_KEYSTORE_FILE names a file that cannot be read: /nowhere")


@pytest.mark.parametrize(
    ("version", "command"),
    [("15.14", ("settle",)), ("9.6.24", ("db", "status", "--json")), ("15.2 (Debian 15.2-1)", ("db", "migrate"))],
)
def test_a_postgres_below_16_is_refused(played: PlayedWorld, version: str, command: tuple[str, ...]) -> None:
    with old_postgres(version) as server:
        url = f"postgresql://bo:canary-password@127.0.0.1:{server.port}/bo?gssencmode=disable"
        refusal = refused(
            played,
            *command,
            code="postgres_too_old",
            exit_code=EXIT_USAGE,
            DATABASE_URL=url,
            MIGRATION_DATABASE_URL=url,
        )
        assert (server.logins, server.statements) == (1, 0)
    assert refusal.message.startswith(f"PostgreSQL 16 or newer is needed, this server is {version.split('.')[0]}")
    assert "upgrade it" in refusal.message


def test_a_postgres_of_16_passes_the_same_check(played: PlayedWorld) -> None:
    # So it is the version that is refused above: here the engine goes on to its first statement, and gets no answer.
    with old_postgres("16.0") as server:
        url = f"postgresql://bo@127.0.0.1:{server.port}/bo"
        refused(played, "settle", code="database_unreachable", exit_code=EXIT_LATER, DATABASE_URL=url)
        assert (server.logins, server.statements) == (1, 1)


def test_a_database_without_the_schema_is_refused_with_the_command_that_brings_it(played: PlayedWorld) -> None:
    url = played.env["DATABASE_URL"].replace(played.database_name, "template1")
    refusal = refused(played, "settle", code="schema_outdated", exit_code=EXIT_USAGE, DATABASE_URL=url)
    assert "run bo-engine db migrate" in refusal.message


def test_a_wrong_password_is_refused_and_a_server_that_is_away_is_tried_again(played: PlayedWorld) -> None:
    away = "postgresql://bo:canary-password@127.0.0.1:9/bo"
    refused(played, "settle", code="database_unreachable", exit_code=EXIT_LATER, DATABASE_URL=away)
    nobody = played.env["DATABASE_URL"].replace("_engine:", "_nobody:")
    refused(played, "settle", code="database_refused", exit_code=EXIT_USAGE, DATABASE_URL=nobody)


USAGE = {
    "an unknown command": ("setle",),
    "an unknown sub-command": ("db", "drop"),
    "an unknown flag": ("settle", "--force"),
    "a day that is no number": ("settle", "--day", "yesterday"),
    "a day below zero": ("settle", "--day", "-1"),
    "a day that is too large": ("settle", "--day", "99999999999"),
    "a missing day": ("compute",),
    "a missing wallet": ("proof", "--day", "1"),
    "an argument too many": ("settle", "20000"),
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE.keys())
@pytest.mark.sampled(5)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(played: PlayedWorld, arguments: tuple[str, ...]) -> None:
    refusal = refused(played, *arguments, code="usage", exit_code=EXIT_USAGE)
    assert refusal.message.endswith("(see --help)")
    assert refusal.finished.stderr.count("\n") == 1


def test_a_wrong_command_line_with_json_is_one_object(played: PlayedWorld) -> None:
    refused(played, "settle", "--json", "--force", code="usage", exit_code=EXIT_USAGE)


@pytest.mark.parametrize("name", [None, "", "   ", "x" * 81, "Ann\x1b[31m"])
@pytest.mark.sampled(2)
def test_resuming_without_a_name_is_refused(played: PlayedWorld, name: str | None) -> None:
    by = () if name is None else ("--by", name)
    refusal = refused(played, "resume", "--day", str(played.day), *by, code="missing_name", exit_code=EXIT_USAGE)
    assert "--by NAME" in refusal.message


def test_resuming_a_day_that_is_not_halted_is_refused(played: PlayedWorld) -> None:
    day = ("--day", str(played.day))
    refusal = refused(played, "resume", *day, "--by", "Ann", code="day_not_halted", exit_code=EXIT_FAILED)
    assert "only a HALTED day can be resumed" in refusal.message


def test_manual_approval_waits_for_a_name(played: PlayedWorld) -> None:
    day = ("--day", str(played.day))
    for step in ("export-inputs", "export-affiliates", "compute"):
        assert played.cli(step, *day).code == EXIT_DONE
    refusal = refused(
        played,
        *("settle",),
        code="approval_wanted",
        exit_code=EXIT_LATER,
        may_change=("table settlement_pipeline_runs",),
        APPROVAL_MODE="manual",
    )
    assert f"`bo-engine approve --day {played.day} --by NAME`" in refusal.message
    assert played.cli("approve", *day, "--by", "Ann", APPROVAL_MODE="manual").code == EXIT_DONE
