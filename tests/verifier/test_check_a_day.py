"""docs/check-a-day.md: its commands are run as they stand there, on a day that the engine settled."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.played_world import PlayedWorld

PAGE = Path(__file__).resolve().parents[2] / "docs" / "check-a-day.md"
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.world


def run(command: str, played: PlayedWorld, wallet: str) -> subprocess.CompletedProcess[str]:
    """One block of the page, in a shell with nothing of the engine's settings."""
    folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"
    given = {"DAY": str(played.day), "FOLDER": str(folder), "WALLET": wallet, "RPC": played.env["RPC_URL"]}
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    return subprocess.run(
        ["/bin/sh", "-euc", command],
        env={"PATH": path, **given},
        cwd=played.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pages_commands_check_a_day_and_one_wallets_tickets(played: PlayedWorld) -> None:
    played.settle_through()
    folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"
    result = json.loads((folder / "settlement_result.json").read_bytes())
    winner = max(result["payouts"], key=lambda payout: int(payout["amount"]))["wallet"]
    assert len(COMMANDS) == 6
    said = []
    for command in COMMANDS:
        done = run(command, played, winner)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    sums, verified, selftest, tickets, proof, anchored = said
    checksums = json.loads((folder / "checksums.json").read_bytes())["files"]
    assert all(digest.removeprefix("0x") in sums for digest in checksums.values())
    assert "consistent, not anchored" in verified
    assert re.search(r"(\d+) of \1 caught", selftest)
    assert "matches 4" in tickets or "matches 5" in tickets or "matches 6" in tickets
    assert proof.count(json.loads((folder / "commit_bundle.json").read_bytes())["winner_root"]) == 2
    assert "verdict    anchored" in anchored

    # What the page promises of a wrong file: a line that says so, and exit 1.
    (folder / "settlement_result.json").write_bytes(
        (folder / "settlement_result.json").read_bytes().replace(b'"charity":"', b'"charity":"1', 1)
    )
    refused = run(COMMANDS[1], played, winner)
    assert refused.returncode == 1
    assert "FAILED" in refused.stdout
