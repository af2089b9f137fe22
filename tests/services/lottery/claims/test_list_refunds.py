"""`refunds` tells of a voided day who has which stake back, and hands a buyer the very call that pays what is open."""

import json
from typing import Any

import pytest

from bo_engine.units import Wallet, parse_wallet
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from local_world.lottery.chain_view import ChainView
from tests.services.lottery.claims.test_index import backfill, fail_both
from tests.support.played_world import PlayedWorld
from tests.support.refunding import Purchase, Refunder, by_buyer, impersonate, purchases

pytestmark = pytest.mark.world


def shown(played: PlayedWorld, wallet: Wallet | None = None) -> dict[str, Any]:
    """What the command says, for machines."""
    of_wallet = () if wallet is None else ("--wallet", wallet)
    done = played.cli("refunds", "--day", str(played.day), *of_wallet, "--json")
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def send(played: PlayedWorld, call: dict[str, Any]) -> None:
    """Anyone sends a printed call; it must succeed."""
    ChainAccount(played.chain, played.world.account("guardian")).execute(
        parse_wallet(call["to"]), bytes.fromhex(call["calldata"][2:]), gas_limit=8_000_000
    )
    played.chain.finalize()


def with_several(buyers: dict[Wallet, list[Purchase]]) -> list[list[Purchase]]:
    """The tickets of buyers who have more than one."""
    return [each for each in buyers.values() if len(each) > 1]


def test_each_buyer_is_shown_with_what_he_has_back_and_what_is_open(voided: PlayedWorld) -> None:
    played, refunder = voided, Refunder(voided)
    bought = purchases(played, played.day)
    buyers = by_buyer(bought)
    part, *_ = with_several(buyers)
    whole = next(each for each in buyers.values() if each is not part)
    tx_hash = refunder.refund(whole)
    refunder.refund(part[:1])
    played.chain.finalize()
    backfill(played)

    facts = shown(played)
    assert facts["agrees"] is True
    assert int(facts["stake"]) == int(facts["refunded"]) + int(facts["open"])
    assert int(facts["refunded"]) == sum(one.stake_atoms for one in [*whole, *part[:1]])
    assert [one["buyer"] for one in facts["buyers"]] == sorted(buyers)
    for one in facts["buyers"]:
        own = buyers[one["buyer"]]
        assert [each["nonce"] for each in one["tickets"]] == ["0x" + each.nonce.hex() for each in own]
        assert int(one["stake"]) == sum(each.stake_atoms for each in own)
        assert int(one["stake"]) == int(one["refunded"]) + int(one["open"])
    of = {one["buyer"]: one for one in facts["buyers"]}
    assert {each["state"] for each in of[whole[0].buyer]["tickets"]} == {"refunded"}
    assert {(each["to"], each["tx_hash"]) for each in of[whole[0].buyer]["tickets"]} == {(whole[0].buyer, tx_hash)}
    assert [each["state"] for each in of[part[0].buyer]["tickets"]] == ["refunded"] + ["open"] * (len(part) - 1)
    vouchers = facts["vouchers"]
    assert (vouchers["state"], vouchers["account"]) == (
        "open",
        parse_wallet(played.world.account("promotions").address),
    )
    own = sum(one.stake_atoms for one in bought)
    assert int(facts["stake"]) == own + int(vouchers["stake"])

    send(played, vouchers["call"])
    backfill(played)
    again = shown(played)
    assert (again["vouchers"]["state"], again["vouchers"]["to"]) == ("refunded", vouchers["account"])
    assert again["vouchers"]["call"] is None
    assert int(again["refunded"]) == int(facts["refunded"]) + int(vouchers["stake"])


