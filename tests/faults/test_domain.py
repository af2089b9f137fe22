"""Odd but possible days: what players, affiliates and the App may do to the engine without breaking a rule.

Faults N01, N02, N04, N09, N12, N13, N17 and N18, end to end: bought on the chain, settled, checked.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, DayId, PoolId, Wallet, day_end
from core.lottery.draw import draw_numbers, draw_seed
from core.lottery.model import Deployment, Seeds
from core.lottery.tips import mask_of, pack_masks
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.intents import insert_intent, mark_submitted
from local_world.chain_account import ChainAccount
from local_world.lottery.app import permit_fields
from local_world.lottery.bank import Bank
from local_world.lottery.players import Order, Person, Way, make_players
from tests.invariants.checker import check_invariants
from tests.support.fingerprint import stored_text
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import record_of, rows, run_steps, true_run_hash
from tests.support.played_world import PlayedWorld
from tests.support.shop import Shop, connected_app, opened_shop

pytestmark = [pytest.mark.world, pytest.mark.slow]


@pytest.fixture
def shop(played: PlayedWorld) -> Iterator[Shop]:
    """The App on the day after the sold one, which is settled to its end."""
    played.settle_through()
    with opened_shop(played) as opened:
        yield opened


def settle_shop_day(shop: Shop) -> None:
    """Close the App's day, settle it to its end and check everything."""
    shop.played.close(shop.day)
    (outcome,) = shop.played.settle()
    assert outcome.status == "WAITING", outcome
    shop.played.pass_challenge()
    assert [one.status for one in shop.played.settle()] == ["DONE"]
    check_invariants(shop.played)


def tickets_of(shop: Shop, day: DayId) -> int:
    """Tickets stored for a day."""
    return len(rows(shop.played, f"SELECT FROM tickets WHERE day_id = {day}"))


# -- intents and payments ----------------------------------------------------------------------------------------------


def test_two_intents_that_name_one_payment_are_one_ticket_and_the_other_ends_without_any(shop: Shop) -> None:
    order = shop.order()
    paid, permit, signature = shop.sign(order)
    tx_hash = shop.send(permit, signature)
    mark_submitted(shop.conn, paid, tx_hash)
    other, _, _ = shop.sign(order)
    mark_submitted(shop.conn, other, tx_hash)
    settle_shop_day(shop)
    assert shop.intent(paid).status == "FINAL"
    assert shop.intent(other).status == "EXPIRED"
    assert tickets_of(shop, shop.day) == 1


def test_a_second_payment_beside_an_intent_is_a_ticket_of_its_own(shop: Shop) -> None:
    """The player pays what he signed, and pays again himself: both are tickets, nothing is free or lost."""
    order = shop.order()
    intent_id = shop.submit(order)
    promotions = ChainAccount(shop.played.chain, shop.played.world.account("promotions"))
    bank = Bank(shop.played.chain, shop.played.world.contracts, promotions)
    bank.equip([order], shop.played.world.ruleset.prices_atoms)
    shop.app.sell([replace(order, way=Way.DIRECT)])
    settle_shop_day(shop)
    assert shop.intent(intent_id).status == "FINAL"
    assert tickets_of(shop, shop.day) == 2
    finals = f"SELECT count(*) FROM buy_intents WHERE status = 'FINAL' AND day_id = {shop.day}"  # noqa: S608 - a number
    assert rows(shop.played, finals) == [(2,)]
    assert rows(shop.played, "SELECT count(*) FROM suspense_events") == [(0,)]


def test_a_payment_for_something_else_than_the_intent_says_is_a_ticket_and_is_shown_to_a_person(shop: Shop) -> None:
    order = shop.order()
    permit = shop.app.make_permit(order)
    other_tips = pack_masks([mask_of((1, 2, 3, 4, 5, 9), 9)])
    intent_id = insert_intent(shop.conn, permit._replace(tips=other_tips))
    player = ChainAccount(shop.played.chain, order.buyer.account)
    free = permit_fields(permit._replace(gas_cost_atoms=Atoms(0)))
    call = codec("GameManager").call_data("buyTicket", (free, order.tips))
    player.execute(shop.played.world.contracts.game_manager, call)
    settle_shop_day(shop)
    assert tickets_of(shop, shop.day) == 1
    ((kind, payload),) = rows(shop.played, "SELECT kind, payload ->> 'intent_id' FROM suspense_events")
    assert (kind, payload) == ("purchase", str(intent_id))


