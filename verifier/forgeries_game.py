"""Forgeries of the game: tickets, what stands before the draw, prizes. Each names the check that must catch it."""

from collections import Counter
from typing import Any

from verifier.builder import Lies
from verifier.forging import Forgery, Tools, at, instead, move, move_cent, plus, put, swap, telling, with_beacon
from verifier.hashing import sha256
from verifier.tickets import bonus_for, sold_by

_STRANGER = "0x" + "5e" * 20


def _changed_tip(tickets: Any) -> Any:
    """The first ticket's first tip becomes another one."""
    first = tickets[0]
    other = 0b111111 if first["tips"][:8] != (0b111111).to_bytes(8, "big") else 0b1111110
    first["tips"] = other.to_bytes(8, "big") + first["tips"][8:]
    return tickets


def _tip_under_old_digest(_: Tools) -> Lies:
    kept: dict[str, Any] = {}

    def forge(tickets: Any) -> Any:
        kept["pools"] = sold_by(tickets)
        return _changed_tip(tickets)

    return {"tickets": forge, "pools": lambda _: kept["pools"]}


def _paid_as_vouchers(tickets: Any) -> Any:
    found = next(one for one in tickets if one["voucher_tips"] and 1 < one["paid_tips"] < 5)
    found["paid_tips"], found["voucher_tips"] = found["paid_tips"] - 1, found["voucher_tips"] + 1
    return tickets


def _more_bonus(tickets: Any) -> Any:
    """A ticket of four tips becomes one of five, paid for, and so gets bonus tips that nobody bought."""
    found = next(one for one in tickets if one["paid_tips"] == 4 and not one["voucher_tips"])
    found["stake"] = found["stake"] // 4 * 5
    found["paid_tips"], found["bonus_tips"] = 5, bonus_for(5)
    found["tips"] = found["tips"][:8] * (5 + bonus_for(5))
    return tickets


def _other_affiliate(tickets: Any) -> Any:
    known = sorted({one["affiliate"] for one in tickets if one["affiliate"]})
    buyer = next(one["buyer"] for one in tickets if one["affiliate"] == known[0] and one["buyer"] not in known)
    for one in tickets:
        if one["buyer"] == buyer:
            one["affiliate"] = known[1]
    return tickets


def _second_affiliate(tickets: Any) -> Any:
    known = sorted({one["affiliate"] for one in tickets if one["affiliate"]})
    counts = Counter(one["buyer"] for one in tickets if one["affiliate"] == known[0])
    buyer = next(buyer for buyer, count in counts.items() if count > 1)
    next(one for one in tickets if one["buyer"] == buyer)["affiliate"] = known[1]
    return tickets


def _own_affiliate(tickets: Any) -> Any:
    known = next(one["affiliate"] for one in tickets if one["affiliate"])
    buyer = next(one["buyer"] for one in tickets if one["affiliate"] is None)
    for one in tickets:
        if one["buyer"] == buyer:
            one["buyer"], one["affiliate"] = known, known
    return tickets


def _unpaid(tickets: Any) -> Any:
    found = next(one for one in tickets if one["paid_tips"] < 5)
    found["paid_tips"], found["voucher_tips"] = 0, found["paid_tips"] + found["voucher_tips"]
    return tickets


def _seven_numbers(tickets: Any) -> Any:
    tickets[0]["tips"] = (0b1111111).to_bytes(8, "big") + tickets[0]["tips"][8:]
    return tickets


def _high_number(tickets: Any) -> Any:
    tickets[0]["tips"] = (0b11111 | 1 << 8).to_bytes(8, "big") + tickets[0]["tips"][8:]
    return tickets


def _other_buyer(tickets: Any) -> Any:
    tickets[0]["buyer"] = _STRANGER
    return tickets


def _ticket_of_another_day(tickets: Any) -> Any:
    return [*tickets, {**tickets[-1], "ticket_id": tickets[-1]["ticket_id"] + 1}]


def _its_purchase(purchases: Any) -> Any:
    last = purchases[-1]
    return [*purchases, {**last, "ticket_id": last["ticket_id"] + 1, "log_index": last["log_index"] + 1}]


def _out_of_order(entries: Any) -> Any:
    # The first two tickets of the recorded day are of different pools, so that no digest changes.
    return swap(0, 1)(entries)


def _without_tenth(entries: Any) -> Any:
    return [*entries[:9], *entries[10:]]


