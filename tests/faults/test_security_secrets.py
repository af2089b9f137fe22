"""No secret reaches a log, a row, a file, a process list or a terminal, whatever fails (faults X01, X03, I15)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from bo_engine.settings import Settings
from tests.invariants.checker import check_invariants
from tests.support.canaries import (
    AS_PASSWORD,
    AS_USER,
    IN_PATH,
    IN_QUERY,
    CanaryFound,
    canaries_of,
    require_clean_database,
    require_clean_files,
    require_clean_texts,
)
from tests.support.loopback import Script, http, serving
from tests.support.observed import attempts, pipeline, run_steps
from tests.support.played_world import PlayedWorld
from tests.support.talking_node import refusing, talking

pytestmark = pytest.mark.world
#: All that a node knows of the address at which it was called, with marks and blanks around it.
TELLTALE = (
    f"bad key '{IN_QUERY}' for https://{AS_USER}:{AS_PASSWORD}@node.example{{path}} (plan of {IN_PATH}): slow down"
)


def day_of(played: PlayedWorld) -> tuple[str, str]:
    """The flag that names the first day."""
    return ("--day", str(played.day))


def keyed(url: str) -> str:
    """The same address with the canaries in it."""
    parts = urlsplit(url)
    return f"http://{AS_USER}:{AS_PASSWORD}@{parts.netloc}/v2/{IN_PATH}?apikey={IN_QUERY}"


# -- X01 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        "eth_estimateGas",
        "eth_call",
        pytest.param("eth_sendRawTransaction", marks=pytest.mark.slow),
        pytest.param("eth_getBlockByNumber", marks=pytest.mark.slow),
    ],
)
@pytest.mark.sampled(1)
def test_a_node_that_repeats_its_url_in_an_error_gets_its_key_nowhere(played: PlayedWorld, method: str) -> None:
    run_steps(played, "export", "affiliates", "compute", "approve")
    with talking(played.world.chain.url, {method: refusing(TELLTALE)}) as node:
        changed = {"RPC_URL": keyed(node.url), "RPC_FALLBACK_URL": keyed(node.url)}
        for command in ("settle", "settle --json", "commit {day}", "doctor {day}", "doctor {day} --json"):
            done = played.cli(*command.format(day=" ".join(day_of(played))).split(), **changed)
            assert "Traceback" not in done.stderr
            if not command.startswith("doctor"):
                assert done.code == EXIT_LATER
    row = pipeline(played)
    assert row is not None
    if method in ("eth_estimateGas", "eth_sendRawTransaction"):
        # What the node said is kept for the operator, but for the secrets in it.
        assert row.reason is not None
        assert "bad key '***' for https://***:***@node.example" in row.reason
        assert "slow down" in row.reason
        assert "slow down" in played.cli("doctor", *day_of(played), "--json").stdout
    played.require_no_secret_left()
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_the_check_for_canaries_finds_them_wherever_they_stand(played: PlayedWorld) -> None:
    # So that the check of every other test can fail.
    played.require_no_secret_left()
    for statement in (
        "INSERT INTO settlement_pipeline_runs (day_id, status, reason) VALUES (1, 'WAITING', %(canary)s)",
        "INSERT INTO settlement_artifact_chunks VALUES (1, 0, convert_to(%(canary)s, 'UTF8'))",
    ):
        played.tamper(statement, canary=IN_PATH)
        with pytest.raises(CanaryFound, match="I15: a secret stands in database"):
            require_clean_database(played.env)
        played.tamper("DELETE FROM settlement_pipeline_runs WHERE day_id = 1")
    played.tamper("DELETE FROM settlement_artifact_chunks")
    path = Path(played.env["LOGS_DIR"]) / "some.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"x{AS_PASSWORD}y")
    with pytest.raises(CanaryFound):
        require_clean_files(played.env, path.parent)
    path.unlink()
    assert len(canaries_of(played.env)) >= 6


def odd_endpoints() -> Iterator[tuple[str, Script]]:
    """Endpoints whose every answer is wrong in its own way, with the URL in it where a body has room for it."""
    told = TELLTALE.encode()
    yield "html", lambda path, body: iter([http(b"<html><body>" + told + b"</body></html>", "502 Bad Gateway")])
    yield "html with 200", lambda path, body: iter([http(b"<html>" + told, "200 OK", "Content-Type: text/html")])
    yield "no json", lambda path, body: iter([http(b'{"error": "' + told)])
    yield "redirect", lambda path, body: iter([http(b"", "302 Found", f"Location: /{IN_PATH}?k={IN_QUERY}")])
    yield "closed", lambda path, body: iter([])
    yield "no http", lambda path, body: iter([told])
    yield "error text", lambda path, body: iter([http(b'{"jsonrpc":"2.0","id":0,"error":"' + told + b'"}')])


@pytest.mark.slow
def test_after_a_series_of_faults_no_secret_is_left_anywhere(played: PlayedWorld) -> None:
    run_steps(played, "export")
    for number, (name, script) in enumerate(odd_endpoints()):
        with serving(script) as server:
            which = ("RPC_URL", "RPC_FALLBACK_URL")[number % 2]
            done = played.cli("settle", "--json", **{which: keyed(server.url)})
            assert (name, done.code) == (name, EXIT_LATER)
    database = played.env["DATABASE_URL"]
    password = urlsplit(database).password
    assert password is not None
    refused = {
        "a name that nobody knows": {"RPC_URL": keyed("http://nowhere.invalid")},
        "a host that is no host": {"RPC_URL": f"http://{AS_USER}:{AS_PASSWORD}@[::1/{IN_PATH}"},
        "another setting that is wrong": {"CHAIN_ID": "x", "RPC_URL": keyed("http://127.0.0.1:9")},
        "a database that is away": {"DATABASE_URL": f"postgresql://bo:{password}@127.0.0.1:9/bo"},
        "a wrong database": {"DATABASE_URL": database.rpartition("/")[0] + "/nowhere"},
        "a database URL with a mark in its password": {
            "DATABASE_URL": f"postgresql://bo:{password}[]@nowhere.invalid/x"
        },
        "a relay that is away": {"DRAND_URLS": f"http://{AS_USER}:{AS_PASSWORD}@127.0.0.1:9/{IN_PATH}"},
        "a key as its own file": {"SETTLER_PRIVATE_KEY": "", "SETTLER_KEYSTORE_FILE": __file__},
    }
    for name, changed in refused.items():
        done = played.cli("settle" if "relay" not in name else "refresh-seeds", **changed)
        assert done.code in (EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_LATER), name
        assert "unexpected_error" not in done.stderr, name
    played.cli("settle", killed_at="broadcast, not noted")
    played.require_no_secret_left()
    assert played.settle_through().status == "DONE"
    assert AS_PASSWORD not in repr(Settings(played.env))
    assert not [text for text in canaries_of(played.env) if text in repr(Settings(played.env))]
    check_invariants(played)


# -- the list of processes -----------------------------------------------------------------------------------------


def command_lines(pid: int) -> list[str]:
    """The command lines of a process and of all that it started, as any user of the machine may read them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return [Path(f"/proc/{member}/cmdline").read_text().replace("\0", " ") for member in family]


