"""Every purchase on the chain becomes one ticket with one intent, every other intent finds its end, whatever is
repeated, killed or hidden (rule 4.1; faults N01, N02, R09, R10, R12, C07)."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import pytest

import services.lottery.purchases.recover
import services.lottery.purchases.track_head
from bo_engine.errors import EXIT_LATER, EngineError, InvariantBroken, Unavailable
from bo_engine.units import DayId, Hash32, day_end
from io_layer.lottery.stores.intents import Intent, mark_submitted
from io_layer.postgres.connection import Conn
from local_world.faults.rules import Rule
from local_world.lottery.players import Way
from services.lottery.context import LotteryContext
from services.lottery.purchases.recover import Recovered
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents
from tests.support.meddling import CURSOR_MOVES, move_cursor_before
from tests.support.observed import record_of, rows
from tests.support.played_world import PlayedWorld
from tests.support.reorgs import Mark, drop_blocks_above, mark
from tests.support.shop import Shop, opened_shop

NOTHING = Recovered()


@pytest.fixture
def shop(played: PlayedWorld) -> Iterator[Shop]:
    """The App on the day after the sold one."""
    played.chain.mine(25)  # an endpoint that lags asks for blocks of which anvil, in an old world, forgot the states
    with opened_shop(played) as opened:
        yield opened


def recover(played: PlayedWorld, **changed: str) -> Recovered:
    """Run the job once."""
    with played.context(**changed) as context:
        return recover_intents(context)


def status_of(shop: Shop, intent_id: UUID) -> str:
    """The intent's state."""
    return shop.intent(intent_id).status


def unfinal(played: PlayedWorld) -> None:
    """Keep the newest blocks from becoming final for both endpoints."""
    played.world.proxy.set_rules(Rule("stale_head", "eth_getBlockByNumber", args={"blocks": 12}))


# -- exactly once ------------------------------------------------------------------------------------------------------


