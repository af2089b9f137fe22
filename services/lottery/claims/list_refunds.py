"""Lists the refunds of a voided day: which stake was paid back to whom, and which is still open. Reads only.

Who has what back stands in our rows; what is open in all is the contract's word at a final block. The tickets of one
wallet are asked from the chain one by one, so that the call printed for them names none that is refunded already.
"""

from collections.abc import Container, Sequence
from itertools import groupby
from typing import Any, Final

from bo_engine.errors import InvalidInput
from bo_engine.units import Atoms, DayId, Wallet, hex_of
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED
from io_layer.lottery.contracts.refunds import (
    RESERVE,
    DayRefunds,
    Note,
    read_day_refunds,
    read_notes,
    read_payee,
    refund_call,
    voucher_refund_call,
)
from io_layer.lottery.stores.payments.refund_events import VOUCHERS, RefundEvent, sum_final_refunds
from io_layer.lottery.stores.payments.refund_tickets import (
    TicketRefund,
    select_refunds_of_day,
    select_refunds_without_ticket,
    sum_own_stakes,
)
from io_layer.postgres.connection import read_only
from io_layer.rpc.reader import Block, Call
from services.lottery.context import LotteryContext

#: So many tickets a call: well below a block's gas.
_NONCES_PER_CALL: Final = 100
_NOT_VOIDED: Final = {COMMITTED: "a commit of it is pending", RELEASED: "it is settled"}


def list_refunds(context: LotteryContext, day_id: DayId, wallet: Wallet | None = None) -> dict[str, Any]:
    """Totals, buyers with their tickets, and the vouchers; of one ``wallet`` also the calls that refund what is open.

    Amounts are decimal strings of atoms. ``agrees`` is False while our rows add up to another sum than the contract has
    refunded, and while our tickets add up to another stake than it has sold.
    Raises: InvalidInput ``day_not_voided``.
    """
    block = context.chain.read_final_block()
    (day,) = read_day_refunds(context.game, block, [day_id])
    if not day.is_voided:
        what = _NOT_VOIDED.get(day.status, "it is not settled yet")
        raise InvalidInput(
            "day_not_voided", f"day {day_id} is not voided at final block {block.number}: {what}; nothing is refunded"
        )
    with read_only(context.conn):
        tickets = select_refunds_of_day(context.conn, day_id, wallet)
        others = select_refunds_without_ticket(context.conn, day_id)
        paid = sum_final_refunds(context.conn).get(day_id, Atoms(0))
        bought = sum_own_stakes(context.conn, day_id) + day.voucher_stake_atoms
    notes = {} if wallet is None else _read_notes(context, block, wallet, [one.nonce for one in tickets])
    paid_since = {nonce for nonce, note in notes.items() if note.is_refunded}
    facts = {
        "day_id": day_id,
        "observed_block": block.number,
        "voided_at_s": day.voided_at_s,
        "stake": str(day.stake_atoms),
        "refunded": str(day.refunded_atoms),
        "open": str(day.refundable_atoms),
        "agrees": (paid, bought) == (day.refunded_atoms, day.stake_atoms),
        "stored_stake": str(bought),
        "stored_refunds": str(paid),
        "buyers": [
            _buyer(buyer, list(each), paid_since) for buyer, each in groupby(tickets, key=lambda one: one.buyer)
        ],
        "vouchers": _vouchers(context, day, others),
        "unexplained": [_event(one) for one in others if one.kind != VOUCHERS],
        "contract": context.game.contracts.of(RESERVE),
        "function": codec(RESERVE).signature("refund"),
    }
    if wallet is not None:
        due = {nonce: note.stake_atoms for nonce, note in notes.items() if note.stake_atoms and not note.is_refunded}
        facts["wallet"] = {
            "wallet": wallet,
            "pays_to": read_payee(context.game, block, wallet),
            "open": str(sum(due.values())),
            "calls": _calls(context, wallet, list(due)),
        }
    return facts


def _buyer(buyer: Wallet, tickets: Sequence[TicketRefund], paid_since: Container[bytes]) -> dict[str, Any]:
    """``paid_since``: nonces that are refunded by the chain's own notes, also where no row of ours says so yet."""
    stake = sum(one.own_stake_atoms for one in tickets)
    refunded = sum(one.own_stake_atoms for one in tickets if one.is_final or one.nonce in paid_since)
    return {
        "buyer": buyer,
        "stake": str(stake),
        "refunded": str(refunded),
        "open": str(stake - refunded),
        "tickets": [_ticket(one, is_paid=bool(one.is_final) or one.nonce in paid_since) for one in tickets],
    }


def _ticket(ticket: TicketRefund, *, is_paid: bool) -> dict[str, Any]:
    unpaid = "open" if ticket.is_final is None else "confirming"
    return {
        "ticket_id": ticket.ticket_id,
        "nonce": hex_of(ticket.nonce),
        "stake": str(ticket.own_stake_atoms),
        "state": "refunded" if is_paid else unpaid,
        "to": ticket.paid_to,
        "tx_hash": hex_of(ticket.tx_hash) if ticket.tx_hash is not None else None,
        "block_number": ticket.block_number,
    }


def _vouchers(context: LotteryContext, day: DayRefunds, others: Sequence[RefundEvent]) -> dict[str, Any] | None:
    if not day.voucher_stake_atoms:
        return None
    event = next((one for one in others if one.kind == VOUCHERS), None)
    call = None if day.are_vouchers_refunded else voucher_refund_call(context.game, day.day_id)
    return {
        "account": day.voucher_account,
        "stake": str(day.voucher_stake_atoms),
        "state": "refunded" if day.are_vouchers_refunded else "open",
        "to": event.paid_to if event else None,
        "tx_hash": hex_of(event.tx_hash) if event else None,
        "call": _call(call) if call else None,
    }


def _event(event: RefundEvent) -> dict[str, Any]:
    return {
        "account": event.account,
        "nonce": hex_of(event.nonce or b""),
        "refunded": str(event.amount_atoms),
        "to": event.paid_to,
        "tx_hash": hex_of(event.tx_hash),
    }


def _read_notes(context: LotteryContext, block: Block, buyer: Wallet, nonces: Sequence[bytes]) -> dict[bytes, Note]:
    """The chain's own notes of these tickets of one buyer, by nonce."""
    return dict(zip(nonces, read_notes(context.game, block, buyer, nonces), strict=True)) if nonces else {}


def _calls(context: LotteryContext, buyer: Wallet, nonces: Sequence[bytes]) -> list[dict[str, Any]]:
    """The calls that refund these tickets."""
    parts = [nonces[start : start + _NONCES_PER_CALL] for start in range(0, len(nonces), _NONCES_PER_CALL)]
    return [_call(refund_call(context.game, buyer, part)) for part in parts]


def _call(call: Call) -> dict[str, Any]:
    return {
        "to": call.address,
        "function": codec(call.contract).signature(call.function),
        "calldata": hex_of(call.data),
    }
