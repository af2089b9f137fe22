"""What players are shown of the next draw is what it will pay from, at one final block, and never steps back."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bo_engine.units import Atoms, DayId, PoolId
from io_layer.lottery.stores.stats import PotSize, select_pot_sizes, upsert_pot_sizes
from io_layer.postgres.connection import connect
from local_world.faults.modes import mode
from local_world.faults.rules import Rule
from services.lottery.days.idle import pots_are_shown
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world
ROOT = Path(__file__).resolve().parents[4]
JOB = "update-pot-sizes"


def shown(played: PlayedWorld) -> list[PotSize]:
    """What stands in the table."""
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        return select_pot_sizes(conn)


def update(played: PlayedWorld, *flags: str, **changed: str) -> tuple[int, dict[str, object]]:
    """Run the job; exit code and what it says."""
    done = played.cli(JOB, "--json", *flags, **changed)
    return done.code, json.loads(done.stdout)


def paid_from(played: PlayedWorld, day: DayId) -> list[tuple[object, ...]]:
    """What the settlement of a day has found in each pool: budget, reserve, streak."""
    return rows(
        played,
        "SELECT pool_id, day_id, budget, reserve + jackpot, p.streak FROM settlement_pool_results AS p "  # noqa: S608
        f"JOIN settlement_runs USING (run_id) WHERE day_id = {day} ORDER BY pool_id",
    )


def test_the_pots_shown_are_those_that_the_draw_then_pays_from(played: PlayedWorld) -> None:
    first, second = played.day, DayId(played.day + 1)
    code, said = update(played)
    assert (code, said["day_id"], said["shown"]) == (0, first, 5)
    before = [pot[:5] for pot in shown(played)]
    assert played.settle_through().status == "DONE"
    assert before == paid_from(played, first)
    # From the release on it is the next day's draw; what is sold for it makes it grow.
    opened = shown(played)
    assert {pot.day_id for pot in opened} == {second}
    played.sell(second, seed=3)
    played.chain.finalize()
    assert update(played)[0] == 0
    grown = shown(played)
    assert sum(pot.reserve_atoms for pot in grown) > sum(pot.reserve_atoms for pot in opened)
    assert sum(pot.budget_atoms for pot in grown) > sum(pot.budget_atoms for pot in opened)
    played.close(second)
    assert [outcome.status for outcome in played.settle()] == ["WAITING"]
    assert [pot[:5] for pot in grown] == paid_from(played, second)


def test_an_endpoint_that_lags_takes_no_newer_pot_away(played: PlayedWorld) -> None:
    played.chain.mine(60)
    assert update(played)[0] == 0
    newer = shown(played)
    played.world.proxy.set_rules(mode("stale_head").rule)
    code, said = update(played)
    assert (code, said["shown"]) == (0, 0)
    assert isinstance(said["block_number"], int)
    assert said["block_number"] < newer[0].block_number
    assert shown(played) == newer


def test_a_pot_that_only_one_endpoint_knows_is_not_shown(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    assert update(played)[0] == 0
    kept, asked = shown(played), proxy.calls()["eth_call"]
    # The last that is asked of it is what the day before has left.
    proxy.set_rules(Rule("wrong_call", "eth_call", asked))
    code, said = update(played)
    assert (code, said["error"]) == (1, "rpc_disagreement")
    assert "SettlementV4.openingState" in str(said["message"])
    proxy.set_rules(mode("unavailable").rule)
    code, said = update(played)
    assert (code, said["error"]) == (75, "rpc_unreachable")
    assert shown(played) == kept


@pytest.mark.parametrize("first", [8, 9])
def test_of_two_runs_at_once_the_one_with_the_later_block_is_seen_in_all_pools(played: PlayedWorld, first: int) -> None:
    """settle shows pots too, under another lease: the two may meet."""

    def pots(block: int) -> list[PotSize]:
        return [PotSize(PoolId(n), played.day, Atoms(block), Atoms(block), block, block) for n in range(5)]

    url = played.env["DATABASE_URL"]
    with connect(url, application_name="one") as one, connect(url, application_name="two") as two:

        def later_one() -> None:
            with two.transaction():
                upsert_pot_sizes(two, pots(17 - first))

        thread = threading.Thread(target=later_one)
        with one.transaction():
            upsert_pot_sizes(one, pots(first)[:1])
            thread.start()
            thread.join(0.2)
            assert thread.is_alive(), "the second run did not wait for the first"
            upsert_pot_sizes(one, pots(first)[1:])
        thread.join(20)
        assert not thread.is_alive()
    assert {pot.block_number for pot in shown(played)} == {9}


def test_a_run_killed_before_its_end_shows_nothing_and_the_next_one_all(played: PlayedWorld) -> None:
    killed_at(played, "pots written, not committed", JOB)
    assert shown(played) == []
    assert update(played)[0] == 0
    assert len(shown(played)) == 5
    again = fingerprint(played, ignoring={"pot_sizes": ("updated_at", "block_number")})
    assert update(played)[0] == 0
    assert again.differences(fingerprint(played, ignoring={"pot_sizes": ("updated_at", "block_number")})) == []


def test_a_dry_run_says_what_would_be_shown_and_writes_nothing(played: PlayedWorld) -> None:
    before = fingerprint(played, leases=True)
    code, said = update(played, "--dry-run")
    assert (code, said["dry_run"], said["shown"], said["day_id"]) == (0, True, 0, played.day)
    assert before.differences(fingerprint(played, leases=True)) == []
    assert rows(played, "SELECT count(*) FROM job_runs") == [(0,)]
    _, real = update(played)
    assert real["pools"] == said["pools"]
    text = played.cli(JOB)
    assert (text.code, "{" in text.stdout) == (0, False)


IDLE = """
import json, sys
from bo_engine.settings import Settings
from services.running.cancel import Stop
from services.jobs.run_job import run_job
from workers.all_jobs import all_jobs
settings = Settings(json.loads(sys.stdin.read()))
assert run_job(all_jobs()["update-pot-sizes"], settings, cancel=Stop(), report=print) is None
print(sorted({"web3", "eth_account", "py_ecc", "numpy", "requests", "abi"} & set(sys.modules)))
"""


def test_while_no_ticket_comes_the_database_alone_says_that_the_pots_stand(played: PlayedWorld) -> None:
    assert played.settle_through().status == "DONE"
    nowhere = {"RPC_URL": "http://127.0.0.1:9/", "RPC_FALLBACK_URL": "http://127.0.0.1:9/", "BO_PROFILE": "production"}
    given = {name: value for name, value in {**played.env, **nowhere}.items() if name != "SETTLER_PRIVATE_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", IDLE], input=json.dumps(given), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "[]\n", done


CHANGES = (
    "UPDATE pot_sizes SET updated_at = updated_at - interval '61 minutes' WHERE pool_id = 4",
    "UPDATE pot_sizes SET day_id = day_id - 1 WHERE pool_id = 0",
    "UPDATE pot_sizes SET block_number = 1 WHERE pool_id = 2",
    "DELETE FROM pot_sizes WHERE pool_id = 3",
    "UPDATE tickets SET block_number = 9999999 WHERE ticket_id = (SELECT max(ticket_id) FROM tickets)",
    "DELETE FROM settlement_pipeline_runs",
)


def test_whatever_may_have_changed_a_pot_lets_the_chain_be_asked(played: PlayedWorld) -> None:
    assert played.settle_through().status == "DONE"
    with connect(played.env["MIGRATION_DATABASE_URL"], application_name="test") as conn:
        for change in CHANGES:
            assert pots_are_shown(conn)
            with conn.transaction(force_rollback=True):
                conn.execute("SET LOCAL session_replication_role = replica")
                conn.execute(change.encode())
                assert not pots_are_shown(conn), change