def test_purchases_of_every_way_become_tickets_exactly_once(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    sold = played.sell(day)
    played.chain.finalize()
    done = recover(played)
    assert (done.tickets_added, done.intents_final) == (sold, sold)
    assert (done.recovered, done.adopted) == (1, 1)  # the App crashed once, one player bought directly
    before = fingerprint(played)
    for _ in range(2):
        assert recover(played) == NOTHING
    unchanged = {"table event_cursors"}  # the chain goes on
    assert set(before.differences(fingerprint(played))) <= unchanged

    assert rows(played, "SELECT status, count(*) FROM buy_intents WHERE ticket_id IS NOT NULL GROUP BY 1") == [
        ("FINAL", len(rows(played, "SELECT FROM tickets")))
    ]
    ((deadline, signature),) = rows(
        played,
        f"SELECT deadline, signature FROM buy_intents WHERE signature IS NULL AND day_id = {day}",  # noqa: S608
    )
    assert (deadline, signature) == (0, None)  # the adopted one
    assert rows(played, "SELECT count(*) FROM buy_intents WHERE tx_hash IS NULL") == [(0,)]


def test_a_dry_run_counts_what_a_run_would_bring_home_and_writes_nothing(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    sold = played.sell(day)
    played.chain.finalize()
    before = fingerprint(played)
    found = json.loads(played.cli("recover-intents", "--dry-run", "--json").stdout)
    assert (found["purchases_found"], found["tickets_without_intent"], found["dry_run"]) == (sold, 0, True)
    assert not before.differences(fingerprint(played))
    assert recover(played).tickets_added == sold


@pytest.mark.parametrize("place", ["purchases stored, cursor not moved", "recovered, not closed"])
def test_a_killed_recovery_is_repeated_without_a_second_ticket(played: PlayedWorld, place: str) -> None:
    sold = played.sell(DayId(played.day + 1))
    played.chain.finalize()
    tickets = len(rows(played, "SELECT FROM tickets"))
    killed_at(played, place, "recover-intents")
    recover(played)
    assert recover(played) == NOTHING
    assert len(rows(played, "SELECT FROM tickets")) == tickets + sold
    assert rows(played, "SELECT count(*) FROM buy_intents WHERE status <> 'FINAL'") == [(0,)]


@pytest.mark.parametrize("move", CURSOR_MOVES)
def test_a_page_is_not_stored_when_the_cursor_was_moved_while_it_was_read(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    sold = played.sell(DayId(played.day + 1))
    played.chain.finalize()
    before = fingerprint(played)
    with monkeypatch.context() as patch:
        module = services.lottery.purchases.recover
        move_cursor_before(patch, played, module, "finalize_buy_intents", name="tickets", move=move)
        with pytest.raises(Unavailable) as caught:
            recover(played)
    assert (caught.value.code, caught.value.exit_code) == ("cursor_moved", EXIT_LATER)
    assert before.differences(fingerprint(played)) == ["table event_cursors"]
    played.tamper("DELETE FROM event_cursors")  # as `resume --chain` does, once a person has looked
    assert recover(played).tickets_added == sold
    assert recover(played) == NOTHING


def test_an_intent_whose_hash_the_app_lost_gets_its_hash_and_its_ticket(played: PlayedWorld, shop: Shop) -> None:
    intent_id, permit, signature = shop.sign(shop.order())
    tx_hash = shop.send(permit, signature)
    played.chain.finalize()
    done = recover(played)
    assert (done.recovered, done.adopted, done.tickets_added) == (1, 0, 1)
    intent = shop.intent(intent_id)
    assert (intent.status, intent.tx_hash) == ("FINAL", tx_hash)
    assert intent.ticket_id is not None


def test_an_intent_that_was_never_signed_here_but_bought_is_found_by_its_nonce(played: PlayedWorld, shop: Shop) -> None:
    order = shop.order(Way.DIRECT)
    intent_id, permit = shop.create(order)
    shop.app.sell([order])  # another permit of the same player: not this intent
    played.chain.finalize()
    done = recover(played)
    assert (done.adopted, status_of(shop, intent_id)) == (1, "CREATED")
    assert permit.buyer == order.buyer.wallet


def test_two_intents_that_name_one_transaction_get_one_ticket(played: PlayedWorld, shop: Shop) -> None:
    first = shop.submit(shop.order())
    second, _, _ = shop.sign(shop.order())
    tx_hash = shop.intent(first).tx_hash
    assert tx_hash is not None
    assert mark_submitted(shop.conn, second, tx_hash)  # the App mixed them up
    unfinal(played)
    assert recover(played).seen == 1
    played.world.proxy.heal()
    played.chain.finalize()
    done = recover(played)
    assert (done.tickets_added, done.seen) == (1, 0)
    assert (status_of(shop, first), status_of(shop, second)) == ("FINAL", "SUBMITTED")


def test_a_long_look_at_the_head_holds_the_lease_and_ends_when_somebody_has_taken_it(
    played: PlayedWorld, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand receipts of slow endpoints take longer than a lease lasts."""
    intent_id = shop.submit(shop.order())
    asked: list[UUID] = []
    held_until: list[datetime] = []

    def many(conn: Conn, statuses: Sequence[str]) -> list[Intent]:
        return [shop.intent(intent_id)] * 120

    def look(context: LotteryContext, intent: Intent) -> None:
        ((expires_at,),) = rows(played, "SELECT expires_at FROM job_leases WHERE job = 'recover-intents'")
        asked.append(intent.intent_id)
        held_until.append(expires_at)
        if len(asked) == 130:
            played.tamper("UPDATE job_leases SET token = token + 1 WHERE job = 'recover-intents'")

    monkeypatch.setattr(services.lottery.purchases.track_head, "select_intents", many)
    monkeypatch.setattr(services.lottery.purchases.track_head, "_at_head", look)
    recover(played)
    assert [place for place in range(1, 120) if held_until[place] > held_until[place - 1]] == [50, 100]
    with pytest.raises(Unavailable) as caught:
        recover(played)
    assert (caught.value.code, len(asked)) == ("lease_lost", 120 + 50)


# -- ends of intents ---------------------------------------------------------------------------------------------------


def test_a_reverted_purchase_fails_only_when_its_block_is_final(played: PlayedWorld, shop: Shop) -> None:
    intent_id = shop.submit(shop.order(equipped=False))
    played.world.proxy.fail("stale_head", blocks=5)  # one endpoint is behind: the block is not final for both
    assert recover(played) == NOTHING
    assert status_of(shop, intent_id) == "SUBMITTED"
    played.world.proxy.heal()
    played.chain.mine(3)
    assert recover(played).failed == 1
    assert (status_of(shop, intent_id), shop.intent(intent_id).failure_reason) == (
        "FAILED",
        "the transaction reverted on the chain",
    )
    assert recover(played) == NOTHING


def test_an_intent_that_the_app_has_sent_anew_meanwhile_does_not_fail_for_its_first_transaction(
    played: PlayedWorld, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent_id = shop.submit(shop.order(equipped=False))
    played.chain.mine(3)
    anew, real = Hash32(bytes(32)), services.lottery.purchases.recover.mark_failed

    def late(conn: Conn, *given: object) -> bool:
        shop.conn.execute("UPDATE buy_intents SET tx_hash = %s WHERE intent_id = %s", (anew, intent_id))
        return real(conn, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(services.lottery.purchases.recover, "mark_failed", late)
    assert recover(played).failed == 0
    assert (status_of(shop, intent_id), shop.intent(intent_id).tx_hash) == ("SUBMITTED", anew)


def test_an_unsent_intent_expires_only_when_a_final_block_lies_past_its_deadline(
    played: PlayedWorld, shop: Shop
) -> None:
    created, permit = shop.create(shop.order())
    signed, _, _ = shop.sign(shop.order())
    played.chain.advance_to(permit.deadline - 30)
    assert recover(played) == NOTHING
    played.chain.advance_to(permit.deadline + 60)
    played.world.proxy.fail("stale_head", blocks=20)  # for one endpoint the deadline has not come yet
    assert recover(played) == NOTHING
    assert (status_of(shop, created), status_of(shop, signed)) == ("CREATED", "SIGNED")
    played.world.proxy.heal()
    assert recover(played).expired == 2
    assert (status_of(shop, created), status_of(shop, signed)) == ("EXPIRED", "EXPIRED")
    assert recover(played) == NOTHING


def test_a_late_intent_whose_nonce_is_used_is_bought_and_never_expires(played: PlayedWorld, shop: Shop) -> None:
    intent_id, permit, signature = shop.sign(shop.order())
    shop.send(permit, signature)
    played.chain.advance_to(permit.deadline + 60)
    done = recover(played)
    assert (done.expired, done.recovered) == (0, 1)
    assert status_of(shop, intent_id) == "FINAL"


def test_a_purchase_that_turns_up_after_all_revives_an_expired_intent(played: PlayedWorld, shop: Shop) -> None:
    intent_id, permit, signature = shop.sign(shop.order())
    played.tamper(f"UPDATE buy_intents SET status = 'EXPIRED' WHERE intent_id = '{intent_id}'")  # noqa: S608
    shop.send(permit, signature)
    played.chain.finalize()
    assert recover(played).tickets_added == 1
    assert status_of(shop, intent_id) == "FINAL"


# -- the head ----------------------------------------------------------------------------------------------------------


def test_a_purchase_at_the_head_is_seen_and_becomes_final_with_its_block(played: PlayedWorld, shop: Shop) -> None:
    unfinal(played)
    intent_id = shop.submit(shop.order())
    done = recover(played)
    assert (done.seen, done.tickets_added, done.intents_final) == (1, 0, 0)
    intent = shop.intent(intent_id)
    assert intent.status == "SEEN"
    assert rows(played, f"SELECT is_final FROM tickets WHERE ticket_id = {intent.ticket_id}") == [(False,)]  # noqa: S608
    before = fingerprint(played)
    assert recover(played).seen == 1
    # The node itself has made the purchase final meanwhile; both endpoints together have not.
    assert set(before.differences(fingerprint(played))) <= {"table event_cursors", "chain tickets"}

    played.world.proxy.heal()
    played.chain.finalize()
    done = recover(played)
    assert (done.seen, done.tickets_added, done.intents_final) == (0, 1, 1)
    assert (status_of(shop, intent_id), shop.intent(intent_id).ticket_id) == ("FINAL", intent.ticket_id)
    assert rows(played, "SELECT count(*) FROM tickets WHERE NOT is_final") == [(0,)]


def test_a_seen_purchase_whose_block_is_dropped_goes_back_and_is_bought_in_another_block(
    played: PlayedWorld, shop: Shop
) -> None:
    unfinal(played)
    intent_id, permit, signature = shop.sign(shop.order())
    before = mark(played)
    tx_hash = shop.send(permit, signature)
    shop.conn.execute(
        "UPDATE buy_intents SET status = 'SUBMITTED', tx_hash = %s WHERE intent_id = %s", (tx_hash, intent_id)
    )
    assert recover(played).seen == 1
    drop_purchases_above(played, before, tx_hash)
    assert recover(played).seen == 0
    intent = shop.intent(intent_id)
    assert (intent.status, intent.ticket_id, intent.tx_hash) == ("SUBMITTED", None, tx_hash)
    assert rows(played, "SELECT count(*) FROM tickets WHERE NOT is_final") == [(0,)]

    # Another player comes first on the new chain: the ticket's number is his now.
    shop.relayer._nonce = None
    other = shop.submit(shop.order())
    again = shop.send(permit, signature)
    played.world.proxy.heal()
    played.chain.finalize()
    assert recover(played).tickets_added == 2
    assert [status_of(shop, one) for one in (intent_id, other)] == ["FINAL", "FINAL"]
    first, second = shop.intent(other).ticket_id, shop.intent(intent_id).ticket_id
    assert first is not None
    assert (second, shop.intent(intent_id).tx_hash) == (first + 1, again)


def test_seen_tickets_in_the_way_of_final_ones_of_another_chain_give_way(played: PlayedWorld, shop: Shop) -> None:
    unfinal(played)
    alice, bob = shop.sign(shop.order()), shop.sign(shop.order())
    before = mark(played)
    hashes = [shop.send(permit, signature) for _, permit, signature in (alice, bob)]
    for (intent_id, _, _), tx_hash in zip((alice, bob), hashes, strict=True):
        shop.conn.execute(
            "UPDATE buy_intents SET status = 'SUBMITTED', tx_hash = %s WHERE intent_id = %s", (tx_hash, intent_id)
        )
    assert recover(played).seen == 2
    (first, second) = (shop.intent(one[0]).ticket_id for one in (alice, bob))
    drop_purchases_above(played, before, *hashes)

    shop.relayer._nonce = None
    for _, permit, signature in (bob, alice):  # the other way round on the new chain
        shop.send(permit, signature)
    played.world.proxy.heal()
    played.chain.finalize()
    done = recover(played)
    assert (done.tickets_added, done.intents_final) == (2, 2)
    assert (shop.intent(bob[0]).ticket_id, shop.intent(alice[0]).ticket_id) == (first, second)


def test_a_day_with_tickets_that_are_only_seen_waits_and_is_not_halted(played: PlayedWorld, shop: Shop) -> None:
    unfinal(played)
    shop.submit(shop.order())
    assert recover(played).seen == 1
    played.world.proxy.heal()
    played.chain.advance_to(day_end(shop.day))
    played.settle(played.day)
    played.pass_challenge()
    with pytest.raises(EngineError) as caught:
        played.settle()
    assert (caught.value.code, caught.value.exit_code) == ("tickets_not_final", 75)
    recover(played)
    with pytest.raises(EngineError) as caught:
        played.settle()
    assert caught.value.code == "seeds_missing"  # the tickets are complete now


def drop_purchases_above(played: PlayedWorld, before: Mark, *tx_hashes: bytes) -> None:
    """A reorg: the blocks above a height are replaced by others without these transactions."""
    drop_blocks_above(played, before)
    for tx_hash in tx_hashes:
        played.chain.call("anvil_dropTransaction", "0x" + tx_hash.hex())
        assert played.chain.call("eth_getTransactionReceipt", "0x" + tx_hash.hex()) is None


# -- hidden logs -------------------------------------------------------------------------------------------------------


def test_logs_that_both_endpoints_hide_are_missed_by_the_contracts_counter(played: PlayedWorld) -> None:
    sold = played.sell(DayId(played.day + 1))
    played.chain.finalize()
    proxy = played.world.proxy
    proxy.fail("empty_logs", "eth_getLogs")
    before = fingerprint(played)
    with pytest.raises(InvariantBroken) as caught:
        recover(played, RPC_URL=proxy.url)
    assert caught.value.code == "logs_incomplete"
    assert set(before.differences(fingerprint(played))) <= {"table event_cursors"}
    proxy.heal()
    assert recover(played).tickets_added == sold


def test_logs_that_one_endpoint_hides_are_a_disagreement(played: PlayedWorld) -> None:
    sold = played.sell(DayId(played.day + 1))
    played.chain.finalize()
    played.world.proxy.fail("empty_logs", "eth_getLogs")
    before = fingerprint(played)
    with pytest.raises(InvariantBroken) as caught:
        recover(played)
    assert caught.value.code == "rpc_disagreement"
    assert before.differences(fingerprint(played)) == []
    played.world.proxy.heal()
    assert recover(played).tickets_added == sold


def test_hidden_logs_never_make_an_empty_day(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    played.sell(day)
    played.chain.advance_to(day_end(day))
    played.settle(played.day)
    played.pass_challenge()
    proxy = played.world.proxy
    proxy.fail("empty_logs", "eth_getLogs")
    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            played.settle(RPC_URL=proxy.url)
        assert (caught.value.code, caught.value.exit_code) == ("tickets_missing", 75)
        with pytest.raises(InvariantBroken) as alarm:
            recover(played, RPC_URL=proxy.url)
        assert alarm.value.code == "logs_incomplete"
    assert record_of(played, day).status == 0