# -- the edge of a day -------------------------------------------------------------------------------------------------


def test_a_permit_sent_after_its_day_has_closed_buys_nothing_anywhere(shop: Shop) -> None:
    chain = shop.played.chain
    in_time, late = shop.order(), shop.order()
    chain.advance_to(day_end(shop.day) - 60)
    last = shop.submit(in_time)
    intent_id, permit, signature = shop.sign(late)
    chain.advance_to(day_end(shop.day) + 1)
    tx_hash = shop.send(permit, signature)
    mark_submitted(shop.conn, intent_id, tx_hash)
    chain.finalize()
    settle_shop_day(shop)
    assert shop.intent(last).status == "FINAL"
    assert shop.intent(intent_id).status == "FAILED"
    assert (tickets_of(shop, shop.day), tickets_of(shop, DayId(shop.day + 1))) == (1, 0)


# -- nobody wins -------------------------------------------------------------------------------------------------------


def test_a_day_without_winners_is_committed_with_root_zero_and_carries_its_pot(shop: Shop) -> None:
    played = shop.played
    tip = (1, 2, 3, 4, 5, 6)
    shop.submit(replace(shop.order(), tips=pack_masks([mask_of(tip, 9)])))
    played.close(shop.day, has_tips=False)
    drand = played.world.ruleset.drand
    with played.context() as context:
        refresh_seeds(context)
        played.chain.advance_to(played.chain.now() + drand.delay_s + 2 * drand.period_s)
        played.chain.mine(2)
        refresh_seeds(context)
        ((drand_round, randomness),) = rows(
            played,
            f"SELECT drand_round, drand_randomness FROM day_seeds WHERE day_id = {shop.day}",  # noqa: S608 - a number
        )
        deployment = context.game.deployment
        played.world.fulfil_vrf(shop.day, _losing_word(deployment, shop.day, drand_round, randomness, set(tip)))
        while refresh_seeds(context).waiting:
            played.chain.mine(1)
    played.settle()
    played.pass_challenge()
    (outcome,) = played.settle()
    assert outcome.status == "DONE", outcome
    ((root, total, count),) = rows(
        played,
        "SELECT winner_root, total_payout::text, winner_count FROM settlement_runs "  # noqa: S608 - a number
        f"WHERE day_id = {shop.day} AND status = 'settled'",
    )
    assert (bytes(root), total, count) == (bytes(32), "0", 0)
    assert any(record_of(played, shop.day).settlement_hash)
    check_invariants(played)


def _losing_word(deployment: Deployment, day: DayId, drand_round: int, randomness: bytes, tip: set[int]) -> int:
    for word in range(1000):
        seeds = Seeds(word, 0, drand_round, b"", randomness)  # type: ignore[arg-type]
        if len(tip & set(draw_numbers(draw_seed(deployment, day, PoolId(0), seeds), 9))) < 4:
            return word
    raise AssertionError("no word of a thousand lets the tip lose")


# -- odd wallets -------------------------------------------------------------------------------------------------------


def test_affiliates_that_are_contracts_precompiles_or_cycles_get_one_leaf_each(shop: Shop) -> None:
    """Whoever is named earns; A brought B and B brought A is two plain commissions, nothing recurses."""
    first, second = make_players(2, [Person("nobody", shop.played.world.account("charity"))])
    named: list[tuple[Person, Wallet]] = [
        (first, second.wallet),
        (second, first.wallet),
        (make_players(1, [first])[0], Wallet("0x" + "0" * 39 + "1")),
        (make_players(1, [first])[0], Wallet("0x" + "f" * 40)),
        # Not one of ours: those the contract refuses.
        (make_players(1, [first])[0], shop.played.world.contracts.vrf_coordinator),
    ]
    orders = [replace(shop.order(), buyer=replace(person, affiliate=affiliate)) for person, affiliate in named]
    _equip(shop, orders)
    shop.app.sell(orders)
    settle_shop_day(shop)
    paid = rows(
        shop.played,
        "SELECT wallet, amount::text FROM settlement_affiliate_payouts AS p JOIN settlement_runs USING (run_id) "  # noqa: S608
        f"WHERE day_id = {shop.day} ORDER BY wallet",
    )
    # 250000 atoms at 500 bps each.
    assert paid == sorted((affiliate, "12500") for _, affiliate in named)


