"""Compares what our final rows of claims and refunds add up to with what the contracts say they have paid.

An empty answer of a node proves nothing: the vaults count what they pay, and ReserveVault knows what of a voided day it
has not refunded yet.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, DayId, Wallet, day_of
from io_layer.lottery.contracts.claims import read_claimed_of_days, read_total_claimed
from io_layer.lottery.contracts.refunds import DayRefunds, read_day_refunds, read_refundable_total
from io_layer.lottery.stores.payments.claim_events import sum_final_claims
from io_layer.lottery.stores.payments.refund_events import sum_final_refunds
from io_layer.lottery.stores.runs import select_settled_days
from io_layer.rpc.reader import Block
from services.lottery.context import LotteryContext


class Gaps(NamedTuple):
    """The days of which our final rows add up to something else than was paid."""

    missing: Sequence[DayId] = ()  # more was paid
    surplus: Sequence[DayId] = ()  # less was paid


class Differing(NamedTuple):
    """What does not agree, by table."""

    claims: Gaps
    refunds: Gaps
    unknown_atoms: int = 0  # refundable by ReserveVault's own sum, and of none of the days that are over

    @property
    def first_missing(self) -> DayId | None:
        """The first day of which payments are missing."""
        return min([*self.claims.missing, *self.refunds.missing], default=None)

    def require_none(self, final: Block) -> None:
        """Raises: InvariantBroken ``logs_incomplete``, with what to do about each; ``refundable_differs``."""
        found = [
            *_sentences("the vaults have paid out", "claim_events", self.claims),
            *_sentences("ReserveVault has refunded", "refunds", self.refunds),
        ]
        if found:
            raise InvariantBroken(
                "logs_incomplete",
                f"by block {final.number} {'; and '.join(found)} (docs/operations.md, "
                '"Claims and refunds that do not fit")',
            )
        if self.unknown_atoms:
            raise InvariantBroken(
                "refundable_differs",
                f"by block {final.number} ReserveVault calls {self.unknown_atoms} atoms more refundable than its days "
                "add up to: an endpoint or the contract lies; ask a third endpoint, and `contracts check`",
            )


def compare_payments(context: LotteryContext, final: Block) -> Differing:
    """All days that differ by a final block; nothing is read of single days whose totals agree."""
    refunds, unknown_atoms = _compare_refunds(context, final)
    return Differing(_compare_claims(context, final), refunds, unknown_atoms)


def _sentences(has_paid: str, table: str, gaps: Gaps) -> list[str]:
    found = []
    if gaps.missing:
        found.append(
            f"{has_paid} more than {table} has, of day(s) {_first_of(gaps.missing)}, whose logs were read again: check "
            "FIRST_BLOCK and the endpoints"
        )
    if gaps.surplus:
        found.append(
            f"{has_paid} less than {table} has, of day(s) {_first_of(gaps.surplus)}, for which nothing is read again "
            "until a person removes the cursor"
        )
    return found


def _first_of(days: Sequence[DayId]) -> str:
    return ", ".join(str(day) for day in days[:5])


def _gaps(paid: Mapping[DayId, int], ours: Mapping[DayId, int]) -> Gaps:
    above = {day: paid.get(day, 0) - ours.get(day, 0) for day in sorted(paid.keys() | ours.keys())}
    return Gaps(
        missing=[day for day, atoms in above.items() if atoms > 0],
        surplus=[day for day, atoms in above.items() if atoms < 0],
    )


# -- claims ------------------------------------------------------------------------------------------------------------


def _compare_claims(context: LotteryContext, final: Block) -> Gaps:
    ours = sum_final_claims(context.conn)
    totals = read_total_claimed(context.game, final)
    if totals == {vault: sum(sums for (one, _), sums in ours.items() if one == vault) for vault in totals} and all(
        vault in totals for vault, _ in ours
    ):
        return Gaps()
    known = {day for _, day in ours}
    paid = read_claimed_of_days(context.game, final, sorted(known | set(_days_passed(context, final))))
    found = [_gaps(_of_vault(paid, vault), _of_vault(ours, vault)) for vault in {one for one, _ in paid | ours}]
    return Gaps(
        missing=sorted({day for gaps in found for day in gaps.missing}),
        surplus=sorted({day for gaps in found for day in gaps.surplus}),
    )


def _of_vault(sums: Mapping[tuple[Wallet, DayId], Atoms], vault: Wallet) -> dict[DayId, int]:
    return {day: atoms for (one, day), atoms in sums.items() if one == vault}


def _days_passed(context: LotteryContext, final: Block) -> list[DayId]:
    """Every day that is over by a final block."""
    return [DayId(day) for day in range(context.game.first_day, day_of(final.timestamp_s))]


# -- refunds -----------------------------------------------------------------------------------------------------------


def _compare_refunds(context: LotteryContext, final: Block) -> tuple[Gaps, int]:
    """The days that differ, and what ReserveVault calls refundable of no day that is over."""
    ours = sum_final_refunds(context.conn)
    passed = set(_days_passed(context, final))
    total = read_refundable_total(context.game, final)
    # A day that is settled here was released and cannot be voided: it is not asked unless something is amiss.
    likely = sorted(ours.keys() | passed - set(select_settled_days(context.conn)))
    days = read_day_refunds(context.game, final, likely)
    if _refundable(days) != total:
        days = read_day_refunds(context.game, final, sorted(ours.keys() | passed))
    return _gaps({one.day_id: one.refunded_atoms for one in days}, ours), total - _refundable(days)


def _refundable(days: Sequence[DayRefunds]) -> int:
    return sum(one.refundable_atoms for one in days)
