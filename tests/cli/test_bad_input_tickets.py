"""A ticket that is not the chain's stops the day, and is repaired from the chain alone (rules 2.2, 3.1, 4.1, 6.G9)."""

import json
from dataclasses import dataclass

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, InvalidInput, InvariantBroken
from bo_engine.keccak import keccak256
from core.tips import check_tips, mask_of, pack_masks
from io_layer.chain_sender import simulate
from io_layer.contract_codec import codec
from local_world.players import make_players
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


def packed(numbers: list[int]) -> bytes:
    """The tip as a hostile client would send it: a repeated number is simply a bit that is set once."""
    return pack_masks([sum(1 << (number - 1) for number in set(numbers))])


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
    (player,) = make_players(1, [])
    tips = packed(numbers)
    fields = (
        *(player.wallet, played.chain.now() // 86_400, 0, keccak256(tips), 1, 0),
        *("0x" + "00" * 20, 0, played.chain.now() + 600, b"\x01" * 16),
    )
    data = codec("GameManager").call_data("buyTicket", (fields, tips))
    with played.engine() as engine, pytest.raises(InvariantBroken) as refusal:
        simulate(engine.game.chain, player.wallet, engine.game.contracts.game_manager, data)
    assert refusal.value.code == "would_revert"
    assert f"BadTip(index=0, mask={int.from_bytes(tips)})" in refusal.value.message
    assert before.differences(fingerprint(played)) == []


@bad_tips
def test_a_bad_tip_written_into_a_ticket_row_halts_the_day(
    played: PlayedWorld, true_run_hash: str, numbers: list[int]
) -> None:
    played.tamper(f"UPDATE tickets SET tips = overlay(tips PLACING '\\x{packed(numbers).hex()}' FROM 1) {LAST}")
    refusal = refused(played, "settle", code="bad_tip", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert "a tip has 6 distinct ones, 1 to 9" in refusal.message
    assert f"`bo-engine db rebuild-tickets --day {played.day}`" in refusal.message
    assert settled_after_repair(played) == true_run_hash


@dataclass(frozen=True)
class Change:
    """A change behind the engine's back, and what the engine must say."""

    statement: str
    code: str


LAST = "WHERE ticket_id = (SELECT max(ticket_id) FROM tickets)"
COPIED = (
    "INSERT INTO tickets SELECT ticket_id + 1000, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake,"
    " tips, digest, decode(repeat('ab', 16), 'hex'), gas_cost, decode(repeat('cd', 32), 'hex'), 0, block_number,"
    f" block_hash, true FROM tickets {LAST}"
)
CHANGES = {
    "another buyer": Change(f"UPDATE tickets SET buyer = '0x' || repeat('1', 40) {LAST}", "tickets_differ"),
    "another affiliate": Change(f"UPDATE tickets SET affiliate = '0x' || repeat('2', 40) {LAST}", "tickets_differ"),
    "another tip": Change(
        "UPDATE tickets SET tips = overlay(tips PLACING CASE WHEN tips LIKE '\\x000000000000003f%' THEN"
        f" '\\x000000000000007e'::bytea ELSE '\\x000000000000003f'::bytea END FROM 1 FOR 8) {LAST}",
        "tickets_differ",
    ),
    "another stake": Change(f"UPDATE tickets SET stake = stake + 1 {LAST}", "tickets_differ"),
    "a ticket more": Change(COPIED, "tickets_unknown"),
    "a ticket exchanged": Change(f"{COPIED}; DELETE FROM tickets WHERE ticket_id = (SELECT max(ticket_id) - 1000 FROM"
                                 " tickets)", "tickets_differ"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_ticket_halts_the_day_until_the_chain_has_repaired_it(
    played: PlayedWorld, true_run_hash: str, change: Change
) -> None:
    for statement in change.statement.split(";"):
        played.tamper(statement)
    refusal = refused(played, "settle", code=change.code, exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert f"day {played.day}, pool " in refusal.message
    assert f"`bo-engine db rebuild-tickets --day {played.day}`" in refusal.message

    # Cron comes again: the same answer, and not even the row moves.
    again = fingerprint(played)
    halted = played.cli("settle")
    assert halted.code == EXIT_FAILED
    assert halted.stderr.startswith(f"bo-engine: day_halted: day {played.day} is HALTED")
    assert "`bo-engine resume --day" in halted.stderr
    assert again.differences(fingerprint(played)) == []
    assert settled_after_repair(played) == true_run_hash


def test_a_ticket_changed_after_the_export_halts_the_day_and_is_repaired(
    played: PlayedWorld, true_run_hash: str
) -> None:
    assert played.cli("export-inputs", "--day", str(played.day)).code == EXIT_DONE
    played.tamper(CHANGES["another affiliate"].statement)
    refused(played, "settle", code="tickets_differ", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    assert settled_after_repair(played) == true_run_hash


def test_a_step_by_hand_halts_on_a_changed_ticket_too(played: PlayedWorld) -> None:
    played.tamper(CHANGES["another buyer"].statement)
    day = ("--day", str(played.day))
    refused(played, "export-inputs", *day, code="tickets_differ", exit_code=EXIT_FAILED, may_change=HALTED_ROW)
    refusal = refused(played, "export-inputs", *day, code="day_halted", exit_code=EXIT_FAILED)
    assert "`bo-engine resume --day" in refusal.message
    assert "rebuild-tickets" in played.cli("doctor", *day, "--json").stdout


def test_resuming_without_a_repair_halts_again(played: PlayedWorld) -> None:
    played.tamper(CHANGES["another buyer"].statement)
    assert played.cli("settle").code == EXIT_FAILED
    assert played.cli("resume", "--day", str(played.day), "--by", "Ann").code == EXIT_DONE
    refused(played, "settle", code="tickets_differ", exit_code=EXIT_FAILED, may_change=HALTED_ROW)


@pytest.mark.parametrize("which", ["max", "min"])
def test_a_deleted_ticket_makes_the_day_wait_and_recovery_brings_it_back(
    played: PlayedWorld, true_run_hash: str, which: str
) -> None:
    played.tamper(f"DELETE FROM tickets WHERE ticket_id = (SELECT {which}(ticket_id) FROM tickets)")
    refusal = refused(played, "settle", code="tickets_missing", exit_code=EXIT_LATER)
    assert "`bo-engine recover-intents` brings them" in refusal.message
    recovered = json.loads(played.cli("recover-intents", "--json").stdout)
    assert recovered["tickets_added"] == 1
    (outcome,) = json.loads(played.cli("settle", "--json").stdout)["days"]
    assert (outcome["run_status"], outcome["run_hash"]) == ("committed", true_run_hash)


def test_tickets_of_a_day_that_is_approved_are_not_exchanged_any_more(played: PlayedWorld) -> None:
    played.settle_through()
    played.tamper(CHANGES["another buyer"].statement)
    day = ("--day", str(played.day))
    refusal = refused(played, "db", "rebuild-tickets", *day, code="inputs_in_use", exit_code=EXIT_FAILED)
    assert "is settled" in refusal.message
    assert "backup" in refusal.message


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
