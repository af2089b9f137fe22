"""The tickets of a day can be restored from the chain alone, row for row (rule 4.1; faults I7, N01)."""

from typing import Any

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId
from services.lottery.policy import JOB
from services.lottery.purchases.rebuild import rebuild_tickets
from services.running.lease import held_lease
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents
from tests.support.observed import audit_actions, refuses, rows, true_run_hash
from tests.support.played_world import PlayedWorld

ALL_TICKETS = "SELECT to_jsonb(t)::text FROM tickets AS t ORDER BY ticket_id"
ALL_INTENTS = "SELECT (to_jsonb(i) - 'updated_at')::text FROM buy_intents AS i ORDER BY intent_id"


def rebuild(played: PlayedWorld, day: DayId | None = None, **changed: str) -> dict[str, Any]:
    """Run the command's service."""
    with played.context(**changed) as context, held_lease(context, JOB) as context:
        return rebuild_tickets(context, day or played.day)


@pytest.mark.parametrize(
    ("damage", "inserted", "corrected", "removed"),
    [
        ("DELETE FROM tickets WHERE ticket_id IN (2, 5)", 2, 0, 0),
        ("DELETE FROM tickets", None, 0, 0),
        ("UPDATE tickets SET stake = stake + 1 WHERE ticket_id = 3", 0, 1, 0),
        ("UPDATE tickets SET buyer = '0x' || repeat('ab', 20), digest = sha256('x') WHERE ticket_id = 3", 0, 1, 0),
        ("UPDATE tickets SET pool_id = (pool_id + 1) % 5 WHERE ticket_id IN (1, 4)", 0, 2, 0),
        (
            """INSERT INTO tickets SELECT (c.t).* FROM (
                SELECT jsonb_populate_record(t, jsonb_build_object(
                           'ticket_id', 9999, 'log_index', 77, 'nonce', '\\x' || repeat('77', 16))) AS t
                  FROM tickets AS t WHERE ticket_id = 1) AS c""",
            0,
            0,
            1,
        ),
    ],
    ids=["two-deleted", "all-deleted", "a-stake", "a-buyer", "two-pools", "an-invented-one"],
)
@pytest.mark.sampled(2)
def test_damaged_tickets_come_back_row_for_row(
    played: PlayedWorld, damage: str, inserted: int | None, corrected: int, removed: int
) -> None:
    tickets, intents, run_hash = rows(played, ALL_TICKETS), rows(played, ALL_INTENTS), true_run_hash(played)
    played.tamper(damage)
    assert rows(played, ALL_TICKETS) != tickets
    done = rebuild(played)
    wanted = len(tickets) if inserted is None else inserted
    assert (done["inserted"], done["corrected"], done["removed"]) == (wanted, corrected, removed)
    assert (rows(played, ALL_TICKETS), rows(played, ALL_INTENTS)) == (tickets, intents)
    assert audit_actions(played)[-1] == "tickets_rebuilt"

    before = fingerprint(played)
    again = rebuild(played)
    assert (again["inserted"], again["corrected"], again["removed"]) == (0, 0, 0)
    assert before.differences(fingerprint(played)) == []
    assert played.settle()[0].run_hash == run_hash


def test_a_lost_ticket_of_a_settled_day_comes_back_and_a_changed_one_is_an_alarm(played: PlayedWorld) -> None:
    done = played.settle_through()
    tickets = rows(played, ALL_TICKETS)
    played.tamper("DELETE FROM tickets WHERE ticket_id = 4")
    assert rebuild(played)["inserted"] == 1
    assert rows(played, ALL_TICKETS) == tickets

    played.tamper("UPDATE tickets SET stake = stake + 1 WHERE ticket_id = 4")
    before = fingerprint(played)
    with pytest.raises(InvariantBroken) as caught:
        rebuild(played)
    assert caught.value.code == "inputs_in_use"
    assert before.differences(fingerprint(played)) == []
    assert done.status == "DONE"


