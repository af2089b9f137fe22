"""The pipeline of a day: each move happens once, in order, and DONE is for ever."""

import pytest

from bo_engine.units import DayId
from io_layer.lottery.stores.artifacts import delete_inputs_artifacts, put_artifact
from io_layer.lottery.stores.pipeline import (
    STEPS,
    Step,
    fail_day,
    finish_day,
    finish_step,
    halt_day,
    insert_day,
    resume_day,
    rewind_day,
    select_day,
    select_last_ended,
    start_day,
    void_day,
    wait_day,
)
from io_layer.lottery.stores.runs import approve_run, mark_committed, mark_settled, supersede_run
from io_layer.postgres.connection import Conn
from tests.io_layer.lottery.stores.builders import hash_of, refused, store_day, store_run, store_void, voided_day
from tests.support.days import DAY, Day


@pytest.fixture
def run_id(conn: Conn, any_day: Day) -> int:
    """A computed run, and the day's pipeline RUNNING."""
    store_day(conn, any_day)
    insert_day(conn, DAY)
    start_day(conn, DAY)
    return store_run(conn, any_day.settle())


def finish(conn: Conn, step: Step, run_id: int) -> bool:
    return finish_step(conn, DAY, step, run_id=run_id, approved_by="anna")


def settle(conn: Conn, run_id: int) -> None:
    approve_run(conn, run_id, hash_of("run"), "anna")
    mark_committed(conn, run_id)
    mark_settled(conn, run_id)


def test_a_day_goes_through_its_steps_in_order_and_each_once(conn: Conn, run_id: int) -> None:
    settle(conn, run_id)
    for number, step in enumerate(STEPS):
        day = select_day(conn, DAY)
        assert day is not None
        assert day.next_step() == step
        for later in STEPS[number + 1 :]:
            assert not finish(conn, later, run_id)
        assert not finish_day(conn, DAY)
        assert finish(conn, step, run_id)
        assert not finish(conn, step, run_id)
    assert finish_day(conn, DAY)
    assert select_last_ended(conn) == DAY
    day = select_day(conn, DAY)
    assert day is not None
    assert (day.status, day.next_step(), day.run_id, day.approved_by) == ("DONE", None, run_id, "anna")
    with refused(conn, "day_done"):
        conn.execute("UPDATE settlement_pipeline_runs SET status = 'RUNNING'")
    assert not any((start_day(conn, DAY), halt_day(conn, DAY, "x", "y"), rewind_day(conn, DAY, "export")))


def test_a_day_is_opened_once(conn: Conn) -> None:
    assert insert_day(conn, DAY)
    assert not insert_day(conn, DAY)
    assert select_day(conn, DAY) is not None
    assert select_day(conn, DayId(DAY + 1)) is None


def test_a_commit_is_done_only_with_a_settled_run(conn: Conn, run_id: int) -> None:
    for step in ("export", "affiliate", "compute", "approve"):
        assert finish(conn, step, run_id)
    with refused(conn, "day_not_settled"):
        finish(conn, "commit", run_id)


def test_a_waiting_day_says_why_and_until_when(conn: Conn) -> None:
    insert_day(conn, DAY)
    start_day(conn, DAY)
    assert wait_day(conn, DAY, "waits for the VRF word", not_before=123, error_code="seeds_missing")
    day = select_day(conn, DAY)
    assert day is not None
    assert (day.status, day.reason, day.not_before, day.attempts) == ("WAITING", "waits for the VRF word", 123, 1)
    assert start_day(conn, DAY)
    day = select_day(conn, DAY)
    assert day is not None
    assert (day.reason, day.not_before, day.error_code, day.attempts) == (None, None, None, 2)


def test_a_halted_day_waits_for_a_person(conn: Conn) -> None:
    insert_day(conn, DAY)
    start_day(conn, DAY)
    assert halt_day(conn, DAY, "digest_differs", "pool 0 has another digest")
    assert not start_day(conn, DAY)
    assert not wait_day(conn, DAY, "x")
    assert not fail_day(conn, DAY, "export", "x", "y")
    assert resume_day(conn, DAY, "anna")
    assert not resume_day(conn, DAY, "anna")
    assert start_day(conn, DAY)


def test_a_failed_day_is_tried_again(conn: Conn) -> None:
    insert_day(conn, DAY)
    start_day(conn, DAY)
    assert fail_day(conn, DAY, "export", "bad_tip", "ticket 3 has a bad tip")
    assert start_day(conn, DAY)


