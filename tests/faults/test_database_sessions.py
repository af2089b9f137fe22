"""Nothing of the engine lives in a database session or in the host's clock: a pooler in transaction mode may stand in
between (D10), and leases follow the database's clock alone (D12). An unknown schema is refused (D14)."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from psycopg import sql

from bo_engine.units import DayId
from io_layer.postgres.schema import MIGRATIONS
from tests.invariants.checker import check_invariants
from tests.support.fingerprint import fingerprint
from tests.support.observed import event_count, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = [pytest.mark.world, pytest.mark.slow]

#: What would bind a later transaction to the session of an earlier one.
SESSION_STATE = re.compile(
    r"pg_(try_)?advisory_(?!xact)\w*lock(?!_xact)|\bLISTEN\b|\bUNLISTEN\b|CREATE\s+(LOCAL\s+)?TEMP|\bPREPARE\b|WITH\s+HOLD"
    r"|^\s*SET\s+(?!LOCAL|TRANSACTION|CONSTRAINTS)|\bset_config\([^)]*false\)|\bcurrval\b|\blastval\b",
    re.I,
)


def hold(played: PlayedWorld, seconds: int) -> None:
    """Another host holds the job; its process was killed and nobody there gives the lease back."""
    played.tamper(
        """INSERT INTO job_leases (job, holder, token, expires_at, host, pid, pid_started)
           VALUES ('settle', 'far-host process 7', 7, clock_timestamp() + make_interval(secs => %(seconds)s),
                   'far-host', 7, 7)
               ON CONFLICT (job) DO UPDATE
              SET holder = excluded.holder, token = job_leases.token + 1, expires_at = excluded.expires_at,
                  host = excluded.host, pid = 7, pid_started = 7""",
        seconds=seconds,
    )


# -- D10 -------------------------------------------------------------------------------------------------------------


def test_a_settled_night_leaves_no_state_in_any_session(played: PlayedWorld) -> None:
    """The server's own log of every statement: none lives beyond its transaction."""
    log = played.world.postgres.log
    start = log.stat().st_size
    name = sql.Identifier(played.database_name)
    played.run_as_admin(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(name))
    played.settle_through()
    day = DayId(played.day + 1)
    played.sell(day, buyers=2, min_tips=4)
    played.close(day)
    # What looks for secrets after each test names them in its own statements.
    played.run_as_admin(sql.SQL("ALTER DATABASE {} RESET log_statement").format(name))
    written = log.read_bytes()[start:].decode("utf-8", "replace")
    said = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*?)(?=\n\d{4}-|\Z)", written, re.S)
    assert len(said) > 300
    assert [text for text in said if SESSION_STATE.search(text)] == []
    # Named statements would be looked for in a session that a pooler gave to somebody else.
    assert set(re.findall(r"LOG:  execute ([^:]*):", written)) <= {"<unnamed>"}


def test_no_statement_of_the_engine_binds_a_session() -> None:
    """The same over the sources, for what a night does not reach. Migrating is a person's act, on a connection of its
    own."""
    root = Path(__file__).resolve().parents[2]
    sources = [path for name in ("services", "workers", "io_layer") for path in (root / name).rglob("*.py")]
    texts = {str(path): path.read_text(encoding="utf-8") for path in sources if path.name != "schema.py"}
    quoted = {name: re.findall(r'"""(.*?)"""|"([^"\n]*)"', text, re.S) for name, text in texts.items()}
    found = [
        (name, "".join(pair)[:80])
        for name, pairs in quoted.items()
        for pair in pairs
        if re.search(r"\b(SELECT|SET|LISTEN|CREATE|PREPARE|DECLARE)\b", "".join(pair))
        and SESSION_STATE.search("".join(pair))
    ]
    assert found == []
    last = (MIGRATIONS / "0012_fee_bumps.sql").read_text(encoding="utf-8")
    assert "pg_advisory" not in last


def test_the_lease_of_a_killed_holder_elsewhere_is_taken_over_when_it_expires(played: PlayedWorld) -> None:
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    hold(played, 3)
    done = played.cli("settle", "--json")
    assert (done.code, json.loads(done.stdout)["error"]) == (75, "lease_held")
    started = time.monotonic()
    while (done := played.cli("settle", "--json")).code == 75:
        assert time.monotonic() - started < 15, done
    assert json.loads(done.stdout)["days"][0]["run_hash"] == run_hash
    assert settler_nonce(played) == nonce + 1


# -- D12 -------------------------------------------------------------------------------------------------------------

SHIFT = """
import time, datetime
_real, _real_ns, _shift = time.time, time.time_ns, {shift}
time.time = lambda: _real() + _shift
time.time_ns = lambda: _real_ns() + _shift * 10**9
class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().fromtimestamp(time.time(), tz)
datetime.datetime = _Shifted
import sys
print("clock shifted", file=sys.stderr)
"""


@pytest.mark.parametrize("shift", [600, pytest.param(-600, marks=pytest.mark.slow)])
def test_a_host_whose_clock_is_ten_minutes_off_neither_steals_a_lease_nor_waits_longer(
    played: PlayedWorld, tmp_path: Path, shift: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHIFT.format(shift=shift))
    root = Path(__file__).resolve().parents[2]

    def settle() -> tuple[int, dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "settle", "--json"],
            env={**played.command_env(), "PYTHONPATH": f"{tmp_path}:{root}"},
            cwd=played.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "clock shifted" in done.stderr
        return done.returncode, json.loads(done.stdout)

    hold(played, 300)  # alive by the database's clock, over for a host that is ten minutes ahead
    code, answer = settle()
    assert (code, answer["error"]) == (75, "lease_held")
    assert rows(played, "SELECT holder FROM job_leases WHERE job = 'settle'") == [("far-host process 7",)]
    hold(played, -1)  # over by the database's clock, alive for a host that is ten minutes behind
    code, answer = settle()
    assert code == 0, answer
    assert event_count(played, "DayCommitted") == 1


# -- D14 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM schema_versions WHERE migration_id = '0012_fee_bumps'", "schema_outdated"),
        pytest.param("DELETE FROM schema_versions", "schema_outdated", marks=pytest.mark.slow),
        ("INSERT INTO schema_versions (migration_id) VALUES ('9999_future')", "engine_outdated"),
        pytest.param("DROP TABLE schema_versions", "schema_outdated", marks=pytest.mark.slow),
    ],
)
def test_a_half_applied_or_unknown_schema_is_refused_by_every_job(
    played: PlayedWorld, statement: str, code: str
) -> None:
    nonce, before = settler_nonce(played), fingerprint(played)
    kept = rows(played, "SELECT migration_id FROM schema_versions ORDER BY 1")
    played.tamper(statement)
    for job in ("settle", "refresh-seeds", "recover-intents"):
        done = played.cli(job, "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (2, code)
    assert settler_nonce(played) == nonce
    changed = {"table schema_versions"}
    if "DROP" in statement:
        return
    played.tamper("DELETE FROM schema_versions")
    for (name,) in kept:
        played.tamper("INSERT INTO schema_versions (migration_id, applied_at) VALUES (%(name)s, now())", name=name)
    assert set(before.differences(fingerprint(played))) <= changed | {"file logs"}
    assert played.settle_through().status == "DONE"
    check_invariants(played)
