"""Checks of commissions, fee, totals, bundle and trees."""

from typing import Any

from verifier import commissions as rules_of
from verifier import trees
from verifier.check_game import compare_lists
from verifier.checking import require, require_equal
from verifier.folder import Day


def referred(day: Day) -> str:
    """Who was referred by whom, and what he paid himself."""
    inputs = day.doc("inputs")
    listed = [(entry["affiliate"], entry["player"], entry["stake"]) for entry in day.doc("affiliates")["referred"]]
    expected = rules_of.referred_by(inputs["tickets"], inputs["ruleset"])
    require_equal(len(listed), len(expected), "pairs of affiliate and player")
    for one, other in zip(listed, expected, strict=True):
        require_equal(one, other, "affiliate, player and own stake")
    return f"{len(listed)} pairs of affiliate and player"


def commissions(day: Day) -> str:
    """Rate times stake, rounded down for each pair; one rate for each affiliate, none above the highest."""
    most = day.doc("inputs")["ruleset"]["affiliate_max_bps"]
    rates: dict[str, int] = {}
    for entry in day.doc("affiliates")["referred"]:
        rate = rates.setdefault(entry["affiliate"], entry["rate_bps"])
        require_equal(entry["rate_bps"], rate, f"second rate of {entry['affiliate']} on one day")
        who = f"{entry['affiliate']} for {entry['player']}"
        require(entry["rate_bps"] <= most, f"rate of {who}: {entry['rate_bps']} bps are above {most}")
        require_equal(entry["commission"], rules_of.commission_of(entry), f"commission of {who}")
    return "floor(stake * rate) of each pair"


def affiliates(day: Day) -> str:
    """What each affiliate gets, the same in both files."""
    document = day.doc("affiliates")
    expected = rules_of.affiliates_of(document["referred"])
    compare_lists(document["affiliates"], expected, "affiliate")
    compare_lists(day.doc("settlement_result")["affiliate_payouts"], document["affiliates"], "affiliate payout")
    total = sum(payout["amount"] for payout in expected)
    require_equal(document["affiliate_total"], total, "affiliate_total")
    return f"{len(expected)} affiliates and their sum"


def fee(day: Day) -> str:
    """The fee of all tickets, and its parts."""
    document, pools = day.doc("affiliates"), day.doc("settlement_result")["pools"]
    require_equal(document["fee"], sum(pool["split"]["fee"] for pool in pools), "fee")
    require(document["affiliate_total"] <= document["fee"], "commissions are above the fee")
    parts = rules_of.fee_parts(document["fee"], document["affiliate_total"], day.doc("inputs")["ruleset"])
    for name, expected in parts.items():
        require_equal(document[name], expected, name)
    return "affiliates + charity + net fee = fee"


def totals(day: Day) -> str:
    """The sums over the pools."""
    result, parts = day.doc("settlement_result"), day.doc("affiliates")
    pools = result["pools"]
    expected = {
        "stake": sum(pool["stake"] for pool in pools),
        "payout": sum(pool["payout"] + pool["jackpot_payout"] for pool in pools),
        "affiliate": parts["affiliate_total"],
        "charity": parts["charity_total"],
        "net_fee": parts["net_fee"],
        "fee": parts["fee"],
    }
    for name, total in expected.items():
        require_equal(result["totals"][name], total, f"{name} of the totals")
    return "6 totals"


def bundle(day: Day) -> str:
    """The bundle names the facts of the result."""
    document, result = day.doc("commit_bundle"), day.doc("settlement_result")
    pools, sums = result["pools"], result["totals"]
    expected: dict[str, Any] = {
        "winning_numbers": [pool["winning_numbers"] for pool in pools] if result["seeds"] else [],
        "closing_state": [pool["closing"] for pool in pools],
        "pool_payout": [pool["payout"] for pool in pools],
        "pool_jackpot_payout": [pool["jackpot_payout"] for pool in pools],
        "jackpot_hit": [pool["jackpot_hit"] for pool in pools],
        "total_payout": sums["payout"],
        "affiliate_total": sums["affiliate"],
        "charity_total": sums["charity"],
        "net_fee": sums["net_fee"],
    }
    for name, value in expected.items():
        require_equal(document[name], value, f"{name} of commit_bundle.json")
    return "numbers, closing state, payouts, totals"


def winner_leaves(day: Day) -> str:
    """One leaf for each listed payout and no other."""
    listed = day.doc("settlement_result")["payouts"]
    trees.check_values(day.doc("winners_merkle"), listed, _domain(day, "prize_vault"), day.day_id)
    return f"{len(listed)} leaves"


def winner_tree(day: Day) -> str:
    """Every node of the winners' tree."""
    trees.check_nodes(day.doc("winners_merkle"))
    return f"{len(day.doc('winners_merkle')['tree'])} nodes"


def affiliate_leaves(day: Day) -> str:
    """One leaf for each affiliate's payout and no other."""
    listed = day.doc("settlement_result")["affiliate_payouts"]
    trees.check_values(day.doc("affiliate_merkle"), listed, _domain(day, "affiliate_vault"), day.day_id)
    return f"{len(listed)} leaves"


def affiliate_tree(day: Day) -> str:
    """Every node of the affiliates' tree."""
    trees.check_nodes(day.doc("affiliate_merkle"))
    return f"{len(day.doc('affiliate_merkle')['tree'])} nodes"


def roots(day: Day) -> str:
    """The bundle's roots are those of the trees."""
    document = day.doc("commit_bundle")
    names = {"winner_root": "winners", "affiliate_root": "affiliate"}
    for name, tree in names.items():
        require_equal(document[name], trees.root_of(day.doc(f"{tree}_merkle")["tree"]), f"{name} of commit_bundle.json")
    return ", ".join(names)


def _domain(day: Day, vault: str) -> bytes:
    inputs = day.doc("inputs")
    return trees.leaf_domain(inputs["chain_id"], inputs["contracts"][vault])
