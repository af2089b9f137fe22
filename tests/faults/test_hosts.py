"""Two hosts, cron's overlaps, clocks that are wrong, an upgrade while cron runs (faults H01, H03, H06, H07).

H01 and H02: see also tests/services/running/test_lease.py. H04: see the host that is away in test_process.py. The
pings whose silence is noticed outside, and H08: tests/services/jobs/test_run_job.py.
"""

import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import services.chain.clock_guard
from bo_engine.errors import Unavailable
from services.lottery.settlement.settle_days import run_one_step
from services.running.engine_version import digest_of_sources, engine_version
from tests.invariants.checker import check_invariants
from tests.support.commands import started, wait_until
from tests.support.jobs import refresh_seeds
from tests.support.observed import attempts, audit_actions, event_count, pipeline, rows, run_steps, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

ROOT = Path(__file__).resolve().parents[2]
SEND = "eth_sendRawTransaction"


def released_in_the_end(played: PlayedWorld, run_hash: str) -> None:
    """What is committed goes on to its release, once."""
    played.pass_challenge()
    (outcome,) = played.settle()
    assert (outcome.status, outcome.run_hash) == ("DONE", run_hash)
    assert event_count(played, "DayCommitted") == event_count(played, "DayReleased") == 1
    check_invariants(played)


# -- H01, H03: the same minute on two hosts, a run that is longer than its period -------------------------------------


@pytest.mark.slow
def test_a_run_that_outlives_its_period_is_left_alone_and_counted(played: PlayedWorld, tmp_path: Path) -> None:
    run_hash, proxy = true_run_hash(played), played.world.proxy
    proxy.fail("hang", SEND)
    with started(played, "settle", "--json", RPC_URL=proxy.url) as first:
        wait_until(lambda: SEND in proxy.calls(), "the first run at its broadcast")
        for _ in range(3):
            done = played.cli("settle", "--json", METRICS_DIR=str(tmp_path))
            assert (done.code, json.loads(done.stdout)["error"]) == (75, "lease_held")
        assert 'bo_job_overruns{job="settle"} 3\n' in (tmp_path / "bo_settle.prom").read_text()
        proxy.heal()
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert played.cli("settle", "--json", METRICS_DIR=str(tmp_path)).code == 0
    assert 'bo_job_overruns{job="settle"} 0\n' in (tmp_path / "bo_settle.prom").read_text()
    found = rows(played, "SELECT token, exit_code FROM job_runs WHERE job = 'settle' ORDER BY job_run_id")
    assert found == [(1, 0), (None, 75), (None, 75), (None, 75), (2, 0)]
    assert len(attempts(played)) == 1
    released_in_the_end(played, run_hash)


# -- H06: the host's clock is wrong ------------------------------------------------------------------------------------

HOUR = 3600


def set_clocks(played: PlayedWorld, patch: pytest.MonkeyPatch, *, host: int, database: int = 0) -> None:
    """The world's time on all clocks, but for these that are off by so many seconds; 1970 is a host's favourite."""
    now = played.chain.now()
    host_s = 12 if host == 1970 else now + host
    patch.setattr(services.chain.clock_guard, "time", SimpleNamespace(time=lambda: host_s))
    patch.setattr(services.chain.clock_guard, "select_now", lambda conn: datetime.fromtimestamp(now + database, UTC))


@pytest.mark.parametrize(
    ("host", "database", "is_right"),
    [(HOUR, 0, False), (-HOUR, 0, False), (1970, 0, False), (0, HOUR, False), (HOUR, HOUR, False), (20, -30, True)],
)
def test_a_host_with_a_wrong_clock_seals_no_day(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, host: int, database: int, is_right: bool
) -> None:
    set_clocks(played, monkeypatch, host=host, database=database)
    with played.context() as context:
        context.chain.is_local = False
        if is_right:
            assert run_one_step(context, "export", played.day).status == "WAITING"
            return
        with pytest.raises(Unavailable, match="no day is sealed and no seed chosen") as caught:
            run_one_step(context, "export", played.day)
    assert caught.value.code == "clock_wrong"
    assert rows(played, "SELECT count(*) FROM day_inputs") == [(0,)]
    row = pipeline(played)
    assert row is not None
    assert (row.status, row.error_code, row.export_ok) == ("WAITING", "clock_wrong", False)


