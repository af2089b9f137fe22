"""Leases: one holder, by the database's clock; whoever lost it writes nothing more."""

from collections.abc import Iterator

import pytest

from bo_engine.errors import Unavailable
from io_layer.postgres.connection import Conn, connect
from io_layer.stores.leases import (
    Holder,
    acquire_lease,
    guard_lease,
    release_lease,
    renew_lease,
    select_lease,
)
from tests.io_layer.lottery.stores.builders import refused

ANNA = Holder("anna settle", "host-a", 10, 1_000)
BERTA = Holder("berta settle", "host-b", 20, 2_000)


@pytest.fixture
def first(postgres_url: str) -> Iterator[Conn]:
    """An autocommitting session; the leases are emptied behind the trigger at the end."""
    with connect(postgres_url, application_name="first", lock_timeout_ms=300) as conn:
        yield conn
        with conn.transaction():
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute("DELETE FROM job_leases")


def expire(conn: Conn) -> None:
    conn.execute("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 second'")


def test_a_free_job_is_taken_and_a_held_one_is_not(first: Conn, other: Conn) -> None:
    token = acquire_lease(first, "settle", ANNA, 60)
    with pytest.raises(Unavailable, match="lease_held: job settle is held by anna settle"):
        acquire_lease(other, "settle", BERTA, 60)
    assert acquire_lease(other, "watchdog", BERTA, 60) == 1
    lease = select_lease(other, "settle")
    assert lease is not None
    assert (lease.holder, lease.token, lease.host, lease.pid, lease.is_expired) == (
        "anna settle",
        token,
        "host-a",
        10,
        False,
    )
    assert select_lease(other, "watchdog") is not None


def test_the_token_grows_with_each_acquisition(first: Conn, other: Conn) -> None:
    token = acquire_lease(first, "settle", ANNA, 60)
    assert release_lease(first, "settle", token)
    assert not release_lease(first, "settle", token)
    assert acquire_lease(other, "settle", BERTA, 60) == token + 1
    with refused(first, "lease_token"):
        first.execute("UPDATE job_leases SET token = 1")
    with refused(first, "lease_token"):
        first.execute("DELETE FROM job_leases")


def test_an_expired_lease_is_taken_over_and_its_old_holder_writes_nothing_more(first: Conn, other: Conn) -> None:
    old = acquire_lease(first, "settle", ANNA, 60)
    expire(first)
    new = acquire_lease(other, "settle", BERTA, 60)
    for attempt in (
        lambda: guard_lease(first, "settle", old),
        lambda: renew_lease(first, "settle", old, 60),
    ):
        with pytest.raises(Unavailable, match="lease_lost"):
            attempt()
    assert not release_lease(first, "settle", old)
    guard_lease(other, "settle", new)


def test_the_lease_of_a_dead_process_is_taken_over_at_once_but_only_that_one(first: Conn, other: Conn) -> None:
    dead = acquire_lease(first, "settle", ANNA, 60)
    new = acquire_lease(other, "settle", BERTA, 60, dead_token=dead)
    assert new == dead + 1
    with pytest.raises(Unavailable, match="lease_held"):
        acquire_lease(first, "settle", ANNA, 60, dead_token=dead)


def test_a_renewed_lease_lasts_longer(first: Conn) -> None:
    token = acquire_lease(first, "settle", ANNA, 1)
    before = select_lease(first, "settle")
    renew_lease(first, "settle", token, 600)
    after = select_lease(first, "settle")
    assert before is not None
    assert after is not None
    assert (after.expires_at - before.expires_at).total_seconds() > 500


def test_nobody_takes_a_lease_over_while_a_guarded_transaction_runs(first: Conn, other: Conn) -> None:
    token = acquire_lease(first, "settle", ANNA, 60)
    expire(first)
    with first.transaction():
        guard_lease(first, "settle", token)
        with pytest.raises(Unavailable, match="database_locked"):
            acquire_lease(other, "settle", BERTA, 60)
        renew_lease(other, "settle", token, 60)  # the holder's own heartbeat does not wait
    with pytest.raises(Unavailable, match="lease_held"):
        acquire_lease(other, "settle", BERTA, 60)


def test_a_released_lease_guards_nothing(first: Conn) -> None:
    token = acquire_lease(first, "settle", ANNA, 60)
    release_lease(first, "settle", token)
    with pytest.raises(Unavailable, match="lease_lost"):
        guard_lease(first, "settle", token)
