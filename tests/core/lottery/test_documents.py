"""The day's files: canonical bytes, streamed, complete (rules 4.1 to 4.3, 4.7 and 5.3)."""

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import ZERO_HASH, ZERO_WALLET, Hash32, hex_of
from core.lottery.affiliates import commission_of, split_fee
from core.lottery.documents.affiliates import render_affiliates
from core.lottery.documents.canonical import ITEMS_PER_CHUNK, StreamedList, render_object
from core.lottery.documents.checksums import DETERMINISTIC_FILES, render_checksums
from core.lottery.documents.inputs import render_inputs
from core.lottery.documents.manifest import Manifest, manifest_message
from core.lottery.documents.merkle_dumps import (
    render_affiliate_merkle,
    render_winners_merkle,
    winner_domain,
    winner_tree,
)
from core.lottery.documents.settlement_result import render_settlement_result
from core.lottery.fold import fold_day
from core.lottery.model import Ticket
from core.lottery.ruleset import parse_ruleset, ruleset_hash
from core.lottery.tickets import bonus_tips
from core.lottery.tips import unpack_masks
from merkle.load import load_payout_dump
from tests.support.days import DAY, DEPLOYMENT, Day, days, quick

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=10,
)
ascii_items = st.one_of(
    st.integers(0, 2**53 - 1),
    st.text(st.characters(max_codepoint=127), max_size=8),
    st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), st.integers(0, 9), max_size=4),
)
keys = st.text(st.characters(min_codepoint=97, max_codepoint=122) | st.just("_"), min_size=1, max_size=6)


def canonical(data: bytes) -> Any:
    """Parse a file's bytes, having checked that they are the canonical ones of what they say."""
    document = json.loads(data)
    assert data == rfc8785.dumps(document)
    return document


@quick
@given(st.dictionaries(keys, json_values, max_size=5), keys, st.lists(ascii_items, max_size=6))
def test_a_streamed_object_has_the_bytes_of_the_whole(fields: dict[str, Any], key: str, items: list[Any]) -> None:
    streamed = StreamedList(rfc8785.dumps(item).decode("ascii") for item in items)
    expected = {**fields, key: items}
    assert b"".join(render_object({**fields, key: streamed})) == rfc8785.dumps(expected)


@pytest.mark.parametrize(
    "count", [0, 1, ITEMS_PER_CHUNK - 1, ITEMS_PER_CHUNK, ITEMS_PER_CHUNK + 1, 3 * ITEMS_PER_CHUNK]
)
def test_a_long_list_is_whole_at_the_edges_of_its_chunks(count: int) -> None:
    chunks = list(render_object({"b": StreamedList(str(number) for number in range(count)), "a": 1}))
    assert b"".join(chunks) == rfc8785.dumps({"a": 1, "b": list(range(count))})
    assert len(chunks) <= 6 + count // ITEMS_PER_CHUNK + 1


def inputs_of(day: Day) -> bytes:
    chunks = render_inputs(
        day_id=DAY,
        deployment=DEPLOYMENT,
        ruleset=day.ruleset,
        opening=day.opening,
        sold=fold_day(DAY, day.ruleset, day.tickets).sold(),
        tickets=iter(day.tickets),
    )
    return b"".join(chunks)


@quick
@given(days())
def test_inputs_of_fewer_pools_than_there_are_cannot_be_written(day: Day) -> None:
    sold = fold_day(DAY, day.ruleset, day.tickets).sold()
    given = {"day_id": DAY, "deployment": DEPLOYMENT, "ruleset": day.ruleset, "opening": day.opening}
    with pytest.raises(ValueError, match="shorter"):
        list(render_inputs(**given, sold=sold[:-1], tickets=iter(day.tickets)))


@pytest.mark.parametrize(
    "files",
    [
        dict.fromkeys(DETERMINISTIC_FILES[1:], ZERO_HASH),
        {**dict.fromkeys(DETERMINISTIC_FILES, ZERO_HASH), "provenance.json": ZERO_HASH},
        {**dict.fromkeys(DETERMINISTIC_FILES, ZERO_HASH), DETERMINISTIC_FILES[0]: bytes(31)},
    ],
    ids=["one missing", "one too many", "a short hash"],
)
def test_a_manifest_of_other_files_is_never_signed(files: dict[str, Hash32]) -> None:
    with pytest.raises(InvalidInput, match="bad_manifest"):
        manifest_message(Manifest(DAY, DEPLOYMENT, files, ZERO_WALLET))


