"""Each step alone, in order, out of order and again (rules of section 4)."""

import pytest

from bo_engine.errors import InvalidInput
from services.lottery.settlement.settle_days import run_one_step
from tests.support.fingerprint import BOOKKEEPING, fingerprint
from tests.support.observed import STEPS, audit_actions, event_count, files_of, pipeline, run_steps, true_run_hash
from tests.support.played_world import PlayedWorld


def test_steps_by_hand_in_order_give_the_files_of_settle_to_the_byte(played: PlayedWorld) -> None:
    settled = played.settle_through()
    files = files_of(played)
    audit = audit_actions(played)

    played.restore()
    outcomes = run_steps(played, *STEPS[:5])
    assert [(one.status, one.reason) for one in outcomes] == [
        ("WAITING", "affiliate is next"),
        ("WAITING", "compute is next"),
        ("WAITING", "approve is next"),
        ("WAITING", "commit is next"),
        ("WAITING", "the challenge period runs"),
    ]
    played.pass_challenge()
    released, done = run_steps(played, "commit", "stats")
    assert (released.status, released.run_status) == ("WAITING", "settled")
    assert (done.status, done.run_hash) == ("DONE", settled.run_hash)
    assert files_of(played) == files
    assert audit_actions(played) == audit


def test_a_step_before_its_turn_is_refused_and_changes_nothing(played: PlayedWorld) -> None:
    before = fingerprint(played)
    for place, step in enumerate(STEPS[1:], start=1):
        with played.context() as context, pytest.raises(InvalidInput) as caught:
            run_one_step(context, step, played.day)
        assert caught.value.code == "step_missing"
        assert "export is not done yet" in caught.value.message, place
    assert before.differences(fingerprint(played)) == []

    run_steps(played, "export", "affiliates")
    before = fingerprint(played)
    for step in ("approve", "commit", "stats"):
        with played.context() as context, pytest.raises(InvalidInput) as caught:
            run_one_step(context, step, played.day)
        assert caught.value.code == "step_missing"
        assert "compute is not done yet" in caught.value.message
    assert before.differences(fingerprint(played)) == []


@pytest.mark.slow
def test_a_step_again_changes_nothing_wherever_the_day_stands(played: PlayedWorld) -> None:
    for place, step in enumerate(STEPS[:5]):
        run_steps(played, step)
        before = fingerprint(played, ignoring=BOOKKEEPING)
        for again in STEPS[: place + 1]:
            run_steps(played, again)
            assert before.differences(fingerprint(played, ignoring=BOOKKEEPING)) == [], f"{again} after {step}"
    played.pass_challenge()
    run_steps(played, "commit", "stats")
    row = pipeline(played)
    assert row is not None
    assert row.status == "DONE"
    before = fingerprint(played)  # a settled day does not even count
    run_steps(played, *STEPS)
    assert played.settle() == []
    assert before.differences(fingerprint(played)) == []
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)


def test_settle_goes_on_where_a_step_by_hand_has_ended(played: PlayedWorld) -> None:
    run_hash = true_run_hash(played)
    run_steps(played, "export", "affiliates", "compute")
    (outcome,) = played.settle()
    assert (outcome.run_hash, outcome.run_status) == (run_hash, "committed")


def test_a_step_of_a_halted_day_is_refused_with_the_way_out(computed: PlayedWorld) -> None:
    computed.tamper("UPDATE settlement_runs SET status = 'superseded'")
    with pytest.raises(Exception, match="G1"):
        run_steps(computed, "approve")
    before = fingerprint(computed)
    for step in STEPS[:4]:
        with pytest.raises(InvalidInput) as caught:
            run_steps(computed, step)
        assert caught.value.code == "day_halted"
        assert f"bo-engine resume --day {computed.day}" in caught.value.message
    assert before.differences(fingerprint(computed)) == []


def test_manual_approval_waits_for_a_name_and_records_it(computed: PlayedWorld) -> None:
    later = computed.cli("settle", "--json", APPROVAL_MODE="manual")
    assert later.code == 75
    row = pipeline(computed)
    assert row is not None
    assert (row.status, row.error_code, row.approve_ok) == ("WAITING", "approval_wanted", False)
    assert row.reason is not None
    assert true_run_hash(computed) in row.reason

    with computed.context(APPROVAL_MODE="manual") as context:
        run_one_step(context, "approve", computed.day, by="Grace")
    (outcome,) = computed.settle(APPROVAL_MODE="manual")
    assert outcome.run_status == "committed"
    row = pipeline(computed)
    assert row is not None
    assert row.approved_by == "Grace"
    assert audit_actions(computed).count("run_approved") == 1
