"""Faults R01, R02, R04, R05, R06, R17, R19, R21, R22, R23: endpoints that fail, refuse, lie or show another chain.

What can be shown on scripted endpoints alone stands in tests/io_layer/rpc/test_endpoint.py and test_reader.py; here
the engine runs on its world. After each fault the shared checker finds nothing wrong, and `settle` goes on.
"""

import json
from typing import Any

import pytest

import services.lottery.settlement.steps.commit_day
import services.transactions.send
from abi import is_code_of, load
from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE, InvariantBroken, UsageError
from bo_engine.settings import Settings
from bo_engine.units import DayId
from io_layer.lottery.contracts.game import open_game
from local_world.faults.rules import Rule
from services.lottery.context import open_lottery
from services.lottery.settlement.settle_days import settle_days
from services.transactions.send import checked_signer
from tests.invariants.checker import check_invariants
from tests.support.fingerprint import fingerprint
from tests.support.meddling import resume
from tests.support.observed import attempts, halts, rows, settler_nonce
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

pytestmark = pytest.mark.world

SIX_FROM_A_STRANGER = "0x600660005260206000f3"  # answers every call with 6
EIGHTEEN = "0x601260005260206000f3"


def code_at(played: PlayedWorld, address: str) -> bytes:
    """The code at an address."""
    return bytes.fromhex(str(played.chain.call("eth_getCode", address, "latest"))[2:])


def put_code(played: PlayedWorld, address: str, code: bytes | str) -> None:
    """Exchange the code at an address."""
    played.chain.call("anvil_setCode", address, code if isinstance(code, str) else "0x" + code.hex())
    played.world.mine(3)


# -- R01, R02, R17: an endpoint that is busy, broken or answers somebody else ------------------------------------------


