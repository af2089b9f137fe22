"""Checks of a voided day: the whole stake goes back (rule 2.12)."""

from typing import Any

from verifier import commissions as rules_of
from verifier.check_game import compare_lists
from verifier.checking import require, require_equal
from verifier.folder import Day


def refunds(day: Day) -> str:
    """What each wallet gets back."""
    inputs, result = day.doc("inputs"), day.doc("settlement_result")
    promotions = result["promotions"]
    has_vouchers = any(ticket["voucher_tips"] for ticket in inputs["tickets"])
    require(has_vouchers == (promotions is not None), "promotions is named exactly on a day with voucher tips")
    expected, vouchers = rules_of.refunds_of(inputs["tickets"], inputs["ruleset"], promotions)
    compare_lists(result["payouts"], expected, "refund")
    sums = result["totals"]
    require_equal(sums["voucher_refund"], vouchers, "voucher_refund")
    require_equal(sums["stake"], sum(pool["stake"] for pool in result["pools"]), "stake of the totals")
    require_equal(sums["refund"], sums["stake"], "refund of the totals")
    return f"{len(expected)} wallets"


def closing(day: Day) -> str:
    """The pools keep what they had; yesterday's rollover joins the carry."""
    for number, pool in enumerate(day.doc("settlement_result")["pools"]):
        before = pool["opening"]
        expected = {
            "carry": before["carry"] + before["last_rollover"],
            "reserve": before["reserve"],
            "last_rollover": 0,
            "streak": before["streak"],
        }
        require_equal(pool["closing"], expected, f"closing of pool {number}")
        require_equal(pool["refund"], pool["stake"], f"refund of pool {number}")
    return "carry, reserve, rollover, streak; conservation"


def nothing_earned(day: Day) -> str:
    """No commissions, no charity, no fee."""
    document = day.doc("affiliates")
    for name in ("affiliate_total", "charity_total", "net_fee", "fee"):
        require_equal(document[name], 0, f"{name} of a voided day")
    for name in ("referred", "affiliates"):
        require_equal(document[name], [], f"{name} of a voided day")
    require_equal(day.doc("settlement_result")["affiliate_payouts"], [], "affiliate payouts of a voided day")
    return "no commission, charity or fee"


def bundle(day: Day) -> str:
    """The bundle names the facts of the result."""
    document, result = day.doc("commit_bundle"), day.doc("settlement_result")
    expected: dict[str, Any] = {
        "void_reason": result["void_reason"],
        "promotions": result["promotions"],
        "closing_state": [pool["closing"] for pool in result["pools"]],
        "refund_total": result["totals"]["refund"],
        "voucher_refund": result["totals"]["voucher_refund"],
    }
    for name, value in expected.items():
        require_equal(document[name], value, f"{name} of commit_bundle.json")
    return "reason, closing state, refunds"
