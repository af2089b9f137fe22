"""Tickets: their tips, their stake, the digest that seals them (rules 2.1 to 2.4 and 3.1)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from verifier.checking import require
from verifier.hashing import ZERO_WORD, keccak256, number_word, wallet_word

ZERO_WALLET = "0x" + 40 * "0"


def masks_of(tips: bytes) -> Iterator[int]:
    """The masks of packed tips."""
    for start in range(0, len(tips), 8):
        yield int.from_bytes(tips[start : start + 8], "big")


def bonus_for(paid_tips: int) -> int:
    """Rule 2.3."""
    return 0 if paid_tips < 5 else 3 + 4 * ((paid_tips - 5) // 5)


def check_ticket(ticket: Mapping[str, Any], rules: Mapping[str, Any]) -> None:
    """One ticket by itself. Raises: Differs."""
    name, paid, vouchers = f"ticket {ticket['ticket_id']}", ticket["paid_tips"], ticket["voucher_tips"]
    require(ticket["ticket_id"] >= 1, "a ticket has the id 0")
    require(1 <= paid <= rules["max_paid_tips"], f"{name} has {paid} paid tips")
    bonus = bonus_for(paid)
    require(ticket["bonus_tips"] == bonus, f"{name}: {paid} paid tips give {bonus} bonus tips, not so many as it says")
    count = paid + bonus + vouchers
    require(count <= rules["max_tips"], f"{name} has {count} tips")
    require(len(ticket["tips"]) == 8 * count, f"{name}: {count} tips and {len(ticket['tips'])} bytes of masks")
    stake = rules["prices"][ticket["pool_id"]] * (paid + vouchers)
    require(ticket["stake"] == stake, f"{name}: {paid} paid and {vouchers} voucher tips cost {stake} atoms")
    require(ticket["affiliate"] not in (ticket["buyer"], ZERO_WALLET), f"{name}: nobody is his own affiliate")
    for place, mask in enumerate(masks_of(ticket["tips"])):
        fits = mask.bit_count() == 6 and mask < 1 << rules["number_max"]
        require(fits, f"{name}: tip {place} is not six numbers from 1 to {rules['number_max']}")


def check_tickets(tickets: Iterable[Mapping[str, Any]], rules: Mapping[str, Any]) -> int:
    """All tickets, their order, and that each buyer has one affiliate; the count. Raises: Differs."""
    last, count = 0, 0
    affiliates: dict[str, str | None] = {}
    for ticket in tickets:
        check_ticket(ticket, rules)
        name = f"ticket {ticket['ticket_id']}"
        # The contract counts over all pools, and a day is one stretch of time: nothing stands between two of its ids.
        is_next = last in (0, ticket["ticket_id"] - 1)
        require(is_next, f"{name} stands after ticket {last}: the ids of a day have no gap and no other order")
        known = affiliates.setdefault(ticket["buyer"], ticket["affiliate"])
        require(known == ticket["affiliate"], f"{name}: its buyer has another affiliate on another ticket of the day")
        last, count = ticket["ticket_id"], count + 1
    return count


def sold_by(tickets: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the five pools sold, digests included, by folding the tickets in their order."""
    pools = [{"pool_id": pool, "ticket_count": 0, "tip_count": 0, "stake": 0, "digest": ZERO_WORD} for pool in range(5)]
    for ticket in tickets:
        pool = pools[ticket["pool_id"]]
        pool["ticket_count"] += 1
        pool["tip_count"] += len(ticket["tips"]) // 8
        pool["stake"] += ticket["stake"]
        pool["digest"] = next_digest(pool["digest"], ticket)
    return pools


def next_digest(digest: bytes, ticket: Mapping[str, Any]) -> bytes:
    """Rule 3.1."""
    return keccak256(
        digest
        + number_word(ticket["ticket_id"])
        + wallet_word(ticket["buyer"])
        + number_word(ticket["paid_tips"])
        + number_word(ticket["voucher_tips"])
        + wallet_word(ticket["affiliate"] or ZERO_WALLET)
        + number_word(ticket["stake"])
        + keccak256(ticket["tips"])
    )


def split_of(stake: int, rules: Mapping[str, Any]) -> dict[str, int]:
    """Rule 2.4, for the stake of one pool's day."""
    fee = stake * rules["fee_bps"] // 10000
    rollover = stake * rules["rollover_bps"] // 10000
    rest = stake - fee - rollover
    jackpot = rest * rules["jackpot_bps"] // 10000
    return {"fee": fee, "rollover": rollover, "jackpot": jackpot, "pot": rest - jackpot}


def splits_of(tickets: Iterable[Mapping[str, Any]], rules: Mapping[str, Any]) -> list[dict[str, int]]:
    """The splits of what the five pools sold."""
    stakes = [0] * 5
    for ticket in tickets:
        stakes[ticket["pool_id"]] += ticket["stake"]
    return [split_of(stake, rules) for stake in stakes]
