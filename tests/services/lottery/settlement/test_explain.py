"""A person can follow his money: from tips over shares, or from players over rates, to the very leaf that is paid."""

import pytest

from bo_engine.errors import InvalidInput
from bo_engine.units import Wallet
from services.lottery.settlement.explain import explain
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

PAYOUTS = {
    "winner": "SELECT wallet, amount::text FROM settlement_winner_payouts ORDER BY wallet",
    "affiliate": "SELECT wallet, amount::text FROM settlement_affiliate_payouts ORDER BY wallet",
}


def test_every_winner_sees_tips_that_add_up_to_his_leaf(played: PlayedWorld) -> None:
    played.settle()
    paid = rows(played, PAYOUTS["winner"])
    assert paid
    with played.context() as context:
        for wallet, amount in paid:
            facts = explain(context, played.day, Wallet(wallet))
            assert (facts["sum"], facts["leaf"]["amount"], facts["agrees"]) == (amount, amount, True)
            assert sum(int(tip["share"]) for tip in facts["winning_tips"]) == int(amount)


def test_every_affiliate_sees_players_that_add_up_to_his_leaf(played: PlayedWorld) -> None:
    played.settle()
    paid = rows(played, PAYOUTS["affiliate"])
    assert paid
    with played.context() as context:
        for wallet, amount in paid:
            earned = explain(context, played.day, Wallet(wallet))["affiliate"]
            assert (earned["sum"], earned["leaf"]["amount"], earned["agrees"]) == (amount, amount, True)
            for row in earned["players"]:
                assert int(row["commission"]) == int(row["stake"]) * row["rate_bps"] // 10_000
    shown = played.cli("explain", "--day", str(played.day), "--wallet", paid[0][0])
    assert shown.code == 0
    assert "As affiliate" in shown.stdout
    assert f"{paid[0][1]} atoms" in shown.stdout


def test_a_stranger_sees_that_he_has_nothing(played: PlayedWorld) -> None:
    nobody = Wallet("0x" + "ab" * 20)
    with played.context() as context, pytest.raises(InvalidInput, match="not computed yet"):
        explain(context, played.day, nobody)
    played.settle()
    with played.context() as context:
        facts = explain(context, played.day, nobody)
    assert (facts["tickets"], facts["sum"], facts["leaf"], facts["affiliate"]) == (0, "0", None, None)
    assert facts["agrees"]
