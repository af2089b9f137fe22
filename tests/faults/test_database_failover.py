"""The server is lost and a standby that lacks the last second takes its place (D07); a standby or a read-only database
is refused before any outside effect (D06)."""

import json
from pathlib import Path

import pytest
from psycopg import sql

from tests.invariants.checker import check_invariants
from tests.support.fingerprint import fingerprint
from tests.support.observed import attempts, event_count, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld
from tests.support.standby import opened_standby

pytestmark = pytest.mark.world


def refuses_to_write(played: PlayedWorld) -> None:
    """Every job ends with 75 and the reason, and has sent and written nothing."""
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.heal()
    for job in ("settle", "refresh-seeds", "recover-intents"):
        done = played.cli(job, "--json", RPC_URL=proxy.url)
        assert (done.code, json.loads(done.stdout)["error"]) == (75, "database_read_only"), done
    assert settler_nonce(played) == nonce
    assert "eth_sendRawTransaction" not in proxy.calls()
    assert not list(Path(played.env["ARTIFACTS_DIR"]).rglob("*.json"))


def test_a_read_only_database_is_refused_before_any_outside_effect(played: PlayedWorld) -> None:
    switch = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    name = sql.Identifier(played.database_name)
    before = fingerprint(played, leases=True)
    played.run_as_admin(switch.format(name, sql.SQL("on")))
    refuses_to_write(played)
    played.run_as_admin(switch.format(name, sql.SQL("off")))
    assert set(before.differences(fingerprint(played, leases=True))) <= {"file logs"}
    assert played.settle_through().status == "DONE"
    check_invariants(played)


@pytest.mark.slow
def test_a_standby_is_refused_and_once_promoted_catches_up_with_what_was_sent(played: PlayedWorld) -> None:
    run_hash, primary = true_run_hash(played), dict(played.env)
    with opened_standby(played) as standby:
        played.env = standby.env()
        refuses_to_write(played)
        standby.cut_off()
        played.env = primary
        (outcome,) = played.settle()  # the last second: signed, sent, committed, and lost with the server
        assert outcome.run_status == "committed"
        nonce = settler_nonce(played)

        standby.promote()
        played.env = standby.env()
        assert attempts(played) == []
        (outcome,) = played.settle()
        assert (outcome.run_status, outcome.run_hash, settler_nonce(played)) == ("committed", run_hash, nonce)
        played.pass_challenge()
        (outcome,) = played.settle()
        assert (outcome.status, outcome.run_hash, settler_nonce(played)) == ("DONE", run_hash, nonce + 1)
        assert [event_count(played, name) for name in ("DayCommitted", "DayReleased")] == [1, 1]
        assert rows(played, "SELECT count(*) FROM audit_log WHERE action = 'commit_adopted'") == [(1,)]
        check_invariants(played, knows_all_sends=False)
    played.env = primary