_TICKETS = (
    Forgery("tickets", "a ticket is dropped from the middle of the day", telling(
        tickets=_without_tenth, provenance=put("purchases", _without_tenth)), is_offline=True),
    Forgery("tickets", "a player has two affiliates", telling(tickets=_second_affiliate), is_offline=True),
    Forgery("tickets", "a player is his own affiliate", telling(tickets=_own_affiliate), is_offline=True),
    Forgery("tickets", "a ticket costs less than its tips", telling(
        tickets=at(0, "stake", to=plus(-1))), is_offline=True),
    Forgery("tickets", "a ticket without paid tips", telling(tickets=_unpaid), is_offline=True),
    Forgery("tickets", "a ticket names a tip more than it lists", telling(
        tickets=lambda found: [{**found[0], "tips": found[0]["tips"][8:]}, *found[1:]]), is_offline=True),
    Forgery("tickets", "a tip of seven numbers", telling(tickets=_seven_numbers), is_offline=True),
    Forgery("tickets", "a tip with a number that is not drawn from", telling(tickets=_high_number), is_offline=True),
    Forgery("tickets", "two tickets of different pools stand in another order", telling(
        tickets=_out_of_order, provenance=put("purchases", _out_of_order))),
    Forgery("tickets", "a ticket lists more bonus tips than its paid tips give", telling(
        tickets=at(0, "bonus_tips", to=plus(1)))),
    Forgery("digests", "a tip is changed under the digest that was sold", _tip_under_old_digest),
    Forgery("sold_on_chain", "a tip is changed and the digest with it", telling(tickets=_changed_tip)),
    Forgery("sold_on_chain", "a ticket is dropped", telling(
        tickets=lambda found: found[1:], provenance=put("purchases", lambda found: found[1:]))),
    Forgery("sold_on_chain", "a ticket of another day is added", telling(
        tickets=_ticket_of_another_day, provenance=put("purchases", _its_purchase))),
    Forgery("sold_on_chain", "a paid tip is passed off as a voucher tip", telling(tickets=_paid_as_vouchers)),
    Forgery("sold_on_chain", "a ticket gets bonus tips that it did not buy", telling(tickets=_more_bonus)),
    Forgery("sold_on_chain", "a player is given to another affiliate", telling(tickets=_other_affiliate)),
    Forgery("sold_on_chain", "a ticket is given to another buyer", telling(tickets=_other_buyer)),
    Forgery("sold", "the bundle counts another number of tickets", telling(
        bundle=at("pools", 0, "ticket_count", to=plus(1)))),
)  # fmt: skip


# -- rules, state, seeds ---------------------------------------------------------------------------------------------


def _later_request(tools: Tools) -> Lies:
    """One period later: the rule then gives the next round, whose beacon is valid."""
    with_next = with_beacon("next_round")(tools)["seeds"]
    return {"seeds": lambda seeds: {**with_next(seeds), "vrf_requested_at": seeds["vrf_requested_at"] + 3}}


def _no_seeds(_: Any) -> None:
    return None


_BEFORE_THE_DRAW = (
    Forgery("ruleset", "the charity's share is lowered under the old ruleset's hash", lambda tools: {
        "rules": at("charity_bps", to=instead(900)),
        "ruleset": at("charity_bps", to=instead(900)),
        "ruleset_hash": instead(tools.ruleset_hash)}),
    Forgery("ruleset", "another ruleset says that it is ruleset 1", telling(
        rules=at("version", to=instead(1)), ruleset=at("version", to=instead(1))), is_offline=True),
    Forgery("form", "a ruleset that shares out more than there is", telling(
        ruleset=at("jackpot_payout_bps", to=instead(10_001)))),
    Forgery("ruleset_on_chain", "another ruleset: the jackpot pays 8000 bps", telling(
        rules=at("jackpot_payout_bps", to=instead(8000)), ruleset=at("jackpot_payout_bps", to=instead(8000)))),
    Forgery("opening", "the bundle opens with another carry than the inputs", telling(
        bundle=at("opening_state", 0, "carry", to=plus(1)))),
    Forgery("opening_on_chain", "the carry does not follow yesterday's", telling(
        opening=at(0, "carry", to=plus(-1)))),
    Forgery("opening_on_chain", "the reserve does not follow yesterday's", telling(
        opening=at(1, "reserve", to=plus(-1)))),
    Forgery("opening_on_chain", "the streak is set back, so that no jackpot is due", telling(
        opening=at(1, "streak", to=instead(3)))),
    Forgery("seeds", "the day is passed off as one that needs no draw", telling(seeds=_no_seeds)),
    Forgery("seeds", "the bundle names other seeds than the result", telling(
        bundle=at("seeds", "vrf_word", to=plus(1)))),
    Forgery("drand_round", "the next drand round, with its valid beacon", with_beacon("next_round")),
    Forgery("drand_round", "a valid beacon of the next day", with_beacon("next_day")),
    Forgery("request_on_chain", "the VRF request is dated later, so that the next drand round fits", _later_request),
    Forgery("beacon", "the signature of another round under this round's number",
            with_beacon("next_round", keeps_round=True)),
    Forgery("beacon", "a signature that nobody made", telling(seeds=lambda seeds: {
        **seeds, "drand_signature": bytes(48), "drand_randomness": sha256(bytes(48))})),
    Forgery("randomness", "randomness that is not the signature's hash", telling(
        seeds=at("drand_randomness", to=instead(sha256(b"mine"))))),
    Forgery("word_on_chain", "another VRF word", telling(seeds=at("vrf_word", to=plus(1)))),
    Forgery("numbers", "another winning number", telling(numbers=lambda found: [_another(found[0]), *found[1:]])),
    Forgery("numbers", "the numbers of two pools are exchanged", telling(numbers=swap(0, 2))),
)  # fmt: skip


