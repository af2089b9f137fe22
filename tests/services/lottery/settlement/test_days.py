"""Days go in order, each once, none is skipped; empty days are settled too (rules 2.11 and 4)."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import InvalidInput
from bo_engine.units import ZERO_HASH, DayId
from io_layer.lottery.contracts.day_record import RELEASED
from services.lottery.settlement.resume import resume_day
from tests.support.jobs import refresh_seeds
from tests.support.observed import event_count, files_of, halts, pipeline, record_of, refuses, rows, settler_nonce
from tests.support.played_world import PlayedWorld


def document(played: PlayedWorld, day: int, name: str) -> dict[str, Any]:
    """One of the day's files."""
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}" / name
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def ticks(played: PlayedWorld) -> Iterator[list[tuple[int, str]]]:
    """Settle as cron does, a challenge period apart, until nothing is due."""
    while True:
        outcomes = [(int(one.day_id), one.status) for one in played.settle()]
        if not outcomes:
            return
        yield outcomes
        played.pass_challenge()


def test_an_empty_day_is_committed_with_zero_roots_and_without_seeds(played: PlayedWorld) -> None:
    played.settle_through()
    day = DayId(played.day + 1)
    played.close(day, has_tips=False)
    (committed,) = played.settle()
    assert (committed.day_id, committed.status, committed.run_status) == (day, "WAITING", "committed")
    played.pass_challenge()
    (done,) = played.settle()
    assert (done.status, done.run_status) == ("DONE", "settled")
    assert record_of(played, day).status == RELEASED

    bundle = document(played, day, "commit_bundle.json")
    assert (bundle["winner_root"], bundle["affiliate_root"]) == ("0x" + ZERO_HASH.hex(),) * 2
    assert (bundle["total_payout"], bundle["affiliate_total"], bundle["charity_total"]) == ("0", "0", "0")
    assert bundle["seeds"] is None
    assert document(played, day, "winners_merkle.json") == {"tree": [], "values": []}
    assert rows(played, f"SELECT count(*) FROM day_seeds WHERE day_id = {day}") == [(0,)]  # noqa: S608
    assert bundle["opening_state"] == document(played, played.day, "commit_bundle.json")["closing_state"]


def test_three_days_with_an_empty_one_between_are_caught_up_in_order_each_with_its_own_seeds(
    played: PlayedWorld,
) -> None:
    first, empty, last = (DayId(played.day + n) for n in range(3))
    played.sell(last, seed=1)
    played.close(last)  # the engine was off for days: three are closed, none is settled

    assert list(ticks(played)) == [
        [(first, "WAITING")],
        [(first, "DONE"), (empty, "WAITING")],
        [(empty, "DONE"), (last, "WAITING")],
        [(last, "DONE")],
    ]
    bundles = [document(played, day, "commit_bundle.json") for day in (first, empty, last)]
    for before, after in pairwise(bundles):
        assert before["closing_state"] == after["opening_state"]
    seeds = [bundle["seeds"] for bundle in bundles]
    assert seeds[1] is None
    assert seeds[0]["drand_round"] != seeds[2]["drand_round"]
    assert seeds[0]["vrf_word"] != seeds[2]["vrf_word"]
    # What the empty day did not pay is still there: its pools carry on what the first day left them.
    for pool in bundles[1]["closing_state"]:
        assert pool["last_rollover"] == "0"
    for day in (first, empty, last):
        assert event_count(played, "DayCommitted", day) == event_count(played, "DayReleased", day) == 1
        assert len(files_of(played, day)) == 7


def test_nothing_is_due_while_the_challenge_period_runs(played: PlayedWorld) -> None:
    (committed,) = played.settle()
    assert committed.not_before is not None
    nonce = settler_nonce(played)
    for _ in range(3):
        (waiting,) = played.settle()
        assert (waiting.status, waiting.exit_code, waiting.not_before) == ("WAITING", 0, committed.not_before)
    assert settler_nonce(played) == nonce
    played.chain.advance_to(committed.not_before - 5)
    assert played.settle()[0].status == "WAITING"
    played.chain.advance_to(committed.not_before)
    assert played.settle()[0].status == "DONE"


@pytest.mark.slow
def test_a_halted_day_stops_later_days_until_a_person_lets_it_go_on(computed: PlayedWorld) -> None:
    second = DayId(computed.day + 1)
    computed.close(second, has_tips=False)
    computed.tamper("UPDATE settlement_runs SET jackpot_hit[1] = NOT jackpot_hit[1]")
    halts(computed, "gates_failed")
    nonce = settler_nonce(computed)
    (outcome,) = computed.settle()
    assert (outcome.day_id, outcome.status, outcome.exit_code) == (computed.day, "HALTED", 1)
    assert refuses("day_out_of_order", computed, day=second)
    assert (pipeline(computed, second), settler_nonce(computed)) == (None, nonce)

    with computed.context() as context:
        resume_day(context, computed.day, by="Ada")
        with pytest.raises(InvalidInput) as caught:
            resume_day(context, computed.day, by="Bob")
    assert caught.value.code == "day_not_halted"
    assert [each[-1] for each in ticks(computed)] == [
        (computed.day, "WAITING"),
        (second, "WAITING"),
        (second, "DONE"),
    ]
    ((actor, details),) = rows(computed, "SELECT actor, details FROM audit_log WHERE action = 'day_resumed'")
    assert (actor, details["error_code"]) == ("Ada", "gates_failed")


@pytest.mark.slow
def test_a_day_whose_seeds_are_missing_waits_and_later_days_wait_for_it(played: PlayedWorld) -> None:
    later = DayId(played.day + 1)
    played.close(later, has_tips=False)
    played.tamper("DELETE FROM day_seeds")
    assert refuses("seeds_missing", played).exit_code == 75
    assert (pipeline(played), pipeline(played, later)) == (None, None)
    with played.context() as context:  # the request and the word are on the chain: they are adopted
        while refresh_seeds(context).waiting:
            played.chain.mine(1)
    assert [each[-1] for each in ticks(played)] == [
        (played.day, "WAITING"),
        (later, "WAITING"),
        (later, "DONE"),
    ]
