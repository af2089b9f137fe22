"""What others do on the chain: adopted when it is ours in content, an alarm when it is not; vetoes are obeyed
(rule 4.5; faults D07, T10, T11, I3, I4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from bo_engine.units import DayId
from io_layer.lottery.stores.runs import select_runs
from tests.support.commands import killed_at
from tests.support.meddling import blocked_release, resume, send_as, veto
from tests.support.observed import (
    attempts,
    audit_actions,
    event_count,
    files_of,
    halts,
    record_of,
    rows,
    run_steps,
    settlement_of,
    settler_nonce,
    true_run_hash,
)
from tests.support.played_world import PlayedWorld


def run_states(played: PlayedWorld) -> list[str]:
    """The day's runs, oldest first."""
    with played.context() as context:
        return [run.status for run in select_runs(context.conn, played.day)]


def provenance(played: PlayedWorld) -> dict[str, Any]:
    """provenance.json of the first day."""
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "provenance.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


# -- commits and releases of others ------------------------------------------------------------------------------------


def test_a_commit_of_ours_that_our_journal_does_not_know_is_adopted_with_an_audit_row(played: PlayedWorld) -> None:
    run_hash = true_run_hash(played)
    run_steps(played, "export", "affiliates", "compute", "approve")
    send_as(played, "settler", "commitMerkleSettlement", tuple(settlement_of(played)))
    nonce = settler_nonce(played)
    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.run_hash, outcome.commit_tx) == ("committed", run_hash, None)
    assert (attempts(played), settler_nonce(played)) == ([], nonce)
    assert audit_actions(played)[-1] == "commit_adopted"

    played.pass_challenge()
    (done,) = played.settle()
    assert (done.status, event_count(played, "DayCommitted"), audit_actions(played).count("commit_adopted")) == (
        "DONE",
        1,
        1,
    )
    assert provenance(played)["commit_tx"] is None
    assert provenance(played)["release_tx"] == done.release_tx


def test_a_commit_of_other_contents_halts_the_day_until_it_is_vetoed(played: PlayedWorld) -> None:
    run_hash = true_run_hash(played)
    run_steps(played, "export", "affiliates", "compute", "approve")
    forged = settlement_of(played)._replace(run_hash=b"\x66" * 32)
    send_as(played, "settler", "commitMerkleSettlement", tuple(forged))
    nonce = settler_nonce(played)
    alarm = halts(played, "foreign_commit")
    assert "vetoes the day before it is released" in alarm.message
    assert (attempts(played), settler_nonce(played)) == ([], nonce)
    resume(played)
    halts(played, "foreign_commit")  # as long as it stands there

    veto(played)
    resume(played)  # the person knows of the veto: it was not of our run
    (outcome,) = played.settle()
    assert (outcome.run_status, outcome.run_hash) == ("committed", run_hash)
    assert [state for state, _ in attempts(played, round=1)] == ["FINAL"]
    assert outcome.commit_tx == "0x" + attempts(played, round=1)[0][1]
    assert "vetoed" not in run_states(played)
    played.pass_challenge()
    assert played.settle()[0].status == "DONE"


def test_a_foreign_commit_within_our_challenge_period_is_an_alarm_at_the_next_tick(played: PlayedWorld) -> None:
    """A stolen key puts its own commit where the guardian has taken ours away: it must not be found out at the end."""
    (outcome,) = played.settle()
    assert outcome.not_before is not None
    forged = settlement_of(played)._replace(run_hash=b"\x66" * 32)
    veto(played)
    send_as(played, "settler", "commitMerkleSettlement", tuple(forged))
    halts(played, "foreign_commit")
    assert event_count(played, "DayReleased") == 0


def test_a_release_by_somebody_else_is_adopted_with_an_audit_row(played: PlayedWorld) -> None:
    played.settle()
    played.pass_challenge()
    nonce = settler_nonce(played)
    send_as(played, "promotions", "release", tuple(settlement_of(played)))
    (done,) = played.settle()
    assert (done.status, done.run_status, done.release_tx) == ("DONE", "settled", None)
    assert settler_nonce(played) == nonce
    assert audit_actions(played)[-1] == "release_adopted"
    assert provenance(played)["release_tx"] is None
    assert provenance(played)["commit_tx"] == done.commit_tx


