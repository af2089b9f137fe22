"""A ticket that is not the chain's stops the day, and is repaired from the chain alone (rules 2.2, 3.1, 4.1, 6.G9)."""

import json

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, InvalidInput, InvariantBroken
from bo_engine.keccak import keccak256
from bo_engine.units import ZERO_WALLET
from core.lottery.tips import check_tips, mask_of, pack_masks
from io_layer.contracts.codec import codec
from io_layer.rpc.sender import simulate
from local_world.lottery.players import make_affiliates, make_players
from tests.support.fingerprint import fingerprint
from tests.support.played_world import PlayedWorld
from tests.support.refusals import HALTED_ROW, refused

BAD_TIPS = {
    "five numbers": [1, 2, 3, 4, 5],
    "seven numbers": [1, 2, 3, 4, 5, 6, 7],
    "a repeated number": [1, 2, 3, 4, 5, 5],
    "a number out of range": [1, 2, 3, 4, 5, 10],  # the world plays 1 to 9
    "number 64": [1, 2, 3, 4, 5, 64],
}
bad_tips = pytest.mark.parametrize("numbers", BAD_TIPS.values(), ids=BAD_TIPS.keys())

OTHER_BUYER = "UPDATE tickets SET buyer = '0x' || repeat('1', 40) WHERE ticket_id = 3"
OTHER_AFFILIATE = "UPDATE tickets SET affiliate = '0x' || repeat('2', 40) WHERE ticket_id = 3"
OTHER_STAKE = "UPDATE tickets SET stake = stake + 1 WHERE ticket_id = 3"
OTHER_TIP = """
    UPDATE tickets SET tips = overlay(tips PLACING CASE WHEN substring(tips FROM 1 FOR 8) = '\\x000000000000003f'
           THEN '\\x000000000000007e'::bytea ELSE '\\x000000000000003f' END FROM 1 FOR 8) WHERE ticket_id = 3
"""
ONE_MORE = """
    INSERT INTO tickets
    SELECT ticket_id + 1000, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest,
           decode(repeat('ab', 16), 'hex'), gas_cost, decode(repeat('cd', 32), 'hex'), 0, block_number, block_hash, true
      FROM tickets WHERE ticket_id = 3
"""
ONE_LESS = "DELETE FROM tickets WHERE ticket_id = 3"
FIRST_GONE = "DELETE FROM tickets WHERE ticket_id = 1"
LAST_GONE = "DELETE FROM tickets WHERE ticket_id = (SELECT max(ticket_id) FROM tickets)"


def packed(numbers: list[int]) -> bytes:
    """The tip as a hostile client would send it: a repeated number is simply a bit that is set once."""
    return pack_masks([sum(1 << (number - 1) for number in set(numbers))])


def settled_after_repair(played: PlayedWorld) -> str:
    """Repair, resume, settle by the command line; the run hash that was committed."""
    day = ("--day", str(played.day))
    assert played.cli("db", "rebuild-tickets", *day).code == EXIT_DONE
    assert played.cli("resume", *day, "--by", "Ann").code == EXIT_DONE
    done = played.cli("settle", "--json")
    assert done.code == EXIT_DONE, done
    (outcome,) = json.loads(done.stdout)["days"]
    assert outcome["run_status"] == "committed"
    return str(outcome["run_hash"])


@bad_tips
def test_core_refuses_a_bad_tip_and_names_the_rule(numbers: list[int]) -> None:
    with pytest.raises(InvalidInput) as typed:
        mask_of(numbers, 9)
    with pytest.raises(InvalidInput) as stored:
        check_tips(packed(numbers), 9)
    assert typed.value.code == stored.value.code == "bad_tip"


