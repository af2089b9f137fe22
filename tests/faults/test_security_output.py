"""What strangers write steers no log and no terminal; a stream that is closed or full fails no run (fault X08)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from tests.invariants.checker import check_invariants
from tests.support.loopback import document, serving
from tests.support.observed import pipeline, run_steps
from tests.support.played_world import PlayedWorld
from tests.support.talking_node import refusing, talking

pytestmark = pytest.mark.world
slow = partial(pytest.param, marks=pytest.mark.slow)
SETTINGS_AND_FLAGS = ("CHAIN_ID", "BO_PROFILE", "ARTIFACTS_DIR", "BO_ENV_FILE", "--day")
REPOSITORY = Path(__file__).resolve().parents[2]
#: New lines, colours, a cleared screen, a title, a line separator, text from right to left, the end of a JSON string.
HOSTILE = 'x"}\n{"level": "fatal"}\r\x1b[31m\x1b[2J\x1b]0;t\x07\x9b1m\u2028\u2029\x85\u202ekcab\u200f\x00\ud800[bold]y'


def day_of(played: PlayedWorld) -> tuple[str, str]:
    """The flag that names the first day."""
    return ("--day", str(played.day))


def no_control(text: str) -> None:
    """Only characters that a terminal shows, and the line ends of our own tables."""
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def clean_output(done: Any) -> None:
    """stdout for people, stderr as JSON lines and one-line errors."""
    no_control(done.stdout)
    no_control(done.stderr)
    for line in done.stderr.splitlines():
        if line.startswith("{"):
            assert json.loads(line)["level"] in ("info", "warning", "error")
        else:
            assert line.startswith(("bo-engine: ", "  - "))


def test_what_a_node_writes_into_its_errors_steers_nothing(played: PlayedWorld) -> None:
    run_steps(played, "export", "affiliates", "compute", "approve")
    with talking(played.world.chain.url, {"eth_estimateGas": refusing(HOSTILE)}) as node:
        done = played.cli("settle", RPC_FALLBACK_URL=node.url)
    assert done.code == EXIT_LATER
    clean_output(done)
    row = pipeline(played)
    assert row is not None
    assert row.reason is not None
    assert row.reason.isprintable()
    assert r"\x1b[31m" in row.reason
    clean_output(played.cli("doctor", *day_of(played)))
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_what_somebody_wrote_into_the_database_steers_no_terminal(played: PlayedWorld) -> None:
    run_steps(played, "export")
    hostile = HOSTILE.replace("\x00", "").replace("\ud800", "")
    played.tamper(
        "UPDATE settlement_pipeline_runs SET status = 'HALTED', error_code = 'odd', reason = %(text)s", text=hostile
    )
    for command in (("doctor", *day_of(played)), ("settle",), ("export-inputs", *day_of(played))):
        done = played.cli(*command)
        clean_output(done)
        assert r"\x1b[31m" in done.stdout + done.stderr
        assert "[bold]" in done.stdout + done.stderr
    for command in (("doctor", *day_of(played), "--json"), ("settle", "--json")):
        done = played.cli(*command)
        json.loads(done.stdout)
        assert done.stdout.isascii()


def test_what_a_relay_answers_steers_nothing(played: PlayedWorld) -> None:
    played.tamper("UPDATE day_seeds SET drand_round = NULL, drand_signature = NULL, drand_randomness = NULL")
    answer = {"round": HOSTILE, "signature": HOSTILE, "randomness": HOSTILE}
    with serving(lambda path, body: iter([document(answer)])) as relay:
        for flag in ((), ("--json",)):
            done = played.cli("refresh-seeds", *flag, DRAND_URLS=relay.url)
            assert done.code == EXIT_LATER
            clean_output(done)


@pytest.mark.parametrize(
    "name",
    ["--by", "RPC_URL", *(slow(name) for name in ("CHAIN_ID", "BO_PROFILE", "ARTIFACTS_DIR", "BO_ENV_FILE", "--day"))],
)
def test_a_hostile_flag_or_setting_is_a_usage_error_on_one_line(played: PlayedWorld, name: str) -> None:
    hostile = HOSTILE.replace("\x00", "").replace("\ud800", "\udcff")  # a byte that is no UTF-8, as Python reads it
    flag = (name, hostile) if name.startswith("--") else ()
    changed = {} if flag else {name: hostile}
    done = started(played, "resume", *(flag if name == "--day" else (*day_of(played), *flag)), **changed)
    assert done.returncode == EXIT_USAGE, done.stderr
    assert done.stdout == b""
    no_control(done.stderr.decode())
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"bo-engine: ")


@pytest.mark.parametrize("text", ["\u0661\u0662", "20_000", " 5", "+5", "5\u200f", "\uff15", "1e3", "9" * 5_000, "0x5"])
def test_a_day_is_written_in_plain_digits(played: PlayedWorld, text: str) -> None:
    done = played.cli("doctor", "--day", text)
    assert (done.code, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr.startswith("bo-engine: usage: ")
    assert len(done.stderr) < 300


# -- streams -------------------------------------------------------------------------------------------------------


def started(
    played: PlayedWorld, *arguments: str, line: str = '"$@"', env: Mapping[str, str] | None = None, **changed: str
) -> "subprocess.CompletedProcess[bytes]":
    """The command in a shell that does something to its streams."""
    command = [os.fsencode(text) for text in (sys.executable, "-m", "cli.main", *arguments)]
    whole = {**played.command_env(), "PYTHONPATH": str(REPOSITORY), **changed, **(env or {})}
    return subprocess.run(
        ["/bin/bash", "-c", line, "bash", *command],
        env={os.fsencode(key): os.fsencode(value) for key, value in whole.items()},
        cwd=played.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ('set -o pipefail; "$@" | true', EXIT_DONE),
        slow('"$@" >&-', EXIT_DONE),
        slow('"$@" >&- 2>&-', EXIT_DONE),
        ('"$@" <&- >&- 2>&-', EXIT_DONE),
        slow('"$@" 2>/dev/full', EXIT_DONE),
        ('"$@" >/dev/full', EXIT_FAILED),
    ],
)
@pytest.mark.parametrize("flag", ["--json", slow("--help")])
def test_a_stream_that_is_closed_or_full_gives_no_traceback_and_a_sane_exit_code(
    played: PlayedWorld, shell: str, code: int, flag: str
) -> None:
    done = started(played, "doctor", *day_of(played), flag, line=shell)
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if code == EXIT_FAILED:
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith("bo-engine: output_lost: the command ended with 0, but its result could not be written")


def test_a_refusal_keeps_its_code_when_nobody_reads_it(played: PlayedWorld) -> None:
    for shell in ('"$@" >&- 2>&-', '"$@" >/dev/full 2>/dev/full', 'set -o pipefail; "$@" 2>&1 | true'):
        assert started(played, "settle", "--force", "--json", line=shell).returncode == EXIT_USAGE


def test_the_run_behind_a_closed_stream_is_done_all_the_same(played: PlayedWorld) -> None:
    done = started(played, "settle", line='"$@" >&- 2>&-')
    assert done.returncode == EXIT_DONE
    played.pass_challenge()
    done = started(played, "settle", line='"$@" >/dev/full')
    assert (done.returncode, done.stderr.count(b"output_lost")) == (EXIT_FAILED, 1)
    row = pipeline(played)
    assert row is not None
    assert row.status == "DONE"
    check_invariants(played)


@pytest.mark.parametrize("encoding", ["ascii", slow("latin-1")])
def test_a_terminal_that_knows_few_letters_gets_the_result(played: PlayedWorld, encoding: str) -> None:
    done = started(played, "doctor", *day_of(played), env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (EXIT_DONE, b"")


def test_an_environment_that_is_no_utf_8_is_a_clear_usage_error(played: PlayedWorld) -> None:
    done = started(played, "settle", LOGS_DIR="logs-\udcff\udcfe")
    assert done.returncode == EXIT_USAGE
    assert done.stderr.startswith(b"bo-engine: bad_setting: LOGS_DIR must be printable UTF-8 text on one line")
    # A name that is none of ours is nobody's business.
    assert started(played, "doctor", *day_of(played), SOMETHING_ELSE="\udcff").returncode == EXIT_DONE
    path = played.folder / "odd.env"
    path.write_bytes(b"CHAIN_ID=\xff\xfe\n")
    done = started(played, "settle", BO_ENV_FILE=str(path))
    assert done.returncode == EXIT_USAGE
    assert f"bo-engine: bad_env_file: the settings file {path} is not UTF-8 text" in done.stderr.decode()