@pytest.mark.slow
def test_a_release_by_somebody_else_before_ours_arrived_leaves_no_nonce_unfilled(played: PlayedWorld) -> None:
    played.settle()
    played.pass_challenge()
    killed_at(played, "signed, not broadcast", "settle")
    send_as(played, "promotions", "release", tuple(settlement_of(played)))
    (done,) = played.settle()
    assert (done.status, audit_actions(played)[-1]) == ("DONE", "release_adopted")
    assert provenance(played)["release_tx"] is None

    # The signed release fills its nonce before the next commit takes the one behind it.
    day = DayId(played.day + 1)
    played.close(day, has_tips=False)
    (outcome,) = played.settle()
    assert (outcome.day_id, outcome.run_status) == (day, "committed")
    assert event_count(played, "DayReleased") == 1
    ((gaps,),) = rows(
        played, "SELECT max(nonce) - min(nonce) + 1 - count(DISTINCT nonce) FROM chain_transaction_attempts"
    )
    assert gaps == 0


# -- vetoes ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_veto_halts_the_day_at_once_and_a_resumed_day_commits_again_in_the_next_round(played: PlayedWorld) -> None:
    (first,) = played.settle()
    veto(played)
    halts(played, "vetoed")  # within the challenge period, not only at its end
    assert run_states(played) == ["vetoed"]
    nonce = settler_nonce(played)
    (waiting,) = played.settle()
    assert (waiting.status, waiting.exit_code, settler_nonce(played)) == ("HALTED", 1, nonce)

    resume(played)
    (second,) = played.settle()
    assert (second.run_status, second.run_hash) == ("committed", first.run_hash)
    assert second.commit_tx not in (None, first.commit_tx)
    assert run_states(played) == ["vetoed", "committed"]
    assert record_of(played).takebacks == 1
    played.pass_challenge()
    (done,) = played.settle()
    assert (done.status, done.run_hash) == ("DONE", first.run_hash)
    assert [event_count(played, name) for name in ("DayCommitted", "DayVetoed", "DayReleased")] == [2, 1, 1]
    assert len(attempts(played, round=0)) == len(attempts(played, round=1)) == 1
    assert len(files_of(played)) == 7


@pytest.mark.slow
def test_a_second_veto_halts_the_day_again(played: PlayedWorld) -> None:
    played.settle()
    for vetoes in (1, 2):
        veto(played)
        halts(played, "vetoed")
        resume(played)
        assert played.settle()[0].run_status == "committed"
        assert record_of(played).takebacks == vetoes
    assert run_states(played) == ["vetoed", "vetoed", "committed"]


def test_a_veto_after_the_challenge_period_still_stops_the_release(played: PlayedWorld) -> None:
    played.settle()
    played.pass_challenge()
    veto(played)
    halts(played, "vetoed")
    assert event_count(played, "DayReleased") == 0


@pytest.mark.slow
def test_a_veto_of_a_commit_that_a_killed_run_had_not_noted_halts_the_day(played: PlayedWorld) -> None:
    killed_at(played, "broadcast, not noted", "settle")
    played.chain.finalize()
    veto(played)
    halts(played, "vetoed")
    assert run_states(played) == ["vetoed"]
    resume(played)
    assert played.settle()[0].run_status == "committed"
    assert [state for state, _ in attempts(played, round=0)] == ["FINAL"]


# -- refusals of the contract ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_release_that_would_revert_is_not_sent_and_its_reason_is_told(played: PlayedWorld) -> None:
    played.settle()
    played.pass_challenge()
    nonce = settler_nonce(played)
    with blocked_release(played):
        alarm = halts(played, "would_revert")
        assert f"RootAlreadySet(dayId={played.day})" in alarm.message
        assert (settler_nonce(played), attempts(played, "release")) == (nonce, [])
    resume(played)
    assert played.settle()[0].status == "DONE"
