"""Compares refunds on the chain with the tickets that we stored, and with the days that are voided on the chain."""

from collections.abc import Mapping, Sequence

from bo_engine.units import Atoms, DayId, hex_of
from io_layer.lottery.contracts.game import GameChain
from io_layer.lottery.contracts.refunds import DayRefunds, read_day_refunds
from io_layer.lottery.stores.payments.events import Payment, refunds_of
from io_layer.lottery.stores.payments.refund_events import STAKE, VOUCHERS, RefundEvent
from io_layer.lottery.stores.payments.refund_tickets import Bought, select_bought, select_suspended, sum_vouchers
from io_layer.postgres.connection import Conn
from io_layer.rpc.reader import Block
from services.lottery.claims.suspend import suspend

Days = Mapping[DayId, DayRefunds]


def read_days_of(game: GameChain, block: Block, events: Sequence[Payment]) -> Days:
    """What the contracts say of the days of these refunds, at a final block."""
    days = sorted({one.day_id for one in refunds_of(events)})
    return {one.day_id: one for one in read_day_refunds(game, block, days)} if days else {}


def suspend_unexplained_refunds(conn: Conn, events: Sequence[RefundEvent], days: Days) -> int:
    """A row of suspense_events for each final refund that no ticket of ours explains; how many are new.

    Run it in the transaction that stores the events: none is ever stored and not looked at.
    """
    return suspend(conn, list(_unexplained(conn, events, days).items()))


def select_explained_refunds(conn: Conn, game: GameChain, block: Block) -> list[RefundEvent]:
    """Of the refunds in suspense those that are explained by now: their tickets have come since."""
    suspended = select_suspended(conn)
    if not suspended:
        return []
    odd = _unexplained(conn, suspended, read_days_of(game, block, suspended))
    return [one for one in suspended if one not in odd]


def _unexplained(conn: Conn, events: Sequence[RefundEvent], days: Days) -> dict[RefundEvent, str]:
    """Of these events those that nothing explains, and why."""
    permits = [(one.account, one.nonce) for one in events if one.nonce is not None]
    bought = select_bought(conn, permits) if permits else {}
    of_vouchers = sorted({one.day_id for one in events if one.kind == VOUCHERS})
    vouchers = sum_vouchers(conn, of_vouchers) if of_vouchers else {}
    found = {}
    for one in events:
        reason = _why_not_voided(days[one.day_id]) or (
            _why_stake(one, bought.get((one.account, one.nonce or b"")))
            if one.kind == STAKE
            else _why_vouchers(one, vouchers.get(one.day_id, Atoms(0)), days[one.day_id])
        )
        if reason is not None:
            found[one] = reason
    return found


def _why_not_voided(day: DayRefunds) -> str | None:
    return None if day.is_voided else f"day {day.day_id} is not voided on the chain, so nothing of it can be refunded"


def _why_stake(event: RefundEvent, ticket: Bought | None) -> str | None:
    if ticket is None:
        return f"no final ticket of {event.account} here has the nonce {hex_of(event.nonce or b'')}"
    if ticket.day_id != event.day_id:
        return f"ticket {ticket.ticket_id} is of day {ticket.day_id}, it was refunded as of day {event.day_id}"
    if ticket.own_stake_atoms != event.amount_atoms:
        paid, refunded = ticket.own_stake_atoms, event.amount_atoms
        return f"the player paid {paid} atoms for ticket {ticket.ticket_id}, {refunded} were refunded"
    return None


def _why_vouchers(event: RefundEvent, cost: Atoms, day: DayRefunds) -> str | None:
    if cost != event.amount_atoms:
        return f"the vouchers of day {event.day_id} cost {cost} atoms here, {event.amount_atoms} were refunded"
    if event.account != day.voucher_account:
        return f"the vouchers of day {event.day_id} were paid for by {day.voucher_account}, not by {event.account}"
    return None