def _equip(shop: Shop, orders: list[Order]) -> None:
    promotions = ChainAccount(shop.played.chain, shop.played.world.account("promotions"))
    bank = Bank(shop.played.chain, shop.played.world.contracts, promotions)
    bank.give_gas([order.buyer.wallet for order in orders])
    bank.equip(orders, shop.played.world.ruleset.prices_atoms)


# -- text from people --------------------------------------------------------------------------------------------------

HOSTILE = (
    "'; DROP TABLE tickets; --",
    "Robert'); DELETE FROM users; --",
    "%(day_id)s %s {}",
    "\u202eoolleh\u2028\x1b[2J",
)
SCHEMA = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
     WHERE table_schema = 'public' ORDER BY table_name, column_name
"""


def test_hostile_text_of_people_is_data_and_changes_no_table(shop: Shop) -> None:
    schema = rows(shop.played, SCHEMA)
    people = make_players(len(HOSTILE), [Person("nobody", shop.played.world.account("charity"))])
    for person, text in zip(people, HOSTILE, strict=True):
        shop.conn.execute(
            "INSERT INTO users (wallet, display_name, email) VALUES (%(wallet)s, %(name)s, %(mail)s)",
            {"wallet": person.wallet, "name": text[:40], "mail": f"{text}@example.org"},
        )
    with pytest.raises(InvariantBroken, match="users_locale_check"):
        shop.conn.execute(
            "INSERT INTO users (wallet, locale) VALUES (%(wallet)s, %(locale)s)",
            {"wallet": make_players(1, people)[0].wallet, "locale": HOSTILE[0]},
        )
    orders = [replace(shop.order(), buyer=replace(person, affiliate=None)) for person in people]
    _equip(shop, orders)
    shop.app.sell(orders)
    with shop.played.context() as context:
        recover_intents(context)
    settle_shop_day(shop)
    assert rows(shop.played, SCHEMA) == schema
    stored = {name for (name,) in rows(shop.played, "SELECT display_name FROM users")}
    assert stored >= {text[:40] for text in HOSTILE}


# -- people who leave --------------------------------------------------------------------------------------------------

JOIN = """
    INSERT INTO users (wallet, display_name, email, mail_consent)
    VALUES (%(wallet)s, 'A. Player', 'a@example.org', true)
"""
SUBSCRIBE = """
    INSERT INTO push_subscriptions (wallet, endpoint, p256dh, auth)
    VALUES (%(wallet)s, %(endpoint)s, 'key', 'auth')
"""


def test_a_player_who_deletes_his_account_after_the_sealing_wins_what_he_has_won(played: PlayedWorld) -> None:
    run_hash = true_run_hash(played)
    buyers = [wallet for (wallet,) in rows(played, "SELECT DISTINCT buyer FROM tickets ORDER BY buyer")]
    with connected_app(played) as app:
        for wallet in buyers:
            app.execute(JOIN, {"wallet": wallet})
            app.execute(SUBSCRIBE, {"wallet": wallet, "endpoint": f"https://push.example.org/{wallet}"})
        run_steps(played, "export", "affiliates")
        app.execute("DELETE FROM users")
    outcome = played.settle_through()
    assert (outcome.status, outcome.run_hash) == ("DONE", run_hash)
    winners = [wallet for (wallet,) in rows(played, "SELECT wallet FROM settlement_winner_payouts ORDER BY wallet")]
    assert winners
    assert set(winners) <= set(buyers)
    assert played.cli("proof", "--day", str(played.day), "--wallet", winners[0]).code == 0
    # Nothing is left of him but what the chain knows, and nobody is written to.
    assert "example.org" not in stored_text(played)
    assert rows(played, "SELECT (SELECT count(*) FROM push_subscriptions), (SELECT count(*) FROM outbox)") == [(0, 0)]
    check_invariants(played)
