"""Runs: one live run a day, its rows fixed once approved, its history kept."""

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId
from core.lottery.documents.merkle_dumps import affiliate_tree, winner_tree
from io_layer.lottery.stores.runs import (
    approve_run,
    mark_committed,
    mark_settled,
    mark_vetoed,
    select_affiliate_payouts,
    select_closing_state,
    select_live_run,
    select_open_runs,
    select_payout,
    select_pool_results,
    select_runs,
    select_tree,
    select_winner_payouts,
)
from io_layer.lottery.stores.stats import refresh_global_stats
from io_layer.postgres.connection import Conn
from merkle.tree import MerkleTree
from tests.io_layer.lottery.stores.builders import hash_of, refused, store_day, store_run, store_void, voided_day
from tests.support.days import DAY, DEPLOYMENT, Day

PAYOUTS = "settlement_winner_payouts"


@pytest.fixture
def run_id(conn: Conn, any_day: Day) -> int:
    """A computed run of a sealed day."""
    store_day(conn, any_day)
    return store_run(conn, any_day.settle())


def settle_run(conn: Conn, run_id: int, name: str = "run") -> None:
    assert approve_run(conn, run_id, hash_of(name), "anna")
    assert mark_committed(conn, run_id)
    assert mark_settled(conn, run_id)


def test_a_run_comes_back_as_it_was_computed(conn: Conn, any_day: Day, run_id: int) -> None:
    result = any_day.settle()
    run = select_live_run(conn, DAY)
    assert run is not None
    assert (run.status, run.run_hash, run.total_payout_atoms) == ("dry_run", hash_of("run"), result.total_payout_atoms)
    assert run.pool_payout == [pool.payout_atoms for pool in result.pools]
    assert run.jackpot_hit == [pool.jackpot_hit for pool in result.pools]
    assert select_pool_results(conn, run_id) == result.pools
    assert tuple(select_winner_payouts(conn, run_id)) == result.payouts
    assert tuple(select_affiliate_payouts(conn, run_id)) == result.affiliate_payouts
    assert select_payout(conn, run_id, result.payouts[3].wallet) == result.payouts[3].amount_atoms
    assert select_payout(conn, run_id, result.payouts[3].wallet, "affiliate") is None


def test_both_trees_come_back_as_they_were_built(conn: Conn, any_day: Day, run_id: int) -> None:
    tree = winner_tree(DEPLOYMENT, DAY, any_day.settle().payouts)
    nodes = select_tree(conn, run_id, "winner")
    assert nodes == tree.nodes
    assert MerkleTree(nodes).root == tree.root
    assert (
        select_tree(conn, run_id, "affiliate")
        == affiliate_tree(DEPLOYMENT, DAY, any_day.settle().affiliate_payouts).nodes
    )


def test_a_new_run_supersedes_the_older_one(conn: Conn, any_day: Day, run_id: int) -> None:
    second = store_run(conn, any_day.settle(), "second")
    assert approve_run(conn, second, hash_of("second"), "anna")
    third = store_run(conn, any_day.settle(), "third")
    assert [run.status for run in select_runs(conn, DAY)] == ["superseded", "superseded", "dry_run"]
    assert [run.run_id for run in select_open_runs(conn, DAY)] == [third]


def test_a_day_with_a_committed_run_takes_no_other(conn: Conn, any_day: Day, run_id: int) -> None:
    approve_run(conn, run_id, hash_of("run"), "anna")
    mark_committed(conn, run_id)
    with refused(conn, "settlement_runs_one_live"):
        store_run(conn, any_day.settle(), "second")
    assert mark_vetoed(conn, run_id)
    again = store_run(conn, any_day.settle(), "run")  # the new run may carry the same hash
    settle_run(conn, again)
    with refused(conn, "settlement_runs_one_live"):
        store_run(conn, any_day.settle(), "third")


def test_the_closing_state_of_a_settled_day_opens_the_next(conn: Conn, any_day: Day, run_id: int) -> None:
    assert select_closing_state(conn, DAY) is None
    settle_run(conn, run_id)
    assert select_closing_state(conn, DAY) == tuple(pool.closing for pool in any_day.settle().pools)
    assert select_closing_state(conn, DayId(DAY - 1)) is None


def test_a_run_is_approved_by_its_hash_and_only_once(conn: Conn, run_id: int) -> None:
    assert not approve_run(conn, run_id, hash_of("another"), "anna")
    assert not mark_committed(conn, run_id)
    assert approve_run(conn, run_id, hash_of("run"), "anna")
    assert not approve_run(conn, run_id, hash_of("run"), "berta")
    run = select_live_run(conn, DAY)
    assert run is not None
    assert run.approved_by == "anna"


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE settlement_winner_payouts SET amount = amount + 1",
        "DELETE FROM settlement_winner_payouts",
        "INSERT INTO settlement_winner_payouts SELECT run_id, '0x' || repeat('e', 40), 1 FROM settlement_runs",
        "UPDATE settlement_affiliate_payouts SET amount = amount + 1",
        "DELETE FROM settlement_pool_results WHERE pool_id = 0",
    ],
)
def test_a_run_whose_rows_do_not_make_up_its_totals_is_never_approved(conn: Conn, run_id: int, tampering: str) -> None:
    conn.execute(tampering)
    with refused(conn, "run_rows_differ"):
        approve_run(conn, run_id, hash_of("run"), "anna")


@pytest.mark.parametrize(
    "table", [PAYOUTS, "settlement_affiliate_payouts", "settlement_pool_results", "settlement_trees"]
)
def test_rows_of_an_approved_run_are_fixed(conn: Conn, run_id: int, table: str) -> None:
    approve_run(conn, run_id, hash_of("run"), "anna")
    for statement in (f"UPDATE {table} SET run_id = run_id", f"DELETE FROM {table}"):  # noqa: S608
        with refused(conn, "run_rows_fixed"):
            conn.execute(statement)
    with refused(conn, "truncate_refused"):
        conn.execute(f"TRUNCATE {table}")


