"""A day that cannot be settled now is refused in one line, and nothing changes (rules 3.6, 4.1, 4.5)."""

import json

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER
from bo_engine.units import DayId, day_end
from tests.support.fingerprint import fingerprint
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused


@pytest.mark.parametrize("command", [("settle",), ("settle", "--dry-run"), ("export-inputs", "--json")], ids=" ".join)
def test_a_day_that_is_not_closed_is_refused(played: PlayedWorld, command: tuple[str, ...]) -> None:
    today = str(played.day + 1)
    refusal = refused(played, *command, "--day", today, code="day_not_closed", exit_code=EXIT_FAILED)
    assert refusal.message.startswith(f"day {today} is not closed")
    assert "wait until a final block lies after it" in refusal.message


def test_a_day_before_the_first_is_refused(played: PlayedWorld) -> None:
    refusal = refused(played, "settle", "--day", "1", code="day_before_first", exit_code=EXIT_FAILED)
    assert str(played.day) in refusal.message


def test_a_settled_day_is_refused_by_name_with_its_run_hash_and_without_a_name_nothing_is_due(
    played: PlayedWorld,
) -> None:
    done = played.settle_through()
    assert done.run_hash is not None
    refusal = refused(played, "settle", "--day", str(played.day), code="day_settled", exit_code=EXIT_FAILED)
    assert done.run_hash in refusal.message
    assert "nothing was changed" in refusal.message

    before = fingerprint(played)
    told = played.cli("settle")
    assert (told.code, told.stdout.splitlines()[0]) == (EXIT_DONE, "Nothing is due")
    counted = played.cli("settle", "--json")
    assert counted.code == EXIT_DONE
    assert json.loads(counted.stdout).items() >= {"days": [], "exit_code": EXIT_DONE}.items()
    assert before.differences(fingerprint(played)) == []


@pytest.mark.parametrize("command", ["settle", "export-inputs"])
def test_a_later_day_before_an_earlier_one_is_refused(played: PlayedWorld, command: str) -> None:
    later = DayId(played.day + 1)
    played.chain.advance_to(day_end(later))
    refusal = refused(played, command, "--day", str(later), code="day_out_of_order", exit_code=EXIT_FAILED)
    assert f"day {played.day} is not settled yet" in refusal.message


def test_a_step_before_its_turn_is_refused(played: PlayedWorld) -> None:
    refusal = refused(played, "compute", "--day", str(played.day), code="step_missing", exit_code=EXIT_FAILED)
    assert "export is not done yet" in refusal.message


@pytest.mark.parametrize("command", [("settle",), ("settle", "--json")], ids=" ".join)
def test_a_day_without_seeds_waits_and_never_degrades(played: PlayedWorld, command: tuple[str, ...]) -> None:
    played.tamper("DELETE FROM day_seeds")
    for arguments in (command, (*command, "--day", str(played.day))):
        refusal = refused(played, *arguments, code="seeds_missing", exit_code=EXIT_LATER)
        assert f"day {played.day}" in refusal.message
        assert "`bo-engine refresh-seeds`" in refusal.message
    with played.context() as context:
        assert context.conn.execute("SELECT count(*) FROM settlement_pipeline_runs").fetchone() == (0,)


def test_half_of_the_seeds_are_no_seeds(played: PlayedWorld) -> None:
    played.tamper("UPDATE day_seeds SET drand_round = NULL, drand_signature = NULL, drand_randomness = NULL")
    refused(played, "settle", code="seeds_missing", exit_code=EXIT_LATER)


def test_a_forged_beacon_in_the_database_halts_the_day(played: PlayedWorld) -> None:
    # A signature that fits its randomness and no public key: the row's own check lets it pass, the BLS check does not.
    played.tamper(
        "UPDATE day_seeds SET drand_signature = overlay(drand_signature PLACING '\\x00' FROM 48 FOR 1),"
        " drand_randomness = sha256(overlay(drand_signature PLACING '\\x00' FROM 48 FOR 1))"
    )
    refusal = refused(
        played,
        "settle",
        code="forged_beacon",
        exit_code=EXIT_FAILED,
        may_change=("table settlement_pipeline_runs",),
    )
    assert f"day {played.day}" in refusal.message
    assert "restore day_seeds from a backup" in refusal.message
