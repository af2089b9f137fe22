"""Forgeries of a voided day. Each names the check that must catch it."""

from dataclasses import replace
from typing import Any

from verifier.facts import RELEASED
from verifier.forging import Forgery, at, instead, move_cent, plus, telling

_STRANGER = "0x" + "5e" * 20


def _nobody(result: Any) -> Any:
    return {**result, "promotions": None}


VOID_FORGERIES = (
    Forgery("refunds", "a cent is moved from one refund to another", telling(payouts=move_cent), is_void=True),
    Forgery("refunds", "a refund is left out", telling(payouts=lambda found: found[1:]), is_void=True),
    Forgery("refunds", "a smaller part is said to be vouchers", telling(
        totals=at("voucher_refund", to=plus(-1))), is_void=True),
    Forgery("refunds", "the totals name a smaller stake", telling(
        totals=lambda found: {**found, "stake": found["stake"] - 1}), is_void=True),
    Forgery("form", "the voucher part goes to the zero address", telling(
        promotions=instead("0x" + 40 * "0")), is_void=True, is_offline=True),
    Forgery("promotions_on_chain", "the voucher part goes to a stranger", telling(
        promotions=instead(_STRANGER)), is_void=True),
    Forgery("closing", "a pool's carry is kept back", telling(closing=at(0, "carry", to=plus(-1))), is_void=True),
    Forgery("closing", "yesterday's rollover is counted twice", telling(
        closing=at(2, "last_rollover", to=plus(1))), is_void=True),
    Forgery("closing", "a pool is refunded less than its stake", telling(
        pool_results=at(0, "refund", to=plus(-1))), is_void=True),
    Forgery("nothing_earned", "a charity gets money of a voided day", telling(
        affiliates=at("charity_total", to=plus(1))), is_void=True),
    Forgery("nothing_earned", "an affiliate earns on a voided day", telling(
        affiliates=at("affiliates", to=instead([{"wallet": _STRANGER, "amount": 1}]))), is_void=True),
    Forgery("nothing_earned", "a referred player on a voided day", telling(affiliates=at("referred", to=instead(
        [{"affiliate": _STRANGER, "player": _STRANGER, "stake": 1, "rate_bps": 0, "commission": 0}]))), is_void=True),
    Forgery("nothing_earned", "the result pays an affiliate on a voided day", telling(
        result=at("affiliate_payouts", to=instead([{"wallet": _STRANGER, "amount": 1}]))), is_void=True),
    Forgery("bundle", "the bundle names another voucher part", telling(
        bundle=at("voucher_refund", to=plus(1))), is_void=True),
    Forgery("bundle", "the bundle names another promotions account", telling(
        bundle=at("promotions", to=instead(_STRANGER))), is_void=True),
    Forgery("void", "another reason is named", telling(reason=instead("vrf_missing")), is_void=True),
    Forgery("void", "a settled day is passed off as voided", is_void=True,
            chain_lie=lambda facts: replace(facts, status=RELEASED)),
    Forgery("provenance", "a commit is named on a voided day", telling(
        provenance=at("committed_at_s", to=plus(1))), is_void=True, is_offline=True),
)  # fmt: skip