@quick
@given(days())
def test_inputs_say_everything_that_was_sold(day: Day) -> None:
    document = canonical(inputs_of(day))
    assert sorted(document) == sorted(
        ["schema", "day_id", "chain_id", "contracts", "ruleset", "ruleset_hash", "opening_state", "pools", "tickets"]
    )
    assert document["schema"] == "bo-engine/inputs/1"
    assert parse_ruleset(document["ruleset"]) == day.ruleset
    assert document["ruleset_hash"] == hex_of(ruleset_hash(day.ruleset))
    assert [int(state["carry"]) for state in document["opening_state"]] == [item.carry_atoms for item in day.opening]
    assert [_ticket_of(item) for item in document["tickets"]] == list(day.tickets)
    assert sum(pool["tip_count"] for pool in document["pools"]) == sum(len(t.tips) // 8 for t in day.tickets)
    for item, ticket in zip(document["tickets"], day.tickets, strict=True):
        assert item["bonus_tips"] == bonus_tips(ticket.paid_tips)
        tips = item["paid_tips"] + item["bonus_tips"] + item["voucher_tips"]
        assert tips == len(unpack_masks(bytes.fromhex(item["tips"][2:])))


def _ticket_of(item: dict[str, Any]) -> Ticket:
    return Ticket(
        ticket_id=item["ticket_id"],
        day_id=DAY,
        pool_id=item["pool_id"],
        buyer=item["buyer"],
        paid_tips=item["paid_tips"],
        voucher_tips=item["voucher_tips"],
        affiliate=item["affiliate"],
        stake_atoms=int(item["stake"]),  # type: ignore[arg-type]
        tips=bytes.fromhex(item["tips"][2:]),
    )


@quick
@given(days())
def test_affiliates_say_where_the_fee_goes_before_any_seed(day: Day) -> None:
    fee_atoms = sum(split.fee_atoms for split in fold_day(DAY, day.ruleset, day.tickets).splits())
    fee = split_fee(day.ruleset, fee_atoms, day.referred)
    reordered = tuple(reversed(day.referred))
    data = b"".join(render_affiliates(day_id=DAY, chain_id=1, referred=reordered, fee=fee))
    document = canonical(data)
    assert document["schema"] == "bo-engine/affiliates/1"
    assert document["referred"] == [
        {
            "affiliate": item.affiliate,
            "player": item.player,
            "stake": str(item.stake_atoms),
            "rate_bps": item.rate_bps,
            "commission": str(commission_of(item)),
        }
        for item in day.referred
    ]
    totals = [int(document[key]) for key in ("affiliate_total", "charity_total", "net_fee")]
    assert sum(totals) == int(document["fee"]) == fee_atoms
    assert sum(int(item["amount"]) for item in document["affiliates"]) == totals[0]
    result = day.settle()
    assert document["affiliates"] == [
        {"wallet": payout.wallet, "amount": str(payout.amount_atoms)} for payout in result.affiliate_payouts
    ]


@quick
@given(days())
def test_a_settlement_result_says_how_every_amount_came_about(day: Day) -> None:
    result = day.settle()
    document = canonical(b"".join(render_settlement_result(result=result, deployment=DEPLOYMENT)))
    assert document["schema"] == "bo-engine/settlement-result/2"
    assert (document["seeds"] is None) == (not day.tickets)
    for item, pool in zip(document["pools"], result.pools, strict=True):
        assert item["winning_numbers"] == list(pool.winning_numbers)
        assert int(item["budget"]) == pool.budget_atoms
        paid = sum(int(tier["each"]) * tier["winning_tips"] for tier in item["tiers"])
        assert paid == int(item["payout"]) == pool.payout_atoms
        assert item["closing"]["streak"] == pool.closing.streak
        assert sum(int(part) for part in item["split"].values()) == int(item["stake"])
        assert item["jackpot_hit"] is (int(item["jackpot_payout"]) > 0)
    paid_out = [(item["wallet"], int(item["amount"])) for item in document["payouts"]]
    assert paid_out == [(payout.wallet, payout.amount_atoms) for payout in result.payouts]
    assert int(document["totals"]["payout"]) == sum(amount for _, amount in paid_out)
    fee_parts = [int(document["totals"][key]) for key in ("affiliate", "charity", "net_fee")]
    assert sum(fee_parts) == int(document["totals"]["fee"])


@quick
@given(days())
def test_the_merkle_files_hold_the_payouts_and_their_tree(day: Day) -> None:
    result = day.settle()
    winners = b"".join(render_winners_merkle(result=result, deployment=DEPLOYMENT))
    affiliates = b"".join(render_affiliate_merkle(result=result, deployment=DEPLOYMENT))
    canonical(winners)
    canonical(affiliates)
    tree, payouts = load_payout_dump(winners, winner_domain(DEPLOYMENT), DAY)
    assert tree == winner_tree(DEPLOYMENT, DAY, result.payouts)
    assert payouts == tuple((payout.wallet, payout.amount_atoms) for payout in result.payouts)
    if result.affiliate_payouts:
        with pytest.raises(InvalidInput, match="bad_dump"):
            load_payout_dump(affiliates, winner_domain(DEPLOYMENT), DAY)


def test_checksums_name_exactly_the_six_deterministic_files() -> None:
    sums = {name: Hash32(bytes([number]) * 32) for number, name in enumerate(DETERMINISTIC_FILES)}
    document = canonical(b"".join(render_checksums(day_id=DAY, sha256s=sums)))
    assert document["files"] == {name: hex_of(digest) for name, digest in sums.items()}
    assert len(document["files"]) == 6
    for odd in ({**sums, "provenance.json": ZERO_HASH}, dict(list(sums.items())[1:])):
        with pytest.raises(InvalidInput, match="bad_checksums"):
            render_checksums(day_id=DAY, sha256s=odd)


@quick
@given(days())
def test_the_same_day_gives_the_same_bytes_every_time(day: Day) -> None:
    again = replace(day)
    assert inputs_of(day) == inputs_of(again)
    one, two = day.settle(), again.settle()
    for render in (render_settlement_result, render_winners_merkle, render_affiliate_merkle):
        first = b"".join(render(result=one, deployment=DEPLOYMENT))
        assert first == b"".join(render(result=two, deployment=DEPLOYMENT))
