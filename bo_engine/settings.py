"""Settings: from the environment and one ``.env`` file, each checked, each error naming its setting.

The environment wins over the file. Secrets never appear in ``repr``.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from bo_engine.errors import EngineError, UsageError
from bo_engine.redaction import know_secrets
from bo_engine.units import Wallet, parse_typed_wallet, parse_wallet

_KEYS_BELOW: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # secp256k1


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, what it is for, its default (None: no default) and whether it is a secret."""

    name: str
    help: str
    default: str | None = None
    secret: bool = False
    example: str = ""
    check: Callable[[str], object] = str


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        raise ValueError("a whole number above 0")
    return int(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text):
        raise ValueError("a whole number, 0 or more")
    return int(text)


def _require_text(text: str) -> None:
    # Bytes of the environment that are no UTF-8 arrive as half characters, which no file name or URL may hold.
    if not text.isprintable():
        raise ValueError("printable UTF-8 text on one line")


def _one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return check


def _http_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text) or not _is_url(text):
        raise ValueError("an http:// or https:// address")
    return text


def _ping_url(text: str) -> str:
    if text and "{job}" not in _http_url(text):
        raise ValueError("an http:// or https:// address with {job} in it")
    return text


def _is_url(text: str) -> bool:
    # Python's own complaint would repeat the password, so only whether it complains is told.
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _http_urls(text: str) -> tuple[str, ...]:
    urls = tuple(_http_url(part.strip()) for part in text.split(",") if part.strip())
    if not urls:
        raise ValueError("one http:// or https:// address or more, with commas between them")
    return urls


def _postgres_url(text: str) -> str:
    if not re.match(r"postgres(ql)?://", text) or not _is_url(text):
        raise ValueError("a postgresql:// address (percent-encode what is special in its password)")
    return text


def _wallet(text: str) -> Wallet:
    try:
        return parse_typed_wallet(text)
    except EngineError:
        raise ValueError("an address: 0x and 40 hex digits, its checksum right if it has one") from None


def _private_key(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", text) or not 0 < int(text, 16) < _KEYS_BELOW:
        raise ValueError("a private key of secp256k1: 0x and 64 hex digits, neither zero nor above the curve's order")
    return text


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part.strip()) for part in text.split(",") if part.strip())