def test_only_equal_failures_of_a_step_stand_in_one_row(conn: Conn, run_id: int) -> None:
    def fails(step: Step, code: str) -> int:
        assert start_day(conn, DAY)
        return len(fail_day(conn, DAY, step, code, "x"))

    insert_day(conn, DAY)
    assert [fails("export", "a"), fails("export", "a")] == [1, 2]
    assert start_day(conn, DAY) and wait_day(conn, DAY, "the chain")  # 75: neither counts nor breaks the row
    assert start_day(conn, DAY) and start_day(conn, DAY)  # and no more does a run that was killed
    assert [fails("export", "a"), fails("export", "b"), fails("export", "a")] == [3, 1, 1]
    assert start_day(conn, DAY) and finish(conn, "export", run_id) and finish(conn, "affiliate", run_id)
    assert [fails("compute", "a"), fails("compute", "a")] == [1, 2]
    assert start_day(conn, DAY) and finish(conn, "compute", run_id)
    assert rewind_day(conn, DAY, "compute")
    assert fails("compute", "a") == 1  # it has succeeded in between
    assert halt_day(conn, DAY, "poison", "y") and resume_day(conn, DAY, "anna")
    assert fails("compute", "a") == 1


def test_a_vetoed_day_goes_back_and_forgets_the_later_steps(conn: Conn, run_id: int) -> None:
    for step in ("export", "affiliate", "compute", "approve"):
        finish(conn, step, run_id)
    assert rewind_day(conn, DAY, "compute")
    day = select_day(conn, DAY)
    assert day is not None
    assert (day.next_step(), day.run_id, day.approved_by, day.affiliate_ok) == ("compute", None, None, True)
    assert rewind_day(conn, DAY, "export")
    day = select_day(conn, DAY)
    assert day is not None
    assert day.next_step() == "export"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("affiliate_ok = true", "pipeline_steps_in_order"),
        ("export_ok = true, affiliate_ok = true, compute_ok = true", "pipeline_run_known"),
        ("status = 'DONE'", "pipeline_done_is_complete"),
        ("status = 'HALTED'", "pipeline_stop_has_reason"),
        ("status = 'WAITING', reason = NULL", "pipeline_wait_has_reason"),
        ("status = 'LATER'", "settlement_pipeline_runs_status_check"),
        ("void_block = 1", "pipeline_voided_is_anchored"),
    ],
)
def test_a_day_in_an_impossible_state_is_refused(conn: Conn, change: str, code: str) -> None:
    insert_day(conn, DAY)
    with refused(conn, code):
        conn.execute(f"UPDATE settlement_pipeline_runs SET {change}")  # noqa: S608


def test_a_voided_day_says_where_it_was_voided_and_has_ended(conn: Conn) -> None:
    store_void(conn, voided_day())
    day = select_day(conn, DAY)
    assert day is not None
    assert (day.status, day.next_step(), day.run_id, day.reason) == ("VOIDED", "export", None, None)
    assert (day.void_stake_atoms, day.void_block, day.void_at_s) == (1_000, 77, voided_day().block_time_s)
    assert (day.void_block_hash, day.void_tx) == (b"\xab" * 32, hash_of("void"))
    assert select_last_ended(conn) == DAY
    assert not void_day(conn, voided_day())
    assert not any((start_day(conn, DAY), halt_day(conn, DAY, "x", "y"), rewind_day(conn, DAY, "export")))
    for change in ("status = 'WAITING', reason = 'x'", "void_stake = 1", "void_tx = NULL"):
        with refused(conn, "day_done"):
            conn.execute(f"UPDATE settlement_pipeline_runs SET {change}")  # noqa: S608
    with refused(conn, "artifact_fixed"):
        delete_inputs_artifacts(conn, DAY)


def test_a_day_whose_settlement_stands_or_whose_file_is_missing_is_not_voided(conn: Conn, run_id: int) -> None:
    with refused(conn, "day_not_voided"):
        void_day(conn, voided_day())  # its run stands
    supersede_run(conn, run_id)
    with refused(conn, "day_not_voided"):
        void_day(conn, voided_day())  # voided.json is not stored
    finish(conn, "export", run_id)
    put_artifact(conn, DAY, None, "voided.json", [b"{}"])
    with refused(conn, "pipeline_voided_has_no_steps"):
        void_day(conn, voided_day())
    rewind_day(conn, DAY, "export")
    assert void_day(conn, voided_day())


def test_a_halted_day_is_not_voided_before_a_person_has_looked(conn: Conn) -> None:
    insert_day(conn, DAY)
    halt_day(conn, DAY, "gates_failed", "G9 fails")
    put_artifact(conn, DAY, None, "voided.json", [b"{}"])
    assert not void_day(conn, voided_day())
    resume_day(conn, DAY, "anna")
    assert void_day(conn, voided_day())


def test_the_row_of_a_day_is_kept(conn: Conn) -> None:
    insert_day(conn, DAY)
    with refused(conn, "pipeline_kept"):
        conn.execute("DELETE FROM settlement_pipeline_runs")
