"""What ReserveVault and GameManager say of refunds: their events, what of a day is still open, single tickets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bo_engine.units import Atoms, DayId, Wallet, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import VOIDED
from io_layer.lottery.contracts.game import GameChain
from io_layer.lottery.stores.payments.refund_events import STAKE, VOUCHERS, RefundEvent
from io_layer.rpc import wire
from io_layer.rpc.reader import Block, Call

RESERVE: Final = "ReserveVault"
_CALLS_TOGETHER: Final = 250


@dataclass(frozen=True, slots=True)
class DayRefunds:
    """What the contracts say of the refunds of one day at one final block."""

    day_id: DayId
    status: int  # of SettlementV4's record of the day
    voided_at_s: int
    stake_atoms: Atoms  # of all tickets, vouchers included
    refundable_atoms: Atoms  # not refunded yet
    voucher_account: Wallet  # that paid for the day's vouchers; the zero address if none were sold
    voucher_stake_atoms: Atoms
    are_vouchers_refunded: bool

    @property
    def is_voided(self) -> bool:
        """Whether anything of the day can be refunded."""
        return self.status == VOIDED

    @property
    def refunded_atoms(self) -> Atoms:
        """What was refunded so far: zero of a day that is not voided."""
        return Atoms(self.stake_atoms - self.refundable_atoms if self.is_voided else 0)


class Note(NamedTuple):
    """GameManager's note of one purchase: its day and what the player paid; zeros if there is none."""

    day_id: DayId
    stake_atoms: Atoms
    is_refunded: bool


def read_day_refunds(game: GameChain, block: Block, days: Iterable[DayId]) -> list[DayRefunds]:
    """What the contracts say of each of these days, in their order."""
    asked = list(days)
    calls = [
        call
        for day in asked
        for call in (
            game.call("SettlementV4", "dayRecord", day),
            game.call("GameManager", "poolDays", day),
            game.call(RESERVE, "refundable", day),
            game.call(RESERVE, "vouchersOf", day),
        )
    ]
    answers = _read(game, block, calls)
    return [_day_refunds(day, *answers[4 * place : 4 * place + 4]) for place, day in enumerate(asked)]


def read_refundable_total(game: GameChain, block: Block) -> Atoms:
    """What is not refunded yet of all days together."""
    return Atoms(game.chain.read(block, [game.call(RESERVE, "refundableTotal")])[0])


def read_notes(game: GameChain, block: Block, buyer: Wallet, nonces: Sequence[bytes]) -> list[Note]:
    """GameManager's notes of a buyer's purchases, by the nonces of their permits, in their order."""
    found = _read(game, block, [game.call("GameManager", "noteOf", buyer, nonce) for nonce in nonces])
    return [Note(DayId(day), Atoms(stake), is_refunded) for day, stake, is_refunded in found]


def read_payee(game: GameChain, block: Block, account: Wallet) -> Wallet:
    """Where a refund of this account would go: its payee, or itself."""
    (found,) = game.chain.read(block, [game.call(RESERVE, "payeeOf", account)])
    payee = parse_wallet(found)
    return payee if int(payee, 16) else account


def refund_call(game: GameChain, buyer: Wallet, nonces: Sequence[bytes]) -> Call:
    """ReserveVault.refund of these tickets; anyone may send it."""
    return game.call(RESERVE, "refund", buyer, list(nonces))


def voucher_refund_call(game: GameChain, day_id: DayId) -> Call:
    """ReserveVault.refundVouchers of this day; anyone may send it."""
    return game.call(RESERVE, "refundVouchers", day_id)


def stake_refund(log: dict[str, Any]) -> RefundEvent:
    """A Refunded log as a value."""
    fields = codec(RESERVE).event("Refunded", log)
    return RefundEvent(
        tx_hash=wire.hash32(log["transactionHash"]),
        log_index=int(log["logIndex"], 16),
        kind=STAKE,
        day_id=DayId(fields["dayId"]),
        account=parse_wallet(fields["buyer"]),
        nonce=fields["nonce"],
        paid_to=parse_wallet(fields["to"]),
        amount_atoms=Atoms(fields["amount"]),
        block_number=int(log["blockNumber"], 16),
        block_hash=wire.hash32(log["blockHash"]),
    )


def voucher_refund(log: dict[str, Any]) -> RefundEvent:
    """A VouchersRefunded log as a value."""
    fields = codec(RESERVE).event("VouchersRefunded", log)
    return RefundEvent(
        tx_hash=wire.hash32(log["transactionHash"]),
        log_index=int(log["logIndex"], 16),
        kind=VOUCHERS,
        day_id=DayId(fields["dayId"]),
        account=parse_wallet(fields["account"]),
        nonce=None,
        paid_to=parse_wallet(fields["to"]),
        amount_atoms=Atoms(fields["amount"]),
        block_number=int(log["blockNumber"], 16),
        block_hash=wire.hash32(log["blockHash"]),
    )


def _day_refunds(day_id: DayId, record: Any, pools: Any, refundable: int, vouchers: Any) -> DayRefunds:
    account, voucher_stake, are_refunded = vouchers
    status, _, _, _, released_at, _ = record
    return DayRefunds(
        day_id=day_id,
        status=status,
        voided_at_s=released_at if status == VOIDED else 0,
        stake_atoms=Atoms(sum(stake for _, _, stake, _ in pools)),
        refundable_atoms=Atoms(refundable),
        voucher_account=parse_wallet(account),
        voucher_stake_atoms=Atoms(voucher_stake),
        are_vouchers_refunded=are_refunded,
    )


def _read(game: GameChain, block: Block, calls: Sequence[Call]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(calls), _CALLS_TOGETHER):
        found += game.chain.read(block, calls[start : start + _CALLS_TOGETHER])
    return found
