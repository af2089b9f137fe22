"""Checks of the game: tickets, the draw, the prizes. Each compares what a file lists with what follows from what it
lists one step before, so a lie shows where it was told and not everywhere behind it."""

from typing import Any

from verifier import draw, prizes, tickets
from verifier.checking import Differs, differ, require, require_equal
from verifier.folder import Day
from verifier.hashing import sha256

SOLD = ("pool_id", "ticket_count", "tip_count", "stake", "digest")


def sold_part(pool: dict[str, Any]) -> dict[str, Any]:
    """A pool's fields of sold."""
    return {name: pool[name] for name in SOLD}


def ticket_rules(day: Day) -> str:
    """Each ticket keeps to the rules, and they stand in order."""
    inputs = day.doc("inputs")
    return f"{tickets.check_tickets(inputs['tickets'], inputs['ruleset'])} tickets"


def digests(day: Day) -> str:
    """Counts, stakes and digests follow from the tickets."""
    inputs = day.doc("inputs")
    for found, pool in zip(inputs["pools"], tickets.sold_by(inputs["tickets"]), strict=True):
        for name in SOLD:
            require_equal(found[name], pool[name], f"{name} of pool {pool['pool_id']}")
    return "count, tips, stake and digest of 5 pools"


def sold(day: Day) -> str:
    """All files say the same of what was sold."""
    pools = day.doc("inputs")["pools"]
    for name in ("commit_bundle", "settlement_result"):
        for listed, pool in zip(day.doc(name)["pools"], pools, strict=True):
            require_equal(sold_part(listed), pool, f"pool {pool['pool_id']} of {name}.json")
    return "inputs = result = bundle"


def opening(day: Day) -> str:
    """All files open with the same state."""
    states = day.doc("inputs")["opening_state"]
    require_equal(day.doc("commit_bundle")["opening_state"], states, "opening_state of commit_bundle.json")
    for number, (pool, state) in enumerate(zip(day.doc("settlement_result")["pools"], states, strict=True)):
        require_equal(pool["opening"], state, f"opening of pool {number}")
    return "inputs = result = bundle"


def splits(day: Day) -> str:
    """Each pool's stake is split as rule 2.4 says."""
    inputs, pools = day.doc("inputs"), day.doc("settlement_result")["pools"]
    for number, split in enumerate(tickets.splits_of(inputs["tickets"], inputs["ruleset"])):
        require_equal(pools[number]["split"], split, f"split of pool {number}")
    return "fee, rollover, jackpot and pot of 5 pools"


def budgets(day: Day) -> str:
    """What the tiers share."""
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        require_equal(pool["budget"], prizes.budget_of(pool["opening"], pool["split"]), f"budget of pool {number}")
    return "carry + last rollover + pot"


def seeds(day: Day) -> str:
    """Seeds stand there exactly on a day with tips, the same in both files."""
    found, tips = day.doc("commit_bundle")["seeds"], sum(pool["tip_count"] for pool in day.doc("inputs")["pools"])
    require_equal(day.doc("settlement_result")["seeds"], found, "seeds of settlement_result.json")
    require(tips == 0 or found is not None, f"{tips} tips were sold and nothing was drawn")
    require(tips > 0 or found is None, "nothing was sold, but seeds are named")
    return "result = bundle" if found else "a day without tips needs none"


def drand_round(day: Day) -> str:
    """The round is the one that belongs to the day and the time of its VRF request."""
    found = _seeds(day)
    if found is None:
        return "none on a day without tips"
    expected = draw.round_of(day.day_id, day.doc("inputs")["ruleset"]["drand"], found["vrf_requested_at"])
    require_equal(found["drand_round"], expected, f"drand round of day {day.day_id}")
    return f"round {expected}"


def beacon(day: Day) -> str:
    """The network's key has signed the round."""
    found = _seeds(day)
    if found is None:
        return "none on a day without tips"
    key = day.doc("inputs")["ruleset"]["drand"]["public_key"]
    holds = draw.is_signed(key, found["drand_round"], found["drand_signature"])
    require(holds, f"the signature of round {found['drand_round']} is not that of the ruleset's drand key")
    return f"BLS signature of round {found['drand_round']}"