def test_a_host_with_a_wrong_clock_chooses_no_seed(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "SELECT vrf_word, drand_round FROM day_seeds"
    seeds = rows(played, kept)
    played.tamper("DELETE FROM day_seeds")
    with played.context() as context:
        context.chain.is_local = False
        set_clocks(played, monkeypatch, host=-HOUR)
        with pytest.raises(Unavailable) as caught:
            refresh_seeds(context)
        assert (caught.value.code, rows(played, kept)) == ("clock_wrong", [])
        set_clocks(played, monkeypatch, host=1)
        refresh_seeds(context)
    assert rows(played, kept) == seeds


# -- H07: the time steps back while a job runs -------------------------------------------------------------------------

# A job loads the chain's library after it has begun.
STEP_BACK = """
import sys, time
_real, _real_ns = time.time, time.time_ns
time.time = lambda: _real() - 7200 * ("web3" in sys.modules)
time.time_ns = lambda: _real_ns() - 7200 * 10**9 * ("web3" in sys.modules)
"""


@pytest.mark.slow
def test_a_clock_that_steps_back_makes_no_run_longer_or_shorter(played: PlayedWorld, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(STEP_BACK)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "settle", "--json"],
        env={**played.command_env(METRICS_DIR=str(tmp_path)), "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=played.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_ms = int((time.monotonic() - began) * 1000)
    assert done.returncode == 0, done
    assert wall_ms < 60_000
    ((took_ms, by_the_database),) = rows(played, "SELECT took_ms, finished_at >= started_at FROM job_runs")
    assert 0 < took_ms <= wall_ms
    assert by_the_database
    assert f'duration_milliseconds{{job="settle"}} {took_ms}\n' in (tmp_path / "bo_settle.prom").read_text()


# -- an upgrade while cron runs ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_day_that_another_version_began_is_begun_anew(played: PlayedWorld) -> None:
    run_hash = true_run_hash(played)
    run_steps(played, "export", "affiliates", "compute", "approve")
    assert rows(played, "SELECT engine FROM settlement_pipeline_runs") == [(engine_version(),)]
    played.tamper("UPDATE settlement_pipeline_runs SET engine = '0.0.9+of-before'")
    # Approved by the other one: its yes counts for its own result only.
    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.run_hash) == ("committed", run_hash)
    assert audit_actions(played) == ["run_approved", "day_begun_anew", "run_approved"]
    assert rows(played, "SELECT status FROM settlement_runs ORDER BY run_id") == [("superseded",), ("committed",)]
    assert rows(played, "SELECT engine FROM settlement_pipeline_runs") == [(engine_version(),)]
    # What is signed is only carried on, by whichever version.
    played.tamper("UPDATE settlement_pipeline_runs SET engine = '0.0.9+of-before'")
    released_in_the_end(played, run_hash)
    assert audit_actions(played).count("day_begun_anew") == 1


def test_a_yes_to_what_another_version_computed_is_refused_in_words_that_say_so(played: PlayedWorld) -> None:
    manual = {"APPROVAL_MODE": "manual"}
    approve = ("approve", "--day", str(played.day), "--by", "Ann", "--json")
    assert played.cli("settle", **manual).code == 75
    played.tamper("UPDATE settlement_pipeline_runs SET engine = '0.0.9+of-before'")
    done = played.cli(*approve, **manual)
    assert (done.code, json.loads(done.stdout)["error"]) == (1, "day_begun_anew")
    assert "two hosts run different versions" in done.stderr
    row = pipeline(played)
    assert row is not None
    assert (row.status, row.error_code, row.export_ok) == ("WAITING", "day_begun_anew", False)
    assert played.cli("settle", **manual).code == 75
    assert played.cli(*approve, **manual).code == 0


def test_the_name_of_a_version_is_made_of_its_sources_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "core" / "__pycache__").mkdir(parents=True)
    (tmp_path / "core" / "a.py").write_text("a = 1\n")
    name = digest_of_sources(tmp_path)
    (tmp_path / "core" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"x")
    (tmp_path / "core" / ".#a.py").symlink_to("ann@host.4711:1")  # Emacs has it open
    assert digest_of_sources(tmp_path) == name
    (tmp_path / "core" / "a.py").write_text("a = 2\n")
    assert digest_of_sources(tmp_path) != name
    # It was in the list, and is gone when it is read: a pull is under way.
    (tmp_path / "core" / "b.py").symlink_to("nowhere.py")
    with pytest.raises(Unavailable, match="files are being exchanged") as caught:
        digest_of_sources(tmp_path)
    assert caught.value.code == "engine_changing"


WORK = """
import json, sys
from bo_engine.settings import Settings
from services.lottery.context import open_lottery
from services.lottery.settlement.settle_days import run_one_step, settle_days
given = json.loads(sys.stdin.read())
with open_lottery(Settings(given["env"]), report=lambda _: None) as engine:
    for step in given["steps"]:
        run_one_step(engine, step, given["day"])
    if not given["steps"]:
        assert settle_days(engine, day=None)[0].status == "DONE"
"""


@pytest.mark.slow
def test_an_old_version_that_computes_otherwise_never_shares_a_day_with_the_new_one(
    played: PlayedWorld, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    for package in ("bo_engine", "abi", "merkle", "core", "io_layer", "services", "workers"):
        shutil.copytree(ROOT / package, old / package, ignore=shutil.ignore_patterns("__pycache__"))
    prizes = old / "core" / "lottery" / "prizes.py"
    right, wrong = "each = share // winners if winners else 0", "each = max(share // winners - 1, 0) if winners else 0"
    assert right in prizes.read_text()
    prizes.write_text(prizes.read_text().replace(right, wrong))

    def work_of_old(*steps: str) -> None:
        given = json.dumps({"env": played.env, "steps": steps, "day": played.day})
        subprocess.run(
            [sys.executable, "-c", WORK], input=given, text=True, cwd=old, check=True, env={"PYTHONPATH": str(old)}
        )

    run_hash = true_run_hash(played)
    work_of_old("export", "affiliates", "compute")
    ((computed, began),) = rows(
        played,
        "SELECT encode(r.run_hash, 'hex'), p.engine FROM settlement_runs AS r"
        " JOIN settlement_pipeline_runs AS p USING (run_id)",
    )
    assert f"0x{computed}" != run_hash
    assert began != engine_version()
    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.run_hash) == ("committed", run_hash)
    assert "day_begun_anew" in audit_actions(played)
    # A host that is not upgraded yet may release what the other one has committed; it computes nothing.
    played.pass_challenge()
    work_of_old()
    assert event_count(played, "DayCommitted") == event_count(played, "DayReleased") == 1
    check_invariants(played)