def test_a_busy_endpoint_is_asked_as_seldom_as_it_wants_and_no_oftener(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    proxy.fail("http", status=429, retry_after=3600)
    refusal = refused(played, "settle", code="rpc_unreachable", exit_code=EXIT_LATER)
    assert "asks to be left alone for another 3600 s" in refusal.message
    assert proxy.calls() == {"eth_call": 1, "eth_chainId": 1}  # the first look, and the chain's opening
    proxy.set_rules(Rule("http", "eth_chainId", 3, 1, {"status": 429, "retry_after": 1}))
    assert json.loads(played.cli("settle", "--json").stdout)["days"][0]["run_status"] == "committed"
    check_invariants(played)


def test_an_endpoint_that_stumbles_delays_nothing_and_one_that_stays_broken_is_waited_for(played: PlayedWorld) -> None:
    proxy = played.world.proxy
    for fault, args in (("http", {"status": 502}), ("foreign_id", {}), ("null_result", {})):
        proxy.fail(fault, **args)
        refused(played, "settle", code="rpc_unreachable", exit_code=EXIT_LATER)
    stumbles = [Rule("http", "eth_call", 2, 2, {"status": 503}), Rule("foreign_id", "eth_getBlockByNumber", 3, 1)]
    proxy.set_rules(*stumbles)
    assert json.loads(played.cli("settle", "--json").stdout)["days"][0]["run_status"] == "committed"
    check_invariants(played)


# -- R05, R06: another chain -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("liar", ["primary", "fallback"])
def test_no_command_begins_while_one_endpoint_is_on_another_chain(played: PlayedWorld, liar: str) -> None:
    played.world.proxy.fail("wrong_chain_id", chain_id=42170)
    urls = {"RPC_URL": played.env["RPC_FALLBACK_URL"], "RPC_FALLBACK_URL": played.env["RPC_URL"]}
    changed = urls if liar == "primary" else {}
    said = f"the {liar} RPC endpoint is on chain 42170"
    for command in ("settle", "refresh-seeds"):
        refusal = refused(played, command, code="wrong_chain", exit_code=EXIT_USAGE, **changed)
        assert said in refusal.message
    # What looks shows what is stored, and says why it does not see more.
    told = played.cli("doctor", "--day", str(played.day), **changed)
    assert (told.code, "not begun" in told.stdout, said in told.stderr) == (EXIT_USAGE, True, True)


def test_a_day_can_be_looked_at_while_the_endpoints_contradict_each_other(played: PlayedWorld) -> None:
    played.settle()
    played.world.proxy.fail("wrong_call")
    day = ("doctor", "--day", str(played.day))
    before = fingerprint(played)
    told = json.loads(played.cli(*day, "--json").stdout)
    assert (told["error"], told["exit_code"]) == ("rpc_disagreement", EXIT_FAILED)
    assert (told["status"], told["steps_done"]) == ("WAITING", "export, affiliate, compute, approve")
    assert told["run"].startswith("committed")
    shown = played.cli(*day)
    assert (shown.code, "committed" in shown.stdout) == (EXIT_FAILED, True)
    assert "the two RPC endpoints answer" in shown.stderr
    assert not before.differences(fingerprint(played))


@pytest.mark.slow
def test_a_chain_id_that_changes_before_the_signature_halts_the_day_and_nothing_is_signed(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    affordable = services.transactions.send._affordable_fees

    def then_the_name_leads_elsewhere(*given: Any) -> Any:
        fees = affordable(*given)
        played.world.proxy.fail("wrong_chain_id", "eth_chainId", chain_id=42170)
        return fees

    monkeypatch.setattr(services.transactions.send, "_affordable_fees", then_the_name_leads_elsewhere)
    nonce = settler_nonce(played)
    alarm = halts(played, "chain_changed")
    assert "the fallback RPC endpoint was on chain 421614 and is on chain 42170 now" in alarm.message
    assert attempts(played) == []
    assert settler_nonce(played) == nonce
    monkeypatch.undo()
    played.world.proxy.heal()
    resume(played)
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_a_chain_id_that_changes_while_the_day_is_read_halts_the_day(played: PlayedWorld) -> None:
    played.world.proxy.set_rules(Rule("wrong_chain_id", "eth_chainId", 4, args={"chain_id": 42170}))
    halts(played, "chain_changed")
    assert attempts(played) == []


# -- R22: other code at the address ------------------------------------------------------------------------------------


def test_one_changed_byte_in_any_of_our_contracts_is_found(played: PlayedWorld) -> None:
    with played.context() as context:
        chain, contracts = context.chain, context.game.contracts
    assert len(contracts.ours()) == 10  # and USDT, the eleventh, is not ours
    for name, address in contracts.ours().items():
        true_code = code_at(played, address)
        assert is_code_of(name, true_code)
        put_code(played, address, true_code[:-40] + bytes([true_code[-40] ^ 1]) + true_code[-39:])
        with pytest.raises((InvariantBroken, UsageError)) as caught:
            open_game(chain, contracts.settlement)
        # The settlement's address stands in the settings, so there the settings are to blame.
        assert caught.value.code == ("contract_unexpected" if name == "SettlementV4" else "code_differs")
        assert name in caught.value.message
        assert address in caught.value.message
        put_code(played, address, true_code)
    open_game(chain, contracts.settlement)


def test_a_constructors_values_are_left_out_of_the_hash_but_must_be_one_each(played: PlayedWorld) -> None:
    address = played.world.record["contracts"]["prize_vault"]
    code = code_at(played, address)
    places = max(load("PrizeVault").immutables, key=len)
    other = bytearray(code)
    for place in places:
        other[place : place + 32] = b"\x11" * 32
    assert is_code_of("PrizeVault", bytes(other))
    other[places[0]] ^= 1
    assert not is_code_of("PrizeVault", bytes(other))
    assert not is_code_of("PrizeVault", code + b"\x00")
    assert not is_code_of("PrizeVault", code[:-1])


@pytest.mark.slow
def test_a_contract_with_other_code_stops_every_command_and_nothing_is_signed(played: PlayedWorld) -> None:
    address = played.world.record["contracts"]["vrf_receiver"]
    true_code = code_at(played, address)
    put_code(played, address, SIX_FROM_A_STRANGER)
    for command in (("settle",), ("refresh-seeds", "--json"), ("commit", "--day", str(played.day))):
        refusal = refused(played, *command, code="code_differs", exit_code=EXIT_FAILED)
        assert f"VRFReceiver {address}" in refusal.message
    put_code(played, address, true_code)
    assert json.loads(played.cli("settle", "--json").stdout)["days"][0]["run_status"] == "committed"
    check_invariants(played)


def test_a_token_of_other_decimals_is_refused(played: PlayedWorld) -> None:
    put_code(played, played.world.record["contracts"]["usdt"], EIGHTEEN)
    refusal = refused(played, "settle", code="wrong_token", exit_code=EXIT_USAGE)
    assert "18 decimals" in refusal.message


# -- R19: one endpoint is down -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [pytest.param("primary", marks=pytest.mark.slow), "fallback"])
@pytest.mark.sampled(1)
def test_with_one_endpoint_down_people_can_look_and_money_waits(played: PlayedWorld, dead: str) -> None:
    assert played.cli("settle").code == EXIT_DONE
    played.pass_challenge()
    proxied, direct = played.env["RPC_FALLBACK_URL"], played.env["RPC_URL"]
    urls = {"RPC_URL": direct, "RPC_FALLBACK_URL": proxied}
    if dead == "primary":
        urls = {"RPC_URL": proxied, "RPC_FALLBACK_URL": direct}
    day = ("--day", str(played.day))
    (winner, *_), *_ = rows(played, "SELECT wallet FROM settlement_winner_payouts ORDER BY wallet")
    explained = played.cli("explain", *day, "--wallet", winner, "--json", **urls).stdout
    played.world.proxy.fail("down")

    def shown(*command: str) -> str:
        done = played.cli(*command, "--json", **urls)
        assert (done.code, f"warning: the {dead} RPC endpoint" in done.stderr) == (EXIT_DONE, True), done
        return done.stdout

    assert shown("explain", *day, "--wallet", winner) == explained
    assert f'"rpc_{dead}": "the {dead} RPC endpoint gave no' in shown("tx", "show", "--id", "1")
    seen = json.loads(shown("doctor", *day))
    assert seen["on_chain"] == "committed"
    assert f"the {dead} RPC endpoint gave no usable answer" in seen[f"rpc_{dead}"]
    assert "money needs both" in seen["next"]
    assert played.cli("tx", "list", **urls).code == EXIT_DONE  # asks no node
    for command in ("settle", "refresh-seeds"):
        refusal = refused(played, command, code="rpc_unreachable", exit_code=EXIT_LATER, **urls)
        assert f"the {dead} RPC endpoint" in refusal.message
    played.world.proxy.heal()
    assert json.loads(played.cli("settle", "--json", **urls).stdout)["days"][0]["status"] == "DONE"
    check_invariants(played)


def test_what_was_opened_to_look_signs_nothing(played: PlayedWorld) -> None:
    opened = open_lottery(Settings(played.env), report=lambda _: None, for_display=True)
    with opened as context, pytest.raises(InvariantBroken) as caught:
        checked_signer(context)
    assert caught.value.code == "display_only"


# -- a bounded number of calls -----------------------------------------------------------------------------------------

#: What settling one day may ask of each endpoint, commit and release together; docs/decisions.md has the same number.
MOST_CALLS = 220


def calls_to_settle(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Settle the next day to its end; how often each endpoint was asked."""
    # A day waits for the chain, however many tickets it has: as few looks as can be.
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "_POLL_S", 2.0)
    counts = {"primary": 0, "fallback": 0}
    for _ in range(2):
        with played.context() as context:
            (outcome,) = settle_days(context, day=None)
            for name, calls in context.chain.count_calls().items():
                counts[name] += sum(calls.values())
        played.pass_challenge()
    assert outcome.status == "DONE"
    return counts


@pytest.mark.slow
def test_settling_a_day_asks_as_often_for_many_tickets_as_for_few(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, following = rows(played, "SELECT 1 FROM tickets"), DayId(played.day + 1)
    few = calls_to_settle(played, monkeypatch)
    assert played.sell(following, buyers=40) > 4 * len(first)
    played.close(following)
    many = calls_to_settle(played, monkeypatch)
    for name in ("primary", "fallback"):
        # A look more or less at the final block and the day's record while the chain makes blocks.
        assert abs(many[name] - few[name]) <= 12, (many, few)
        assert few[name] <= MOST_CALLS
        assert many[name] <= MOST_CALLS


def test_settle_says_how_often_it_asked(played: PlayedWorld) -> None:
    calls = json.loads(played.cli("settle", "--json").stdout)["rpc_calls"]
    assert max(sum(counts.values()) for counts in calls.values()) < MOST_CALLS
    assert calls["primary"]["eth_sendRawTransaction"] == calls["fallback"]["eth_sendRawTransaction"] == 1
    shown = played.cli("settle").stdout  # the challenge period runs
    assert "RPC calls" in shown
    assert "primary" in shown
