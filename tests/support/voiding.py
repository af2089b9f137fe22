"""Plays those who void a day, and the players who take their stakes back."""

from typing import Any

from bo_engine.units import DayId, Wallet, day_end
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.tickets import stream_tickets
from local_world.chain_account import ChainAccount
from local_world.lottery.chain_view import ChainView
from services.lottery.settlement.explain import explain
from services.lottery.settlement.voids.plan_void import plan_void
from tests.support.played_world import PlayedWorld


def act(played: PlayedWorld, role: str, contract: str, function: str, *arguments: object) -> None:
    """A transaction of one of the roles at one of our contracts, final afterwards."""
    target = ChainView(played.chain, played.world.contracts).address_of(contract)
    account = ChainAccount(played.chain, played.world.account(role))
    played.chain.fund(account.wallet)
    account.execute(target, codec(contract).call_data(function, arguments))
    played.chain.mine(2)


def planned(played: PlayedWorld, day: DayId) -> dict[str, Any]:
    """What void-plan says."""
    with played.context() as context:
        return plan_void(context, day)


def void_as_planned(played: PlayedWorld, day: DayId, role: str = "owner") -> dict[str, Any]:
    """Somebody sends the plan's very bytes; the plan."""
    plan = planned(played, day)
    sender = ChainAccount(played.chain, played.world.account(role))
    played.chain.fund(sender.wallet)
    sender.execute(plan["to"], bytes.fromhex(plan["calldata"][2:]))
    played.chain.mine(2)
    return plan


def after_close(played: PlayedWorld, day: DayId, days: int) -> None:
    """Let so many days pass since the day's close."""
    played.chain.advance_to(day_end(day) + days * 86_400)
    played.chain.mine(2)


def stakes_of(played: PlayedWorld, day: DayId) -> dict[Wallet, int]:
    """What each buyer of a day has paid himself, from the ticket rows in the plainest way."""
    prices = played.world.ruleset.prices_atoms
    stakes: dict[Wallet, int] = {}
    with played.context() as context:
        for ticket in stream_tickets(context.conn, day):
            stakes[ticket.buyer] = stakes.get(ticket.buyer, 0) + prices[ticket.pool_id] * ticket.paid_tips
    return stakes


def refund(played: PlayedWorld, day: DayId, wallet: Wallet) -> int:
    """Anyone calls refund with the nonces that ``explain`` lists; what the wallet received."""
    with played.context() as context:
        nonces = [bytes.fromhex(row["nonce"][2:]) for row in explain(context, day, wallet)["refunds"]]
    view = ChainView(played.chain, played.world.contracts)
    before = view.balance_of(wallet)
    act(played, "gas_safe", "ReserveVault", "refund", wallet, nonces)
    return view.balance_of(wallet) - before
