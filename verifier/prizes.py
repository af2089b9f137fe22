"""Prizes: matches, tiers, jackpots, what each wallet gets, what stays (rules 2.5 to 2.7, 2.10, 2.11)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verifier.tickets import masks_of

Pool = Mapping[str, Any]


def count_matches(tickets: Iterable[Mapping[str, Any]], numbers: Sequence[Sequence[int]]) -> list[Counter[int]]:
    """For each pool how many tips have how many matches."""
    found: list[Counter[int]] = [Counter() for _ in range(5)]
    drawn = [mask_of(each) for each in numbers]
    for ticket in tickets:
        pool = ticket["pool_id"]
        for mask in masks_of(ticket["tips"]):
            found[pool][(mask & drawn[pool]).bit_count()] += 1
    return found


def mask_of(numbers: Iterable[int]) -> int:
    """Numbers as a mask."""
    mask = 0
    for number in numbers:
        mask |= 1 << (number - 1)
    return mask


def budget_of(opening: Mapping[str, int], split: Mapping[str, int]) -> int:
    """Rule 2.5."""
    return opening["carry"] + opening["last_rollover"] + split["pot"]


def tiers_of(budget: int, winning_tips: Mapping[int, int], rules: Mapping[str, Any]) -> list[dict[str, int]]:
    """Rule 2.6."""
    tiers = []
    for tier in rules["tiers"]:
        share, won = budget * tier["share_bps"] // 10000, winning_tips[tier["matches"]]
        each = share // won if won else 0
        tiers.append({"matches": tier["matches"], "winning_tips": won, "share": share, "each": each})
    return tiers


def jackpot_of(pool: Pool, rules: Mapping[str, Any]) -> dict[str, Any]:
    """Rule 2.7, from the pool's opening, split and tiers as they are listed."""
    reserve = pool["opening"]["reserve"] + pool["split"]["jackpot"]
    won = {tier["matches"]: tier["winning_tips"] for tier in pool["tiers"] if tier["winning_tips"]}
    is_due = pool["opening"]["streak"] + 1 >= rules["jackpot_streak_days"]
    taken = 6 if 6 in won else max(won, default=0) if is_due else 0
    each = reserve * rules["jackpot_payout_bps"] // 10000 // won[taken] if taken else 0
    if each == 0:
        return {"jackpot_matches": 0, "jackpot_each": 0, "jackpot_payout": 0, "jackpot_hit": False}
    return {
        "jackpot_matches": taken,
        "jackpot_each": each,
        "jackpot_payout": each * won[taken],
        "jackpot_hit": True,
    }


def closing_of(pool: Pool) -> dict[str, int]:
    """The state that a pool leaves, from what it paid as it is listed."""
    opening, split = pool["opening"], pool["split"]
    streak = 0 if pool["jackpot_hit"] else opening["streak"] + (1 if pool["tip_count"] else 0)
    return {
        "carry": pool["budget"] - pool["payout"],
        "reserve": opening["reserve"] + split["jackpot"] - pool["jackpot_payout"],
        "last_rollover": split["rollover"],
        "streak": streak,
    }


def payouts_of(tickets: Iterable[Mapping[str, Any]], pools: Sequence[Pool]) -> list[dict[str, Any]]:
    """Every winner with the sum over all his tips, by wallet."""
    drawn = [mask_of(pool["winning_numbers"]) for pool in pools]
    worth: list[dict[int, int]] = []
    for pool in pools:
        prizes = {tier["matches"]: tier["each"] for tier in pool["tiers"]}
        if pool["jackpot_matches"] in prizes:
            prizes[pool["jackpot_matches"]] += pool["jackpot_each"]
        worth.append(prizes)
    won: Counter[str] = Counter()
    for ticket in tickets:
        pool = ticket["pool_id"]
        for mask in masks_of(ticket["tips"]):
            won[ticket["buyer"]] += worth[pool].get((mask & drawn[pool]).bit_count(), 0)
    return listed(won)


def listed(amounts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Wallets with an amount above 0, by wallet."""
    return [{"wallet": wallet, "amount": amount} for wallet, amount in sorted(amounts.items()) if amount]
