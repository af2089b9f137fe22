"""Looks for every atom and every intent after the play, as an outsider can."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bo_engine.units import Atoms, Wallet
from core.lottery.tickets import own_stake_of
from io_layer.lottery.stores.intents import select_intent
from io_layer.postgres.connection import Conn
from local_world.lottery.app import Sale
from local_world.lottery.chain_view import ChainView
from local_world.lottery.claims import COMMISSIONS, PRIZES, ClaimBook
from local_world.lottery.day_facts import Check, SettledDay, VoidedDay, kept_atoms
from local_world.lottery.money import MoneyFlow, Place
from local_world.lottery.players import Person


def read_money(
    view: ChainView, days: Sequence[SettledDay], voided: VoidedDay, sales: Sequence[Sale], book: ClaimBook
) -> MoneyFlow:
    """Where the money of these days is: as the files say it, and as the chain holds it. Atoms throughout."""
    _, vouchers, returned = view.ask("ReserveVault", "vouchersOf", voided.day_id)
    owed_by = {name: view.ask(name, "totalReleased") - view.ask(name, "totalClaimed") for name in (PRIZES, COMMISSIONS)}
    totals: Counter[str] = Counter()
    for day in days:
        totals.update(day.totals)
    at = view.contracts
    kept = sum(kept_atoms(days[-1], name) for name in ("carry", "reserve", "last_rollover"))
    prizes, commissions = book.paid_atoms(PRIZES), book.paid_atoms(COMMISSIONS)
    waiting, waiting_commissions = totals["payout"] - prizes, totals["affiliate"] - commissions
    places = (
        Place("prizes paid to winners", "their wallets", prizes, view.ask(PRIZES, "totalClaimed")),
        Place("prizes not claimed yet", "ReserveVault, for PrizeVault", Atoms(waiting), Atoms(owed_by[PRIZES])),
        Place("commissions paid to affiliates", "their wallets", commissions, view.ask(COMMISSIONS, "totalClaimed")),
        Place(
            "commissions not claimed yet",
            "ReserveVault, for AffiliateVault",
            Atoms(waiting_commissions),
            Atoms(owed_by[COMMISSIONS]),
        ),
        Place(
            f"stakes of day {voided.day_id}, refunded",
            "their buyers' wallets",
            Atoms(sum(own_stake_of(sale.ticket) for sale in sales if sale.ticket.day_id == voided.day_id)),
            Atoms(voided.refunded),
        ),
        Place(
            f"vouchers of day {voided.day_id}, refunded",
            "the promotions account",
            Atoms(voided.vouchers_refunded),
            Atoms(vouchers if returned else 0),
        ),
        Place("charity", "the charity's wallet", Atoms(totals["charity"]), view.balance_of(at.charity)),
        Place(
            "net fee of the operator", "the fee receiver", Atoms(totals["net_fee"]), view.balance_of(at.fee_receiver)
        ),
        Place(
            "kept for coming days",
            "ReserveVault",
            Atoms(kept),
            Atoms(view.balance_of(at.reserve_vault) - sum(owed_by.values())),
        ),
    )
    own = sum(own_stake_of(sale.ticket) for sale in sales)
    gas = Atoms(sum(sale.event.gas_cost_atoms for sale in sales))
    return MoneyFlow(
        player_stake_atoms=Atoms(own),
        voucher_stake_atoms=Atoms(sum(sale.ticket.stake_atoms for sale in sales) - own),
        places=places,
        gas=Place("paid for gas, no part of any stake", "the gas safe", gas, view.balance_of(at.gas_safe)),
    )


def check_intents(conn: Conn, sales: Iterable[Sale]) -> Iterator[Check]:
    """The App's intents after recovery: each FINAL, each with the ticket that the chain sold for it."""
    relayed = [sale for sale in sales if sale.intent_id is not None]
    good = 0
    for sale in relayed:
        intent = select_intent(conn, sale.intent_id) if sale.intent_id is not None else None
        good += intent is not None and (intent.status, intent.ticket_id) == ("FINAL", sale.ticket.ticket_id)
    yield Check(f"all {len(relayed)} intents are FINAL, each with its own ticket", good == len(relayed))


def check_purses(
    view: ChainView,
    people: Mapping[Wallet, Person],
    minted: Mapping[Wallet, int],
    *,
    sales: Iterable[Sale],
    book: ClaimBook,
    voided: VoidedDay,
) -> Iterator[Check]:
    """Each person's USDT: what he had, less what he paid, plus what he claimed or got back. No USDT is elsewhere."""
    expected: Counter[Wallet] = Counter(minted)
    promotions = next(iter(minted.keys() - people.keys()))
    for sale in sales:
        own = own_stake_of(sale.ticket)
        expected[sale.ticket.buyer] -= own + sale.event.gas_cost_atoms
        expected[promotions] -= sale.ticket.stake_atoms - own
        if sale.ticket.day_id == voided.day_id:
            expected[sale.ticket.buyer] += own
            expected[promotions] += sale.ticket.stake_atoms - own
    for claim in book.paid:
        expected[claim.wallet] += claim.amount_atoms
    held = {wallet: view.balance_of(wallet) for wallet in {*people, promotions}}
    right = all(held[wallet] == expected[wallet] for wallet in held)
    yield Check(f"each of the {len(held)} wallets holds its money less stakes plus winnings and refunds", right)
    at = view.contracts
    places = (
        at.reserve_vault,
        at.charity_vault,
        at.charity,
        at.fee_receiver,
        at.gas_safe,
    )
    found = sum(held.values()) + sum(view.balance_of(place) for place in places)
    yield Check("all USDT that was ever minted is found", found == view.ask("TestUSDT", "totalSupply"))
    debts = view.ask("ReserveVault", "held") == view.balance_of(at.reserve_vault)
    yield Check("ReserveVault holds exactly what it owes", debts)