@pytest.mark.parametrize("is_settled", [False, True], ids=["open", "settled"])
@pytest.mark.sampled(1)
def test_tickets_that_stand_elsewhere_on_the_chain_are_moved_on_any_day(played: PlayedWorld, is_settled: bool) -> None:
    """What is sealed is what was bought, not where (fault C03). Two have changed places, one is in another block."""
    if is_settled:
        played.settle_through()
    tickets, intents = rows(played, ALL_TICKETS), rows(played, ALL_INTENTS)
    played.tamper("UPDATE tickets SET block_hash = sha256('x'), block_number = block_number - 1 WHERE ticket_id = 3")
    played.tamper("UPDATE tickets SET log_index = log_index + 99 WHERE ticket_id IN (4, 5)")
    played.tamper(
        """UPDATE tickets AS t SET tx_hash = o.tx_hash, log_index = o.log_index - 99 FROM tickets AS o
            WHERE (t.ticket_id, o.ticket_id) IN ((4, 5), (5, 4))"""
    )
    done = rebuild(played)
    assert (done["moved"], done["inserted"], done["corrected"], done["removed"]) == (3, 0, 0, 0)
    assert (rows(played, ALL_TICKETS), rows(played, ALL_INTENTS)) == (tickets, intents)
    assert audit_actions(played)[-1] == "tickets_moved"
    assert rebuild(played)["moved"] == 0


def test_a_repair_takes_no_final_flag_away_and_changes_nothing_that_was_bought(played: PlayedWorld) -> None:
    played.settle_through()
    before = fingerprint(played)
    with played.context() as context:
        for change, code in (
            ("is_final = false", "ticket_final"),
            ("is_final = false, block_number = 0", "ticket_final"),
            ("stake = stake + 1", "ticket_fact"),
            ("block_number = 0, digest = sha256('x')", "ticket_fact"),
        ):
            with pytest.raises(InvariantBroken) as caught, context.conn.transaction():
                context.conn.execute("SELECT set_config('bo.repair', 'on', true)")
                context.conn.execute(f"UPDATE tickets SET {change} WHERE ticket_id = 4".encode())  # noqa: S608
            assert caught.value.code == code
        with pytest.raises(InvariantBroken) as caught, context.conn.transaction():
            context.conn.execute("UPDATE tickets SET block_number = 0 WHERE ticket_id = 4")
        assert caught.value.code == "ticket_fact"
    assert before.differences(fingerprint(played)) == []


def test_a_rebuilt_day_is_complete_or_not_touched(played: PlayedWorld) -> None:
    played.tamper("DELETE FROM tickets WHERE ticket_id IN (2, 3)")
    before = fingerprint(played)
    proxy = played.world.proxy
    proxy.fail("empty_logs", "eth_getLogs")
    with pytest.raises(InvariantBroken) as caught:
        rebuild(played, RPC_URL=proxy.url)
    assert caught.value.code == "logs_incomplete"
    assert before.differences(fingerprint(played)) == []
    assert refuses("tickets_missing", played).exit_code == 75


def test_rebuilding_the_open_day_leaves_purchases_that_are_not_final_alone(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    sold = played.sell(day)
    played.chain.finalize()
    with played.context() as context:
        recover_intents(context)
    tickets = rows(played, ALL_TICKETS)
    played.tamper(f"UPDATE tickets SET is_final = false, block_number = 10 ^ 9 WHERE day_id = {day}")  # noqa: S608
    played.tamper(f"UPDATE buy_intents SET status = 'SEEN' WHERE day_id = {day}")  # noqa: S608
    done = rebuild(played, day)
    assert (done["inserted"], done["corrected"], done["removed"]) == (sold, 0, 0)
    assert rows(played, ALL_TICKETS) == tickets
    assert rows(played, "SELECT count(*) FROM buy_intents WHERE status <> 'FINAL'") == [(0,)]


def test_the_command_tells_what_it_did(played: PlayedWorld) -> None:
    played.tamper("DELETE FROM tickets WHERE ticket_id = 6")
    done = played.cli("db", "rebuild-tickets", "--day", str(played.day), "--json")
    assert done.code == 0
    assert '"inserted": 1' in done.stdout