@bad_tips
def test_the_contract_refuses_a_bad_tip_at_the_purchase(played: PlayedWorld, numbers: list[int]) -> None:
    before = fingerprint(played)
    (player,) = make_players(1, make_affiliates(1))
    tips, now_s = packed(numbers), played.chain.now()
    terms = (player.wallet, now_s // 86_400, 0, keccak256(tips), 1, 0, ZERO_WALLET, 0, now_s + 600, bytes(16))
    data = codec("GameManager").call_data("buyTicket", (terms, tips))
    with played.context() as context, pytest.raises(InvariantBroken) as refusal:
        simulate(context.chain, player.wallet, context.game.contracts.game_manager, data)
    assert refusal.value.code == "would_revert"
    assert f"BadTip(index=0, mask={int.from_bytes(tips, 'big')})" in refusal.value.message
    assert before.differences(fingerprint(played)) == []


@bad_tips
@pytest.mark.sampled(2)
def test_a_bad_tip_written_into_a_ticket_row_halts_the_day(played: PlayedWorld, numbers: list[int]) -> None:
    played.tamper(
        "UPDATE tickets SET tips = overlay(tips PLACING %(tip)s FROM 9) WHERE ticket_id = 3", tip=packed(numbers)
    )
    refusal = refused(played, "settle", code="bad_tip", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert f"day {played.day}: ticket 3: tip 1 has the numbers" in refusal.message
    assert "a tip has 6 distinct ones, 1 to 9" in refusal.message
    assert f"`bo-engine db rebuild-tickets --day {played.day}`" in refusal.message


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ([OTHER_AFFILIATE], "tickets_differ"),
        ([OTHER_STAKE], "tickets_differ"),
        ([OTHER_TIP], "tickets_differ"),
        ([ONE_MORE], "tickets_unknown"),
    ],
    ids=["another affiliate", "another stake", "another tip", "a ticket more"],
)
@pytest.mark.sampled(2)
def test_a_changed_or_added_ticket_halts_the_day(played: PlayedWorld, statements: list[str], code: str) -> None:
    for statement in statements:
        played.tamper(statement)
    refusal = refused(played, "settle", code=code, exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert f"day {played.day}, pool " in refusal.message
    assert f"`bo-engine db rebuild-tickets --day {played.day}`" in refusal.message


@pytest.mark.parametrize(
    "statements",
    [[OTHER_BUYER], [ONE_MORE], [ONE_MORE, ONE_LESS]],
    ids=["another buyer", "a ticket more", "a ticket exchanged"],
)
@pytest.mark.sampled(1)
def test_a_halted_day_is_repaired_from_the_chain_to_the_same_run_hash(
    played: PlayedWorld, true_run_hash: str, statements: list[str]
) -> None:
    for statement in statements:
        played.tamper(statement)
    assert played.cli("settle").code == EXIT_FAILED
    assert settled_after_repair(played) == true_run_hash


def test_a_halted_day_stays_halted_until_a_person_says_otherwise(played: PlayedWorld) -> None:
    played.tamper(OTHER_BUYER)
    assert played.cli("settle").code == EXIT_FAILED
    before = fingerprint(played)
    again = played.cli("settle")
    assert again.code == EXIT_FAILED
    assert again.stderr.startswith(f"bo-engine: day_halted: day {played.day} is HALTED")
    assert "`bo-engine resume --day" in again.stderr
    assert before.differences(fingerprint(played)) == []

    day = ("--day", str(played.day))
    refused(played, "export-inputs", *day, code="day_halted", exit_code=EXIT_FAILED)
    advice = json.loads(played.cli("doctor", *day, "--json").stdout)
    assert "ticket 3 differs from the chain in: buyer" in advice["first_difference"]
    assert "rebuild-tickets" in advice["next"]

    # Whoever resumes without a repair meets the same wall.
    assert played.cli("resume", *day, "--by", "Ann").code == EXIT_DONE
    refused(played, "settle", code="tickets_differ", exit_code=EXIT_FAILED, may_change=HALTED_ROW)


def test_a_ticket_changed_after_the_export_halts_the_day_and_is_repaired(
    played: PlayedWorld, true_run_hash: str
) -> None:
    assert played.cli("export-inputs", "--day", str(played.day)).code == EXIT_DONE
    played.tamper(OTHER_AFFILIATE)
    refused(played, "settle", code="tickets_differ", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert settled_after_repair(played) == true_run_hash


def test_a_step_by_hand_halts_on_a_changed_ticket_too(played: PlayedWorld) -> None:
    played.tamper(OTHER_BUYER)
    refused(
        played,
        *("export-inputs", "--day", str(played.day), "--json"),
        code="tickets_differ",
        exit_code=EXIT_FAILED,
        may_change=HALTED_ROW,
    )


@pytest.mark.parametrize("statement", [FIRST_GONE, LAST_GONE], ids=["the first", "the last"])
@pytest.mark.sampled(1)
def test_a_deleted_ticket_makes_the_day_wait_and_recovery_brings_it_back(
    played: PlayedWorld, true_run_hash: str, statement: str
) -> None:
    played.tamper(statement)
    refusal = refused(played, "settle", code="tickets_missing", exit_code=EXIT_LATER)
    assert "`bo-engine recover-intents` brings them" in refusal.message
    done = played.cli("recover-intents", "--json")
    assert json.loads(done.stdout).get("tickets_added") == 1, done
    (outcome,) = json.loads(played.cli("settle", "--json").stdout)["days"]
    assert (outcome["run_status"], outcome["run_hash"]) == ("committed", true_run_hash)


@pytest.mark.slow
def test_tickets_of_a_settled_day_are_not_exchanged_any_more(played: PlayedWorld) -> None:
    played.settle_through()
    played.tamper(OTHER_BUYER)
    day = ("--day", str(played.day))
    refusal = refused(played, "db", "rebuild-tickets", *day, code="inputs_in_use", exit_code=EXIT_FAILED)
    assert f"day {played.day} is settled" in refusal.message
    assert "1 differ from the chain" in refusal.message
    assert "backup" in refusal.message