def test_a_buyer_gets_the_call_for_what_is_open_and_it_pays(voided: PlayedWorld) -> None:
    played, view = voided, ChainView(voided.chain, voided.world.contracts)
    mine = with_several(by_buyer(purchases(played, played.day)))[0]
    buyer, payee = mine[0].buyer, parse_wallet("0x" + "9a" * 20)
    Refunder(played).refund(mine[:1])
    impersonate(played, buyer, "ReserveVault", "setPayee", payee)
    played.chain.finalize()
    # No row of ours knows yet that the first one is paid; the chain does.
    facts = shown(played, buyer)
    assert facts["agrees"] is False
    (one,) = facts["buyers"]
    assert [each["state"] for each in one["tickets"]] == ["refunded"] + ["open"] * (len(mine) - 1)
    assert (facts["wallet"]["pays_to"], int(facts["wallet"]["open"])) == (
        payee,
        sum(each.stake_atoms for each in mine[1:]),
    )
    (call,) = facts["wallet"]["calls"]
    assert (call["to"], call["function"]) == (played.world.contracts.reserve_vault, "refund(address,bytes16[])")
    arguments = codec("ReserveVault").arguments("refund", bytes.fromhex(call["calldata"][2:]))
    assert (arguments["buyer"], list(arguments["nonces"])) == (buyer, [each.nonce for each in mine[1:]])
    send(played, call)
    assert view.balance_of(payee) == sum(each.stake_atoms for each in mine[1:])
    backfill(played)
    facts = shown(played, buyer)
    assert (facts["agrees"], facts["wallet"]["open"], facts["wallet"]["calls"]) == (True, "0", [])
    assert {each["to"] for each in facts["buyers"][0]["tickets"]} == {buyer, payee}
    stranger = shown(played, parse_wallet("0x" + "42" * 20))
    assert (stranger["buyers"], stranger["wallet"]["calls"]) == ([], [])


def test_a_refund_above_the_final_block_is_being_confirmed(voided: PlayedWorld) -> None:
    played = voided
    mine = with_several(by_buyer(purchases(played, played.day)))[0]
    changed = fail_both(played, Rule("frozen_finality"))
    backfill(played, **changed)
    Refunder(played).refund(mine)
    backfill(played, **changed)
    done = played.cli("refunds", "--day", str(played.day), "--json", **changed)
    (one,) = (each for each in json.loads(done.stdout)["buyers"] if each["buyer"] == mine[0].buyer)
    assert {each["state"] for each in one["tickets"]} == {"confirming"}
    assert (one["refunded"], int(one["open"])) == ("0", sum(each.stake_atoms for each in mine))


def test_what_our_rows_lack_or_nothing_explains_is_said(voided: PlayedWorld) -> None:
    played = voided
    bought = purchases(played, played.day)
    Refunder(played).refund_many(bought[:2])
    played.chain.finalize()
    backfill(played)
    played.tamper("DELETE FROM tickets WHERE ticket_id = %(id)s", id=bought[0].ticket_id)
    facts = shown(played)
    assert facts["agrees"] is False
    (unexplained,) = facts["unexplained"]
    assert (unexplained["nonce"], int(unexplained["refunded"])) == ("0x" + bought[0].nonce.hex(), bought[0].stake_atoms)
    text = played.cli("refunds", "--day", str(played.day)).stdout
    assert "recover-intents brings the rest" in text and "Refunded, and no ticket of the day here" in text


def test_the_text_fits_a_terminal_and_the_calldata_stays_whole(voided: PlayedWorld) -> None:
    played = voided
    mine = with_several(by_buyer(purchases(played, played.day)))[0]
    Refunder(played).refund(mine[:1])
    played.chain.finalize()
    backfill(played)
    whole = played.cli("refunds", "--day", str(played.day))
    assert (whole.code, whole.stderr) == (0, "")
    assert max(map(len, whole.stdout.splitlines())) <= 80
    for fact in (f"Day {played.day}, voided", "our rows agree   yes", mine[0].nonce.hex(), "refunded", "anyone"):
        assert fact in whole.stdout
    of_one = played.cli("refunds", "--day", str(played.day), "--wallet", mine[0].buyer)
    (call,) = shown(played, mine[0].buyer)["wallet"]["calls"]
    assert call["calldata"] in of_one.stdout.splitlines()
    others = [line for line in of_one.stdout.splitlines() if line != call["calldata"]]
    assert max(map(len, others)) <= 80


def test_a_day_that_is_not_voided_has_no_refunds(closed: PlayedWorld) -> None:
    done = closed.cli("refunds", "--day", str(closed.day))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bo-engine: day_not_voided: day {closed.day} is not voided at final block ")
    machine = closed.cli("refunds", "--day", str(closed.day), "--json")
    assert (machine.code, json.loads(machine.stdout)["error"]) == (1, "day_not_voided")
