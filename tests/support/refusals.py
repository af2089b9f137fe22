"""How a refused command must look to an operator: one clear line, a stable code, an exit code, nothing changed."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.fingerprint import fingerprint, stored_text
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished

# A day that must not go on until a person has looked says so in its own row, and nowhere else.
HALTED_ROW = ("table settlement_pipeline_runs",)
_RPC_CANARY = "canary-of-the-rpc-4f1d9c"


@dataclass(frozen=True)
class Refusal:
    """A refused command: its one line on stderr without the name of the program, and what it found, one a line."""

    code: str
    message: str
    findings: tuple[str, ...]
    finished: Finished


def refused(
    played: PlayedWorld,
    *arguments: str,
    code: str,
    exit_code: int,
    may_change: Collection[str] = (),
    **changed: str,
) -> Refusal:
    """Run a command that must be refused, and check all that every refusal has in common.

    The endpoints get an API key in their URLs, and it, the settler's key and both passwords must show up nowhere.
    ``changed`` are settings; ``may_change`` names the pieces of the fingerprint that the design lets change.
    """
    before = fingerprint(played)
    urls = {name: f"{played.env[name]}/?key={_RPC_CANARY}" for name in ("RPC_URL", "RPC_FALLBACK_URL")}
    finished = played.cli(*arguments, **{**urls, **changed})
    shown = f"{' '.join(arguments)} ended with {finished.code}:\n{finished.stdout}\n{finished.stderr}"
    assert finished.code == exit_code, shown
    refusal = _read(finished, "--json" in arguments, shown)
    assert refusal.code == code, shown
    assert len(refusal.message) > 20, shown
    unexpected = set(before.differences(fingerprint(played))) - set(may_change)
    assert not unexpected, f"{sorted(unexpected)} changed, although\n{shown}"
    no_secret_shows(played, finished, changed)
    return refusal


def _read(finished: Finished, as_json: bool, shown: str) -> Refusal:
    assert "Traceback" not in finished.stdout + finished.stderr, shown
    lines = [line for line in finished.stderr.splitlines() if not line.startswith("{")]
    assert lines, shown
    assert all(line.startswith("  - ") for line in lines[1:]), shown
    name, code, message = lines[0].split(": ", 2)
    assert name == "bo-engine", shown
    findings = tuple(line.removeprefix("  - ") for line in lines[1:])
    if as_json:
        document = json.loads(finished.stdout)
        assert (document["error"], document["exit_code"]) == (code, finished.code), shown
    else:
        assert finished.stdout == "", shown
    return Refusal(code, message, findings, finished)


def no_secret_shows(played: PlayedWorld, finished: Finished, changed: dict[str, Any]) -> None:
    """Neither what was printed, nor any file, nor any row holds a key, a password or an API key."""
    places = {"stdout": finished.stdout, "stderr": finished.stderr, "the database": stored_text(played)}
    for path in Path(played.env["ARTIFACTS_DIR"]).parent.rglob("*"):
        if path.is_file():
            places[path.name] = path.read_bytes().decode(errors="replace")
    env = {**played.env, **changed}
    secrets = {_RPC_CANARY, env["SETTLER_PRIVATE_KEY"].removeprefix("0x")}
    secrets |= {urlsplit(env[name]).password or "" for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL")}
    for place, text in places.items():
        for secret in secrets:
            assert len(secret) < 8 or secret not in text, f"a secret stands in {place}"