def _another(numbers: list[int]) -> list[int]:
    return [next(n for n in range(1, 9) if n not in numbers), *numbers[1:]]


# -- prizes ----------------------------------------------------------------------------------------------------------


def _one_winner_more(won: Any) -> Any:
    won[0][4] += 1
    return won


def _shift_share(tiers: Any) -> Any:
    """A tenth of the lowest tier's share goes to the next one."""
    low, high = tiers[0][0], tiers[0][1]
    moved = low["share"] // 10
    for tier, share in ((low, low["share"] - moved), (high, high["share"] + moved)):
        tier["share"] = share
        tier["each"] = share // tier["winning_tips"] if tier["winning_tips"] else 0
    return tiers


def _kept_back(_: Any) -> dict[str, Any]:
    return {"jackpot_matches": 0, "jackpot_each": 0, "jackpot_payout": 0, "jackpot_hit": False}


def _lower_tier_takes(jackpots: Any) -> Any:
    """The jackpot of the sixes is said to be one of the fives, at as much for each tip."""
    jackpots[0]["jackpot_matches"] = 5
    return jackpots


def _twice(payouts: Any) -> Any:
    first = payouts[0]
    return [first, {**first, "amount": 1}, *payouts[1:]]


_PRIZES = (
    Forgery("splits", "a tenth of the pot goes to the fee", telling(
        splits=lambda splits: [move("pot", "fee", splits[0]["pot"] // 10)(splits[0]), *splits[1:]])),
    Forgery("budgets", "the winners share less than there is", telling(budgets=put(0, plus(-1000)))),
    Forgery("winners", "a winning tip is counted that nobody has", telling(winners=_one_winner_more)),
    Forgery("tiers", "a tier's share is shifted to another tier", telling(tiers=_shift_share)),
    Forgery("tiers", "an atom of each winner's share is kept back", telling(tiers=at(0, 0, "each", to=plus(-1)))),
    Forgery("jackpots", "a jackpot is kept back", telling(jackpots=put(0, _kept_back))),
    Forgery("jackpots", "a jackpot after a long streak is kept back", telling(jackpots=put(1, _kept_back))),
    Forgery("jackpots", "a jackpot is given to another tier", telling(jackpots=_lower_tier_takes)),
    Forgery("payouts", "a cent is moved from one winner to another", telling(
        payouts=move_cent)),
    Forgery("payouts", "a winner is doubled", telling(payouts=_twice)),
    Forgery("payouts", "a winner is left out", telling(payouts=lambda found: found[1:])),
    Forgery("payouts", "a stranger takes a winner's place", telling(payouts=lambda found: sorted(
        [*found[1:], {**found[0], "wallet": _STRANGER}], key=lambda payout: str(payout["wallet"])))),
    Forgery("closing", "dust is kept back instead of staying in the carry", telling(
        closing=at(0, "carry", to=plus(-1)))),
    Forgery("closing", "the reserve loses an atom", telling(closing=at(3, "reserve", to=plus(-1)))),
    Forgery("closing", "today's rollover is kept back", telling(closing=at(2, "last_rollover", to=instead(0)))),
    Forgery("closing", "the streak goes on after a jackpot", telling(closing=at(0, "streak", to=plus(1)))),
)  # fmt: skip

GAME_FORGERIES = (*_TICKETS, *_BEFORE_THE_DRAW, *_PRIZES)