SETTINGS: Final = (
    Setting(
        "BO_PROFILE",
        "local: a chain on this machine, where a plain key and a fast finality are allowed; else production.",
        default="production",
        example="production",
        check=_one_of("local", "production"),
    ),
    Setting(
        "DATABASE_URL",
        "PostgreSQL 16 or newer, as the engine's own login (a member of the role bo_engine).",
        secret=True,
        example="postgresql://bo_settle:password@localhost:5432/bo_engine",
        check=_postgres_url,
    ),
    Setting(
        "MIGRATION_DATABASE_URL",
        "The same database as its owner; only `bo-engine db migrate` uses it. Default: DATABASE_URL.",
        secret=True,
        example="postgresql://bo_owner:password@localhost:5432/bo_engine",
        check=_postgres_url,
    ),
    Setting(
        "RPC_URL", "First Arbitrum endpoint.", secret=True, example="https://first.example/v2/key", check=_http_url
    ),
    Setting(
        "RPC_FALLBACK_URL",
        "Second endpoint, of another provider: money is read from both and they must agree.",
        secret=True,
        example="https://second.example/v2/key",
        check=_http_url,
    ),
    Setting("CHAIN_ID", "42161 Arbitrum One, 421614 Arbitrum Sepolia.", example="42161", check=_positive),
    Setting(
        "SETTLEMENT_ADDRESS",
        "The SettlementV4 contract; it names all the others.",
        example="0x0000000000000000000000000000000000000001",
        check=_wallet,
    ),
    Setting(
        "FIRST_BLOCK",
        "Block in which the contracts were deployed: event scans start there.",
        default="0",
        example="250000000",
        check=_whole,
    ),
    Setting(
        "SETTLER_KEYSTORE_FILE",
        "Encrypted keystore (JSON, version 3) of the SETTLER key; readable by its owner only.",
        example="/etc/bo-engine/settler.json",
        check=Path,
    ),
    Setting(
        "SETTLER_PASSWORD_FILE",
        "File that holds the keystore's password; readable by its owner only.",
        example="/etc/bo-engine/settler.password",
        check=Path,
    ),
    Setting("SETTLER_PRIVATE_KEY", "Plain SETTLER key: with BO_PROFILE=local only.", secret=True, check=_private_key),
    Setting(
        "DRAND_URLS",
        "drand relays, comma-separated; the first valid beacon wins.",
        default="https://api.drand.sh,https://drand.cloudflare.com",
        example="https://api.drand.sh,https://drand.cloudflare.com",
        check=_http_urls,
    ),
    Setting(
        "RULESET_FILES",
        "Further rulesets, comma-separated JSON files; used only on days for which the chain names their hash.",
        default="",
        check=_paths,
    ),
    Setting(
        "APPROVAL_MODE",
        "auto: the gates approve; manual: a person also says yes (`approve --by NAME`).",
        default="auto",
        example="auto",
        check=_one_of("auto", "manual"),
    ),
    Setting("ARTIFACTS_DIR", "Where each day's files go.", default="artifacts", example="artifacts", check=Path),
    Setting("LOGS_DIR", "Where jobs write their logs.", default="logs", example="logs", check=Path),
    Setting(
        "METRICS_DIR",
        "Where jobs leave their metrics for Prometheus' textfile collector.",
        default="",
        check=Path,
    ),
    Setting(
        "JOB_PING_URL",
        "An address that is told when a job starts (/start), succeeds, or fails (/fail); {job} in it becomes its name.",
        default="",
        secret=True,
        check=_ping_url,
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


class Settings:
    """Checked settings. An attribute of a setting that is missing raises ``missing_setting`` when it is first needed,
    so that `db migrate` does not ask for a key and `proof` does not ask for a relay."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values: dict[str, object] = {}
        self._texts: dict[str, str] = {}
        # Before the first check: the complaint about one setting must not show another's secret.
        know_secrets(values.get(setting.name, "").strip() for setting in SETTINGS if setting.secret)
        for setting in SETTINGS:
            text = values.get(setting.name, "").strip() or setting.default
            if text is None:
                continue
            try:
                _require_text(text)
                self._values[setting.name] = setting.check(text)
            except ValueError as rule:
                shown = "its value" if setting.secret else repr(text)
                raise UsageError("bad_setting", f"{setting.name} must be {rule}; {shown} is not") from None
            self._texts[setting.name] = text

    def __repr__(self) -> str:
        shown = {name: "***" if _BY_NAME[name].secret else value for name, value in self._texts.items()}
        return f"Settings({shown})"

    def _need(self, name: str) -> object:
        if name not in self._values:
            raise UsageError(
                "missing_setting", f"{name} is not set: {_BY_NAME[name].help} Put it into .env (see .env.example)"
            )
        return self._values[name]

    def _text(self, name: str) -> str:
        return str(self._need(name))

    def _path(self, name: str) -> Path:
        return Path(self._text(name))

    def has(self, name: str) -> bool:
        """Whether the setting has a value, its default included."""
        return name in self._values

    def unknown_to(self, other: "Settings") -> list[str]:
        """Names of the settings that were given a value here which is not theirs there."""
        return [
            name
            for name, setting in _BY_NAME.items()
            if self._texts.get(name) not in (setting.default, other._texts.get(name))
        ]

    def secrets(self) -> tuple[str, ...]:
        """The texts that no log may show."""
        return tuple(text for name, text in self._texts.items() if text and _BY_NAME[name].secret)

    @property
    def is_local(self) -> bool:
        """Whether the operator says that the chain is a local one (the chain must confirm it)."""
        return self._text("BO_PROFILE") == "local"

    @property
    def database_url(self) -> str:
        return self._text("DATABASE_URL")

    @property
    def migration_database_url(self) -> str:
        return self._text("MIGRATION_DATABASE_URL") if self.has("MIGRATION_DATABASE_URL") else self.database_url

    @property
    def rpc_url(self) -> str:
        return self._text("RPC_URL")

    @property
    def rpc_fallback_url(self) -> str:
        return self._text("RPC_FALLBACK_URL")

    @property
    def chain_id(self) -> int:
        return int(self._text("CHAIN_ID"))

    @property
    def settlement_address(self) -> Wallet:
        return parse_wallet(self._need("SETTLEMENT_ADDRESS"))

    @property
    def first_block(self) -> int:
        return int(self._text("FIRST_BLOCK"))

    @property
    def settler_private_key(self) -> str:
        return self._text("SETTLER_PRIVATE_KEY")

    @property
    def settler_keystore_file(self) -> Path:
        return self._path("SETTLER_KEYSTORE_FILE")

    @property
    def settler_password_file(self) -> Path:
        return self._path("SETTLER_PASSWORD_FILE")

    @property
    def drand_urls(self) -> tuple[str, ...]:
        return _http_urls(self._texts["DRAND_URLS"])

    @property
    def ruleset_files(self) -> tuple[Path, ...]:
        return _paths(self._texts.get("RULESET_FILES", ""))

    @property
    def approval_mode(self) -> str:
        return self._text("APPROVAL_MODE")

    @property
    def artifacts_dir(self) -> Path:
        return self._path("ARTIFACTS_DIR")

    @property
    def logs_dir(self) -> Path:
        return self._path("LOGS_DIR")

    @property
    def metrics_dir(self) -> Path | None:
        return self._path("METRICS_DIR") if self._text("METRICS_DIR") != "." else None

    @property
    def job_ping_url(self) -> str | None:
        return self._text("JOB_PING_URL") or None


def load_settings(environ: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """Settings from the file and the environment; the environment wins.

    The file is ``env_file``, else ``BO_ENV_FILE``, else ``.env`` of the current folder if there is one.
    Raises: UsageError ``missing_env_file``, ``bad_setting``.
    """
    named = env_file or (Path(environ["BO_ENV_FILE"]) if environ.get("BO_ENV_FILE") else None)
    path = named or Path(".env")
    if not _is_file(path):
        if named:
            raise UsageError("missing_env_file", f"the settings file {path} does not exist; set BO_ENV_FILE to one")
        return Settings(environ)
    if not os.access(path, os.R_OK):
        raise UsageError("missing_env_file", f"the settings file {path} cannot be read")
    try:
        # A byte order mark, which some editors write, would otherwise become part of the first name.
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
        from_file = {name: value for name, value in found.items() if value is not None}
    except UnicodeDecodeError:
        raise UsageError("bad_env_file", f"the settings file {path} is not UTF-8 text") from None
    return Settings({**from_file, **environ})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, say
        return False