def randomness(day: Day) -> str:
    """Derived from the signature, never taken from anybody."""
    found = _seeds(day)
    if found is None:
        return "none on a day without tips"
    require_equal(found["drand_randomness"], sha256(found["drand_signature"]), "drand_randomness")
    return "sha256 of the signature"


def numbers(day: Day) -> str:
    """The winning numbers follow from the seeds."""
    drawn = draw.winning_numbers(day.day_id, day.doc("inputs"), _seeds(day))
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        require_equal(pool["winning_numbers"], drawn[number], f"winning numbers of pool {number}")
    return "6 numbers for each of 5 pools" if _seeds(day) else "none on a day without tips"


def winners(day: Day) -> str:
    """How many tips won in each tier."""
    inputs, pools = day.doc("inputs"), day.doc("settlement_result")["pools"]
    drawn = [pool["winning_numbers"] for pool in pools]
    for number, found in enumerate(prizes.count_matches(inputs["tickets"], drawn)):
        expected = {tier["matches"]: found[tier["matches"]] for tier in inputs["ruleset"]["tiers"]}
        listed = {tier["matches"]: tier["winning_tips"] for tier in pools[number]["tiers"]}
        require_equal(listed, expected, f"winning tips of pool {number} by matches")
    return "matches of every tip"


def tiers(day: Day) -> str:
    """Shares of the budget, and what each winning tip gets of them."""
    rules = day.doc("inputs")["ruleset"]
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        winning = {tier["matches"]: tier["winning_tips"] for tier in pool["tiers"]}
        names = {tier["matches"] for tier in rules["tiers"]}
        if winning.keys() != names:
            differ(f"tiers of pool {number} are not those of the ruleset")
        expected = prizes.tiers_of(pool["budget"], winning, rules)
        require_equal(pool["tiers"], expected, f"tiers of pool {number}")
        paid = sum(tier["each"] * tier["winning_tips"] for tier in expected)
        require_equal(pool["payout"], paid, f"payout of pool {number}")
    return "share, each and payout of 5 pools"


def jackpots(day: Day) -> str:
    """Whether a jackpot was due, who takes it and how much it is."""
    rules = day.doc("inputs")["ruleset"]
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        for name, expected in prizes.jackpot_of(pool, rules).items():
            require_equal(pool[name], expected, f"{name} of pool {number}")
    return "tier, each, payout and hit of 5 pools"


def payouts(day: Day) -> str:
    """What every wallet won, over all tips and pools."""
    result = day.doc("settlement_result")
    expected = prizes.payouts_of(day.doc("inputs")["tickets"], result["pools"])
    compare_lists(result["payouts"], expected, "payout")
    return f"{len(expected)} winners"


def closing(day: Day) -> str:
    """The state that stays, and that no atom was made or lost."""
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        reserve = pool["opening"]["reserve"] + pool["split"]["jackpot"]
        require(reserve < 2**256, f"the reserve of pool {number} is not below 2^256 before its jackpot")
        require_equal(pool["closing"], prizes.closing_of(pool), f"closing of pool {number}")
    return "carry, reserve, rollover, streak; conservation"


def compare_lists(found: list[dict[str, Any]], expected: list[dict[str, Any]], what: str) -> None:
    """Two lists of wallets and amounts; the first difference is named. Raises: Differs."""
    if found == expected:
        return
    for one, other in zip(found, expected, strict=False):
        if one != other:
            raise Differs(
                f"{what}: found {one['wallet']} with {one['amount']}, expected {other['wallet']} with {other['amount']}"
            )
    raise Differs(f"{what}: found {len(found)} wallets, expected {len(expected)}")


def _seeds(day: Day) -> dict[str, Any] | None:
    found: dict[str, Any] | None = day.doc("settlement_result")["seeds"]
    return found
