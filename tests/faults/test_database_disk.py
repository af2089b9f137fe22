"""The database's disk is full (D05) or fails at fsync (D16): nothing is broadcast that is not stored, and when the disk
is good again the day is settled as if nothing had been."""

import pytest

from tests.invariants.checker import check_invariants
from tests.support.bad_disk import durable_server, fail_fsync, full_disk
from tests.support.commands import started, wait_until
from tests.support.observed import attempts, event_count, pipeline, refuses, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

JOURNAL = ("chain_transaction_attempts", "chain_nonces", "chain_transactions", "chain_accounts")


def empty_journal(played: PlayedWorld) -> None:
    """Only an empty table can lie on the full device; what is forgotten here is on the chain and is adopted."""
    for table in JOURNAL:
        played.tamper(f"DELETE FROM {table}")  # noqa: S608 - our own constants


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("settlement_pipeline_runs", marks=pytest.mark.slow),
        pytest.param("settlement_artifact_chunks", marks=pytest.mark.slow),
        "settlement_runs",
        pytest.param("chain_transactions", marks=pytest.mark.slow),
        "chain_transaction_attempts",
    ],
)
def test_a_full_disk_stops_the_day_before_anything_is_sent(played: PlayedWorld, table: str) -> None:
    run_hash, nonce, proxy = true_run_hash(played), settler_nonce(played), played.world.proxy
    empty_journal(played)
    proxy.heal()
    with full_disk(played, table):
        for _ in range(2):
            error = refuses("database_full", played, RPC_URL=proxy.url)
            assert error.exit_code == 75
        assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce, 0)
        assert "eth_sendRawTransaction" not in proxy.calls()
        row = pipeline(played)
        assert row is None or (row.status, row.error_code) == ("WAITING", "database_full")
    outcome = played.settle_through()
    assert (outcome.status, outcome.run_hash, settler_nonce(played)) == ("DONE", run_hash, nonce + 2)
    check_invariants(played, knows_all_sends=False)


@pytest.mark.slow
def test_a_failing_fsync_is_a_crash_of_the_database_and_costs_a_tick(played: PlayedWorld) -> None:
    run_hash, nonce, proxy = true_run_hash(played), settler_nonce(played), played.world.proxy
    with durable_server(played):
        proxy.fail("hang", "eth_sendRawTransaction")
        with started(played, "settle", RPC_URL=proxy.url) as process:
            wait_until(lambda: "eth_sendRawTransaction" in proxy.calls(), "the process at its broadcast")
            fail_fsync(played, "chain_transaction_attempts")
            proxy.heal()
            _, stderr = process.communicate(timeout=60)
        assert (process.returncode, "database_unreachable" in stderr) == (75, True), stderr
        assert len(attempts(played)) == 1  # committed before the broadcast, and recovered from the log
        outcome = played.settle_through()
        assert (outcome.status, outcome.run_hash, settler_nonce(played)) == ("DONE", run_hash, nonce + 2)
        assert event_count(played, "DayCommitted") == 1
        check_invariants(played)
