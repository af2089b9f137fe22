"""Settings are checked when read, asked for when needed, and their secrets show nowhere (fault X01)."""

from pathlib import Path

import pytest

from bo_engine.errors import UsageError
from bo_engine.settings import SETTINGS, Settings, load_settings

CANARY = "canary9f3b"
KEY = "0x" + "4c" * 32
FULL = {
    "BO_PROFILE": "local",
    "DATABASE_URL": f"postgresql://me:{CANARY}@localhost/db",
    "MIGRATION_DATABASE_URL": f"postgresql://owner:{CANARY}@localhost/db",
    "RPC_URL": f"https://first.example/v2/{CANARY}",
    "RPC_FALLBACK_URL": f"https://second.example/?key={CANARY}",
    "CHAIN_ID": "42161",
    "SETTLEMENT_ADDRESS": "0x" + "ab" * 20,
    "SETTLER_PRIVATE_KEY": KEY,
    "DRAND_URLS": "https://one.example, https://two.example ,",
    "RULESET_FILES": "/a/ruleset.json, b.json",
}


def test_all_settings_are_read_as_values() -> None:
    settings = Settings(FULL)
    assert (settings.is_local, settings.chain_id, settings.approval_mode) == (True, 42_161, "auto")
    assert settings.drand_urls == ("https://one.example", "https://two.example")
    assert settings.ruleset_files == (Path("/a/ruleset.json"), Path("b.json"))
    assert settings.settlement_address == "0x" + "ab" * 20
    assert settings.migration_database_url == FULL["MIGRATION_DATABASE_URL"]


def test_the_safe_choice_is_the_default() -> None:
    settings = Settings({})
    assert not settings.is_local
    assert (settings.approval_mode, settings.artifacts_dir, settings.ruleset_files) == ("auto", Path("artifacts"), ())
    assert len(settings.drand_urls) > 1
    assert Settings({"BO_PROFILE": "  "}).is_local is False  # blank is not set


def test_what_is_missing_is_told_only_when_it_is_needed() -> None:
    settings = Settings({})
    for name in (
        "database_url",
        "rpc_url",
        "rpc_fallback_url",
        "chain_id",
        "settlement_address",
        "settler_private_key",
    ):
        with pytest.raises(UsageError) as caught:
            getattr(settings, name)
        assert (caught.value.code, caught.value.exit_code) == ("missing_setting", 2)
        assert caught.value.message.startswith(f"{name.upper()} is not set")
    assert not settings.has("DATABASE_URL")


def test_no_secret_shows_in_a_repr_and_all_are_known_to_the_logs() -> None:
    settings = Settings(FULL)
    assert CANARY not in f"{settings!r} {settings}"
    assert KEY not in repr(settings)
    assert "42161" in repr(settings)
    assert {text for text in FULL.values() if CANARY in text or text == KEY} == set(settings.secrets())


WRONG = {
    "BO_PROFILE": ("prod", "Local", "loca"),
    "DATABASE_URL": (CANARY, f"mysql://{CANARY}", f"http://{CANARY}"),
    "RPC_URL": (CANARY, f"ws://{CANARY}", f"file:///{CANARY}", f"http:// {CANARY}", f"https://x y/{CANARY}"),
    "CHAIN_ID": ("0", "-1", "0x66eee", "1.5", "042161", "1e3", "٤٢", "9" * 20, "42161;"),
    "SETTLEMENT_ADDRESS": ("0x12", "ab" * 20, "0x" + "g" * 40, "0x" + "ab" * 21),
    "SETTLER_PRIVATE_KEY": ("4c" * 32, "0x" + "4c" * 31, "0x" + "00" * 32, "0x" + "ff" * 32),
    "DRAND_URLS": ("one.example", "https://one.example,nothing", " , "),
    "APPROVAL_MODE": ("yes", "AUTO"),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_names_its_setting_and_never_shows_a_secret(name: str, text: str) -> None:
    is_secret = next(setting.secret for setting in SETTINGS if setting.name == name)
    with pytest.raises(UsageError) as caught:
        Settings({name: text})
    assert (caught.value.code, caught.value.exit_code) == ("bad_setting", 2)
    assert caught.value.message.startswith(f"{name} must be ")
    assert caught.value.__cause__ is None
    if is_secret:
        assert text not in caught.value.message
        assert CANARY not in caught.value.message


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "engine.env"
    file.write_text("CHAIN_ID=1\nAPPROVAL_MODE=manual\nRPC_URL='https://from.file/${HOME}'\n")
    settings = load_settings({"CHAIN_ID": "42161", "BO_ENV_FILE": str(file)})
    assert (settings.chain_id, settings.approval_mode) == (42_161, "manual")
    assert settings.rpc_url == "https://from.file/${HOME}"  # nothing is put in for variables
    with pytest.raises(UsageError) as caught:
        load_settings({"BO_ENV_FILE": str(tmp_path / "none.env")})
    assert caught.value.code == "missing_env_file"
