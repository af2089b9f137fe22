"""Many values in one request: the same values as one by one, told apart by name, and asked alone where it must be."""

import pytest
from eth_abi.abi import encode

from bo_engine.errors import InvariantBroken, Unavailable, UsageError
from bo_engine.settings import Settings
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.game import DayOnChain, GameChain
from io_layer.rpc import multicall
from local_world.faults.rules import Rule
from services.lottery.context import open_lottery
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world


def facts(game: GameChain, played: PlayedWorld) -> tuple[DayOnChain, int]:
    """The day's facts, and how many eth_calls the primary was asked for them."""
    block = game.chain.read_final_block()
    before = game.chain.primary.calls["eth_call"]
    return game.read_day(block, played.day), game.chain.primary.calls["eth_call"] - before


def test_a_days_facts_are_one_request_and_the_same_as_one_by_one(played: PlayedWorld) -> None:
    with played.context() as context:
        together, asked = facts(context.game, played)
        assert asked == 1
        code = played.chain.call("eth_getCode", multicall.ADDRESS, "latest")
        for other in ("0x", code[:-2] + "00", "0x600160005260206000f3"):
            played.chain.call("anvil_setCode", multicall.ADDRESS, other)
            played.world.mine(3)
            with played.context() as without:
                alone, asked = facts(without.game, played)
            assert asked == 7
            assert (alone.pools, alone.record) == (together.pools, together.record)
        played.chain.call("anvil_setCode", multicall.ADDRESS, code)


@pytest.mark.parametrize("function", ["poolDays", "rulesetHashOf"])
def test_one_value_that_differs_among_many_is_told_by_name_with_both_words(played: PlayedWorld, function: str) -> None:
    selector = "0x" + codec("GameManager").selector(function).hex()
    with played.context() as context:
        played.world.proxy.fail("wrong_call", "eth_call", selector=selector)
        with pytest.raises(InvariantBroken) as caught:
            facts(context.game, played)
    assert caught.value.code == "rpc_disagreement"
    assert f"answer GameManager.{function} differently at the same block: primary 0x" in caught.value.message
    first, last = caught.value.message.partition("primary ")[2].split(", fallback ")
    assert first != last.partition(";")[0]


def test_one_call_that_reverts_among_many_is_told_by_name(played: PlayedWorld) -> None:
    with played.context() as context:
        game = context.game
        calls = [game.call("SettlementV4", "nextDay"), game.call("SettlementV4", "winningNumbers", 1, 1, b"\x00" * 32)]
        with pytest.raises(UsageError) as caught:
            game.chain.read(game.chain.read_final_block(), calls)
    assert "SettlementV4.winningNumbers reverts" in caught.value.message


@pytest.mark.parametrize(
    "words",
    ["execution reverted: out of gas", "out of gas", "execution aborted (timeout = 5s)", "gas limit is too high"],
)
def test_all_calls_together_that_a_node_cannot_run_are_asked_one_by_one(played: PlayedWorld, words: str) -> None:
    with played.context() as context:
        played.world.proxy.set_rules(Rule("says", "eth_call", calls=1, args={"refusal": words}))
        _, asked = facts(context.game, played)
        assert asked == 1 + 7


def test_an_endpoint_that_cannot_run_all_calls_together_is_still_asked_for_display(played: PlayedWorld) -> None:
    with open_lottery(Settings(played.env), report=lambda _: None, for_display=True) as context:
        played.world.proxy.set_rules(Rule("says", "eth_call", calls=1, args={"refusal": "out of gas"}))
        facts(context.game, played)
        assert context.chain.warnings == []


@pytest.mark.parametrize("value", [b"", b"\x00" * 32])
def test_a_call_that_has_too_little_gas_among_others_at_one_node_is_asked_alone(
    played: PlayedWorld, value: bytes
) -> None:
    with played.context() as context:
        game = context.game
        block = game.chain.read_final_block()
        calls = [game.call("SettlementV4", "nextDay"), game.call("SettlementV4", "firstDay")]
        next_day, first_day = (game.chain.read(block, [call])[0] for call in calls)
        told = encode(["(bool,bytes)[]"], [[(True, next_day.to_bytes(32, "big")), (False, value)]])
        played.world.proxy.set_rules(Rule("says", "eth_call", calls=1, args={"value": f"0x{told.hex()}"}))
        assert game.chain.read(block, calls) == [next_day, first_day]


def test_an_aggregate_that_is_none_is_the_endpoints_fault(played: PlayedWorld) -> None:
    with played.context() as context:
        no_results = "0x" + "20".rjust(64, "0") + "00" * 32
        for nonsense in ("0x", "0x01", "0x" + "00" * 64, no_results):
            played.world.proxy.fail("says", "eth_call", value=nonsense)
            with pytest.raises(Unavailable) as caught:
                facts(context.game, played)
            assert caught.value.code == "rpc_unusable"
            assert "the fallback RPC endpoint" in caught.value.message