def test_no_row_is_added_to_an_approved_run_nor_moved_into_it(conn: Conn, any_day: Day, run_id: int) -> None:
    approve_run(conn, run_id, hash_of("run"), "anna")
    with refused(conn, "run_rows_fixed"):
        conn.execute(f"INSERT INTO {PAYOUTS} SELECT run_id, '0x' || repeat('e', 40), 1 FROM settlement_runs")  # noqa: S608
    mark_committed(conn, run_id)
    mark_vetoed(conn, run_id)
    second = store_run(conn, any_day.settle(), "second")
    conn.execute(f"INSERT INTO {PAYOUTS} VALUES (%(run_id)s, '0x' || repeat('e', 40), 1)", {"run_id": second})  # noqa: S608
    with refused(conn, "run_rows_fixed"):
        conn.execute(f"UPDATE {PAYOUTS} SET run_id = %(run_id)s WHERE wallet = '0x' || repeat('e', 40)",  # noqa: S608
                     {"run_id": run_id})  # fmt: skip


def test_rows_of_a_superseded_run_may_be_pruned(conn: Conn, any_day: Day, run_id: int) -> None:
    store_run(conn, any_day.settle(), "second")
    assert conn.execute(f"DELETE FROM {PAYOUTS} WHERE run_id = %(id)s", {"id": run_id}).rowcount > 0  # noqa: S608


@pytest.mark.parametrize("status", ["dry_run", "approved", "committed", "vetoed", "superseded"])
def test_a_settled_run_never_changes(conn: Conn, run_id: int, status: str) -> None:
    settle_run(conn, run_id)
    with refused(conn, "run_transition"):
        conn.execute("UPDATE settlement_runs SET status = %(status)s", {"status": status})
    with refused(conn, "run_kept"):
        conn.execute("DELETE FROM settlement_runs")


def test_steps_cannot_be_left_out(conn: Conn, run_id: int) -> None:
    for status in ("committed", "settled", "vetoed"):
        with pytest.raises(InvariantBroken), conn.transaction():
            conn.execute("UPDATE settlement_runs SET status = %(status)s, approved_by = 'x', approved_at = now()",
                         {"status": status})  # fmt: skip
    with refused(conn, "settlement_runs_approved"):
        conn.execute("UPDATE settlement_runs SET status = 'approved'")


def test_the_result_and_the_approval_of_a_run_cannot_be_edited(conn: Conn, run_id: int) -> None:
    with refused(conn, "run_fixed"):
        conn.execute("UPDATE settlement_runs SET total_payout = 1")
    approve_run(conn, run_id, hash_of("run"), "anna")
    with refused(conn, "run_fixed"):
        conn.execute("UPDATE settlement_runs SET approved_by = 'berta', status = 'committed'")


def test_a_run_needs_a_sealed_day_and_starts_as_dry_run(conn: Conn, any_day: Day) -> None:
    with refused(conn, "day_not_sealed"):
        store_run(conn, any_day.settle())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("fee = fee + 1", "pool_results_conserved"),
        ("budget = budget + 1", "pool_results_budget"),
        ("closing_carry = closing_carry + 1", "pool_results_closing"),
        ("closing_reserve = closing_reserve + 1, reserve = reserve + 2", "pool_results_closing"),
        ("jackpot_hit = NOT jackpot_hit", "pool_results_jackpot"),
        ("winning_numbers = ARRAY[1, 2, 3]", "settlement_pool_results_winning_numbers_check"),
    ],
)
def test_a_pool_that_creates_or_loses_an_atom_cannot_be_stored(conn: Conn, run_id: int, change: str, code: str) -> None:
    with refused(conn, code):
        conn.execute(f"UPDATE settlement_pool_results SET {change}")  # noqa: S608


def test_a_payout_of_nothing_or_twice_to_one_wallet_is_refused(conn: Conn, run_id: int) -> None:
    with refused(conn, "settlement_winner_payouts_amount_check"):
        conn.execute(f"UPDATE {PAYOUTS} SET amount = 0")  # noqa: S608
    with refused(conn, "settlement_winner_payouts_pkey"):
        conn.execute(f"INSERT INTO {PAYOUTS} SELECT * FROM {PAYOUTS}")  # noqa: S608


def test_a_voided_day_counts_as_a_day_and_its_stake_does_not(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    settle_run(conn, store_run(conn, any_day.settle()))
    settled = refresh_global_stats(conn)
    store_void(conn, voided_day(DayId(DAY + 1)))
    both = refresh_global_stats(conn)
    assert (both.last_day, both.day_count) == (DAY + 1, 2)
    assert both == settled._replace(last_day=DayId(DAY + 1), day_count=2)


def test_no_run_of_a_voided_day_can_be_stored(conn: Conn, any_day: Day) -> None:
    store_day(conn, any_day)
    store_void(conn, voided_day())
    with refused(conn, "day_voided"):
        store_run(conn, any_day.settle())


def test_the_approvals_digest_knows_every_column_that_it_covers(conn: Conn) -> None:
    """A migration that adds a column would change the digest of every run that is approved and not released: it must
    leave the new column out of SELECT_RUN_DIGEST, and then this list grows."""
    counted = {
        table: conn.execute(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %(table)s",
            {"table": table},
        ).fetchall()[0][0]
        for table in ("day_inputs", "settlement_runs", "settlement_pool_results")
    }
    assert counted == {"day_inputs": 11, "settlement_runs": 21, "settlement_pool_results": 29}