def test_no_secret_stands_in_the_list_of_processes(played: PlayedWorld) -> None:
    def waits(path: str, body: bytes) -> Iterator[bytes | float]:
        yield 60.0

    with serving(waits) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "settle"],
            env=played.command_env(RPC_URL=keyed(server.url)),
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not server.asked:
            assert process.poll() is None
            os.sched_yield()
        seen = command_lines(process.pid)
        process.kill()
        process.wait()
    assert len(seen) >= 1
    require_clean_texts(played.env, {"the list of processes": "\n".join(seen)})


# -- X03 -----------------------------------------------------------------------------------------------------------

STEPS = ("export-inputs", "export-affiliates", "compute", "approve", "commit", "refresh-stats")


def test_a_dry_run_opens_no_key_file_and_loads_no_key(played: PlayedWorld) -> None:
    # A pipe that nobody writes to, and a key that is not the settler's: whoever loads the signer fails on either.
    pipe = played.folder / "key.pipe"
    os.mkfifo(pipe, 0o600)
    files = {"SETTLER_PRIVATE_KEY": "", "SETTLER_KEYSTORE_FILE": str(pipe), "SETTLER_PASSWORD_FILE": str(pipe)}
    foreign = {"SETTLER_PRIVATE_KEY": "0x" + "5a" * 32}
    commands = [("settle", "--dry-run"), *((step, *day_of(played), "--dry-run") for step in STEPS)]
    for command in commands:
        done = played.cli(*command, "--json", **files)
        assert done.code == EXIT_DONE, (command, done)
    assert played.cli("settle", "--dry-run", **foreign).code == EXIT_DONE
    for changed, code in ((files, "missing_setting"), (foreign, "wrong_key")):  # the real run does ask for it
        assert f"bo-engine: {code}: " in played.cli("settle", **changed).stderr
    pipe.unlink()
    assert attempts(played) == []
