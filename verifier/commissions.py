"""Affiliates, charity and the fee (rules 2.8 and 2.9)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from verifier.prizes import listed

Entry = Mapping[str, Any]


def referred_by(tickets: Iterable[Entry], rules: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Affiliate, player and the player's own stake of the day, by affiliate and player."""
    stakes: Counter[tuple[str, str]] = Counter()
    for ticket in tickets:
        if ticket["affiliate"] is not None:
            own = rules["prices"][ticket["pool_id"]] * ticket["paid_tips"]
            stakes[ticket["affiliate"], ticket["buyer"]] += own
    return [(affiliate, player, stake) for (affiliate, player), stake in sorted(stakes.items())]


def commission_of(entry: Entry) -> int:
    """Rounded down for each pair."""
    return int(entry["stake"] * entry["rate_bps"] // 10000)


def affiliates_of(referred: Iterable[Entry]) -> list[dict[str, Any]]:
    """The sum of each affiliate's commissions."""
    earned: Counter[str] = Counter()
    for entry in referred:
        earned[entry["affiliate"]] += entry["commission"]
    return listed(earned)


def fee_parts(fee: int, affiliate_total: int, rules: Mapping[str, Any]) -> dict[str, int]:
    """Rule 2.9."""
    charity = (fee - affiliate_total) * rules["charity_bps"] // 10000
    return {"charity_total": charity, "net_fee": fee - affiliate_total - charity}
