"""A day settled in the plainest way: sets of numbers, one tip at a time. The oracle for core/'s fast path."""

from collections import defaultdict
from fractions import Fraction
from math import floor

from core.lottery.tips import numbers_of, unpack_masks
from tests.support.days import Day


def plain_payouts(day: Day, winning_numbers: list[tuple[int, ...]]) -> dict[str, int]:
    """What each wallet wins, from the text of rules 2.4 to 2.7."""
    paid: dict[str, int] = defaultdict(int)
    for pool in range(5):
        sold = [ticket for ticket in day.tickets if ticket.pool_id == pool]
        stake = sum(ticket.stake_atoms for ticket in sold)
        rest = stake - _part(stake, 2750) - _part(stake, 500)
        jackpot_share = _part(rest, 4000)
        pot = rest - jackpot_share
        opening = day.opening[pool]
        budget = opening.carry_atoms + opening.last_rollover_atoms + pot
        reserve = opening.reserve_atoms + jackpot_share
        winners: dict[int, list[str]] = {4: [], 5: [], 6: []}
        for ticket in sold:
            for mask in unpack_masks(ticket.tips):
                matches = len(set(numbers_of(mask)) & set(winning_numbers[pool]))
                if matches in winners:
                    winners[matches].append(ticket.buyer)
        for matches, bps in ((4, 4000), (5, 2500), (6, 3500)):
            for buyer in winners[matches]:
                paid[buyer] += _part(budget, bps) // len(winners[matches])
        if winners[6]:
            lucky = winners[6]
        elif opening.streak >= 89:
            lucky = winners[5] or winners[4]
        else:
            lucky = []
        for buyer in lucky:
            paid[buyer] += _part(reserve, 9000) // len(lucky)
    return {buyer: amount for buyer, amount in paid.items() if amount}


def _part(amount: int, bps: int) -> int:
    return floor(Fraction(amount * bps, 10_000))
