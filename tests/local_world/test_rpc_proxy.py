"""The endpoints that can be made to fail: transparent when healthy, and each way to fail."""

import contextlib
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from eth_account import Account

from bo_engine.units import SECONDS_PER_DAY
from local_world import processes
from local_world.chain import Chain, start_chain
from local_world.faults.answers import ANSWER_FAULTS
from local_world.faults.chaos import chaos_rule, trouble_at
from local_world.faults.limits import MAX_PERCENT
from local_world.faults.lines import LINE_FAULTS
from local_world.faults.modes import MODES
from local_world.faults.rules import PASS, Rule
from local_world.rpc_proxy import RpcProxy, start_rpc_proxy

# Returns its own block number: PUSH0-free, so that any fork of the chain runs it.
NUMBER_CODE = "0x4360005260206000f3"
# Emits one empty log when called.
LOG_CODE = "0x60006000a000"
AT = "0x" + "aa" * 20
LOGGER = "0x" + "bb" * 20


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    started = start_chain(tmp_path_factory.mktemp("chain"), genesis_s=20_000 * SECONDS_PER_DAY)
    started.call("anvil_setCode", AT, NUMBER_CODE)
    started.call("anvil_setCode", LOGGER, LOG_CODE)
    started.call("eth_sendTransaction", {"from": started.call("eth_accounts")[0], "to": LOGGER})
    started.mine(30)
    yield started
    processes.end(started.process)


@pytest.fixture(scope="module")
def running(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RpcProxy, RpcProxy]]:
    started = start_rpc_proxy(tmp_path_factory.mktemp("proxy"), chain.url)
    yield started
    processes.end(started[0].process)


@pytest.fixture
def proxy(running: tuple[RpcProxy, RpcProxy]) -> Iterator[RpcProxy]:
    for each in running:
        each.heal()
    yield running[1]
    for each in running:
        each.heal()


def ask(proxy: RpcProxy, method: str, *params: object, timeout: float = 10) -> Any:
    request = {"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)}
    response = requests.post(proxy.url, json=request, timeout=timeout)
    response.raise_for_status()
    return response.json()


def wait_for_receipt(chain: Chain, tx_hash: str) -> None:
    deadline = time.monotonic() + 5
    while chain.call("eth_getTransactionReceipt", tx_hash) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_healthy_endpoint_gives_the_chains_own_answers(chain: Chain, proxy: RpcProxy) -> None:
    assert ask(proxy, "eth_chainId") == {"jsonrpc": "2.0", "id": 5, "result": hex(421_614)}
    assert ask(proxy, "eth_getBlockByNumber", "0x3", False)["result"] == chain.call(
        "eth_getBlockByNumber", "0x3", False
    )
    assert ask(proxy, "no_such_method")["error"]["code"] == -32601
    batch = [{"jsonrpc": "2.0", "id": n, "method": "eth_chainId", "params": []} for n in (1, 2)]
    assert [each["id"] for each in requests.post(proxy.url, json=batch, timeout=10).json()] == [1, 2]
    assert proxy.calls() == {"eth_chainId": 3, "eth_getBlockByNumber": 1, "no_such_method": 1}


def test_a_connection_is_kept_and_fast(proxy: RpcProxy) -> None:
    with requests.Session() as session:
        started = time.monotonic()
        for _ in range(50):
            request = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
            session.post(proxy.url, json=request, timeout=10).raise_for_status()
    assert time.monotonic() - started < 1.5  # 40 ms each, were Nagle's algorithm on


def test_down_breaks_every_connection_until_healed(proxy: RpcProxy) -> None:
    proxy.fail("down")
    with pytest.raises(requests.ConnectionError):
        ask(proxy, "eth_chainId")
    proxy.heal()
    assert ask(proxy, "eth_chainId")["result"] == hex(421_614)


def test_http_errors_carry_the_status_and_retry_after(proxy: RpcProxy) -> None:
    proxy.fail("http", status=429, retry_after=7)
    with pytest.raises(requests.HTTPError) as caught:
        ask(proxy, "eth_chainId")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    proxy.fail("http")
    with pytest.raises(requests.HTTPError, match="500"):
        ask(proxy, "eth_chainId")


def test_a_hanging_endpoint_says_nothing(proxy: RpcProxy) -> None:
    proxy.fail("hang")
    with pytest.raises(requests.ReadTimeout):
        ask(proxy, "eth_chainId", timeout=0.3)


def test_a_lost_answer_is_that_of_a_call_that_arrived(chain: Chain, proxy: RpcProxy) -> None:
    proxy.fail("lost", "anvil_mine")
    before = chain.height()
    with pytest.raises(requests.ConnectionError):
        ask(proxy, "anvil_mine", "0x5", "0x0")
    assert chain.height() >= before + 5


def test_a_wrong_chain_id_is_told_consistently(proxy: RpcProxy) -> None:
    proxy.fail("wrong_chain_id", chain_id=42_161)
    assert ask(proxy, "eth_chainId")["result"] == hex(42_161)
    assert ask(proxy, "net_version")["result"] == "42161"
    assert "result" in ask(proxy, "eth_blockNumber")


def test_a_stale_endpoint_lags_in_all_that_it_says(chain: Chain, proxy: RpcProxy) -> None:
    before = chain.height()
    block = chain.call("eth_getBlockByNumber", hex(before), False)
    proxy.fail("stale_head", blocks=20)
    head = int(ask(proxy, "eth_blockNumber")["result"], 16)
    assert before - 20 <= head <= chain.height() - 20
    final = int(ask(proxy, "eth_getBlockByNumber", "finalized", False)["result"]["number"], 16)
    assert final <= chain.height("finalized") - 20
    assert int(ask(proxy, "eth_call", {"to": AT}, "latest")["result"], 16) <= chain.height() - 20
    assert ask(proxy, "eth_getBlockByNumber", hex(before), False)["result"] is None
    assert ask(proxy, "eth_getBlockByHash", block["hash"], False)["result"] is None
    pinned = ask(proxy, "eth_call", {"to": AT}, {"blockHash": block["hash"]})
    assert pinned["error"]["message"] == "header not found"
    tx_hash = chain.call("eth_sendTransaction", {"from": chain.call("eth_accounts")[0], "to": LOGGER})
    wait_for_receipt(chain, tx_hash)
    assert ask(proxy, "eth_getTransactionReceipt", tx_hash)["result"] is None
    logs = ask(proxy, "eth_getLogs", {"address": LOGGER, "fromBlock": "0x0", "toBlock": "latest"})["result"]
    assert len(logs) == 1


def test_logs_can_be_lost(proxy: RpcProxy) -> None:
    everything = {"address": LOGGER, "fromBlock": "0x0", "toBlock": "0x14"}
    assert len(ask(proxy, "eth_getLogs", everything)["result"]) == 1
    proxy.fail("empty_logs")
    assert ask(proxy, "eth_getLogs", everything)["result"] == []


def test_a_lying_endpoint_changes_the_value_of_the_chosen_call_only(proxy: RpcProxy) -> None:
    true_value = ask(proxy, "eth_call", {"to": AT}, "0x7")["result"]
    assert int(true_value, 16) == 7
    proxy.fail("wrong_call", to=AT)
    assert int(ask(proxy, "eth_call", {"to": AT}, "0x7")["result"], 16) == 6
    proxy.fail("wrong_call", to=AT, value="0x01")
    assert ask(proxy, "eth_call", {"to": AT}, "0x7")["result"] == "0x01"
    proxy.fail("wrong_call", selector="0xdeadbeef")
    assert ask(proxy, "eth_call", {"to": AT, "data": "0x01020304"}, "0x7")["result"] == true_value
    assert int(ask(proxy, "eth_call", {"to": AT, "input": "0xDEADBEEF01"}, "0x7")["result"], 16) == 6


def test_null_results_and_foreign_ids_can_be_made(proxy: RpcProxy) -> None:
    proxy.fail("null_result", "eth_getBlockByNumber")
    assert ask(proxy, "eth_getBlockByNumber", "0x1", False)["result"] is None
    proxy.fail("foreign_id")
    assert ask(proxy, "eth_chainId")["id"] != 5


def test_a_rule_hits_its_method_and_its_calls_only(proxy: RpcProxy) -> None:
    proxy.set_rules(
        Rule("http", "eth_chainId", from_call=2, calls=2, args={"status": 503}), Rule("down", "net_version")
    )
    seen = []
    for _ in range(4):
        try:
            seen.append(ask(proxy, "eth_chainId")["result"])
        except requests.HTTPError as error:
            seen.append(error.response.status_code)
    assert seen == [hex(421_614), 503, 503, hex(421_614)]
    with pytest.raises(requests.ConnectionError):
        ask(proxy, "net_version")
    assert "result" in ask(proxy, "eth_blockNumber")
    with pytest.raises(ValueError, match="no such fault"):
        proxy.fail("gremlins")


# -- the table of modes ------------------------------------------------------------------------------------------------


def test_each_fault_stands_in_the_table_of_modes_with_a_line_on_it() -> None:
    assert {each.rule.fault for each in MODES} == {PASS, *LINE_FAULTS, *ANSWER_FAULTS}
    assert len({each.name for each in MODES}) == len({each.what for each in MODES}) == len(MODES)
    assert all(0 < len(each.what) < 70 for each in MODES)


@pytest.mark.parametrize("name", [each.name for each in MODES if each.name not in ("hang", "huge_answer", "gzip_bomb")])
def test_each_mode_can_be_set_and_taken_back(proxy: RpcProxy, name: str) -> None:
    proxy.set_mode(name)
    for method, params in (("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])):
        with contextlib.suppress(requests.RequestException, ValueError):
            ask(proxy, method, *params)
    proxy.heal()
    assert ask(proxy, "eth_chainId")["result"] == hex(421_614)


def test_two_endpoints_fail_each_by_itself(running: tuple[RpcProxy, RpcProxy], proxy: RpcProxy) -> None:
    primary, fallback = running
    assert fallback is proxy
    primary.fail("down")
    with pytest.raises(requests.ConnectionError):
        ask(primary, "eth_chainId")
    assert ask(fallback, "eth_chainId")["result"] == hex(421_614)
    primary.heal()
    fallback.fail("wrong_chain_id")
    assert [ask(each, "eth_chainId")["result"] for each in running] == [hex(421_614), "0x1"]
    assert (primary.calls(), fallback.calls()) == ({"eth_chainId": 1}, {"eth_chainId": 1})
    with pytest.raises(ValueError, match="no such endpoint"):
        RpcProxy(primary.url, f"{primary.control_url}s", primary.process).heal()


# -- the line ----------------------------------------------------------------------------------------------------------


def test_an_answer_may_break_off_or_be_cut_short_as_if_it_were_whole(proxy: RpcProxy) -> None:
    proxy.fail("cut")
    with pytest.raises(requests.RequestException):
        ask(proxy, "eth_getBlockByNumber", "0x1", False)
    proxy.fail("truncated")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        ask(proxy, "eth_getBlockByNumber", "0x1", False)


def test_a_page_of_html_comes_with_the_status_it_is_told(proxy: RpcProxy) -> None:
    for name, status in (("html_page", 200), ("bad_gateway", 502)):
        proxy.set_mode(name)
        answer = requests.post(proxy.url, json={"id": 1, "method": "eth_chainId"}, timeout=10)
        assert (answer.status_code, answer.text[:6]) == (status, "<html>")


def test_an_answer_may_come_late(proxy: RpcProxy) -> None:
    proxy.fail("delay", seconds=0.3)
    before = time.monotonic()
    assert ask(proxy, "eth_chainId")["result"] == hex(421_614)
    assert time.monotonic() - before >= 0.3


def test_a_huge_answer_streams_and_a_bomb_is_small(proxy: RpcProxy) -> None:
    proxy.fail("huge", megabytes=3)
    with requests.post(proxy.url, json={"id": 1, "method": "eth_chainId"}, timeout=10, stream=True) as answer:
        assert len(answer.raw.read(2_000_000)) == 2_000_000
    proxy.fail("gzip_bomb", megabytes=3)
    with requests.post(proxy.url, json={"id": 1, "method": "eth_chainId"}, timeout=10, stream=True) as answer:
        packed = answer.raw.read()
    assert len(packed) < 50_000
    assert len(zlib.decompress(packed, wbits=31)) > 3_000_000


# -- the answers -------------------------------------------------------------------------------------------------------

EVERYTHING = {"address": LOGGER, "fromBlock": "0x0", "toBlock": "latest"}


def three_logs(chain: Chain, proxy: RpcProxy) -> int:
    """At least three logs stand on the chain; how many."""
    for _ in range(3):
        wait_for_receipt(
            chain, chain.call("eth_sendTransaction", {"from": chain.call("eth_accounts")[0], "to": LOGGER})
        )
    return len(ask(proxy, "eth_getLogs", EVERYTHING)["result"])


def test_logs_can_be_left_out_doubled_and_limited(chain: Chain, proxy: RpcProxy) -> None:
    count = three_logs(chain, proxy)
    proxy.fail("truncated_logs")
    assert len(ask(proxy, "eth_getLogs", EVERYTHING)["result"]) == count - count // 3
    proxy.fail("duplicate_logs")
    assert len(ask(proxy, "eth_getLogs", EVERYTHING)["result"]) == 2 * count
    proxy.fail("log_result_limit", results=count - 1)
    assert "returned more than" in ask(proxy, "eth_getLogs", EVERYTHING)["error"]["message"]
    proxy.fail("log_range_limit", blocks=3)
    assert "max block range 3" in ask(proxy, "eth_getLogs", {**EVERYTHING, "toBlock": "0x3"})["error"]["message"]
    assert "result" in ask(proxy, "eth_getLogs", {**EVERYTHING, "toBlock": "0x2"})


def test_a_head_moves_backwards_when_two_nodes_answer_in_turn(proxy: RpcProxy) -> None:
    proxy.fail("moving_backwards", blocks=20)
    heads = [int(ask(proxy, "eth_blockNumber")["result"], 16) for _ in range(4)]
    assert heads[1] < heads[0] and heads[3] < heads[2] and heads[2] > heads[1]


def test_a_chain_can_stand_still_at_its_head_or_at_its_final_block(chain: Chain, proxy: RpcProxy) -> None:
    for fault, moves in (("frozen_finality", True), ("frozen_head", False)):
        proxy.fail(fault)
        before = [int(ask(proxy, "eth_getBlockByNumber", tag, False)["result"]["number"], 16) for tag in TAGS]
        chain.mine(5)
        after = [int(ask(proxy, "eth_getBlockByNumber", tag, False)["result"]["number"], 16) for tag in TAGS]
        assert (after[0] > before[0], after[1] > before[1]) == (moves, False)


TAGS = ("latest", "finalized")


def test_finality_can_be_missing_or_a_lie(proxy: RpcProxy) -> None:
    proxy.fail("no_finalized")
    assert "not supported" in ask(proxy, "eth_getBlockByNumber", "finalized", False)["error"]["message"]
    assert "result" in ask(proxy, "eth_getBlockByNumber", "latest", False)
    proxy.fail("head_is_final")
    first = int(ask(proxy, "eth_blockNumber")["result"], 16)
    assert int(ask(proxy, "eth_getBlockByNumber", "finalized", False)["result"]["number"], 16) >= first


def test_blocks_and_receipts_can_be_told_otherwise(chain: Chain, proxy: RpcProxy) -> None:
    tx_hash = chain.call("eth_sendTransaction", {"from": chain.call("eth_accounts")[0], "to": LOGGER})
    wait_for_receipt(chain, tx_hash)
    proxy.fail("wrong_receipt")
    assert ask(proxy, "eth_getTransactionReceipt", tx_hash)["result"]["status"] == "0x0"
    true_block = chain.call("eth_getBlockByNumber", "0x5", False)
    proxy.fail("wrong_block")
    told = ask(proxy, "eth_getBlockByNumber", "0x5", False)["result"]
    assert {name for name in told if told[name] != true_block[name]} == {"hash"}
    proxy.fail("wrong_time", by_s=60)
    told = ask(proxy, "eth_getBlockByNumber", "0x5", False)["result"]
    assert int(told["timestamp"], 16) == int(true_block["timestamp"], 16) + 60


def signed(nonce: int, fee: int, tip: int) -> str:
    account = Account.from_key("0x" + "11" * 32)
    fields = {"chainId": 421_614, "to": bytes.fromhex(LOGGER[2:]), "value": 0, "nonce": nonce, "gas": 60_000, "type": 2}
    raw = account.sign_transaction({**fields, "maxFeePerGas": fee, "maxPriorityFeePerGas": tip}).raw_transaction
    return "0x" + bytes(raw).hex()


def test_a_replacement_must_raise_both_fees_by_a_tenth(chain: Chain, proxy: RpcProxy) -> None:
    chain.fund(Account.from_key("0x" + "11" * 32).address)
    chain.call("evm_setAutomine", False)
    fee = 10 * int(chain.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) + 10**10
    proxy.fail("replacement_rule")
    # A nonce too high: it waits in the pool for as long as the test likes.
    assert "result" in ask(proxy, "eth_sendRawTransaction", signed(7, fee, 1000))
    for low in ((fee + 1, 1001), (fee * 2, 1099), (fee * 109 // 100, 2000)):
        refused = ask(proxy, "eth_sendRawTransaction", signed(7, *low))
        assert refused["error"]["message"] == "replacement transaction underpriced"
    assert "result" in ask(proxy, "eth_sendRawTransaction", signed(7, fee * 11 // 10, 1100))
    chain.call("evm_setAutomine", True)


def test_a_transaction_can_be_swallowed(chain: Chain, proxy: RpcProxy) -> None:
    proxy.fail("swallowed")
    raw = signed(0, 10**12, 1)
    tx_hash = ask(proxy, "eth_sendRawTransaction", raw)["result"]
    assert chain.call("eth_getTransactionByHash", tx_hash) is None
    proxy.heal()
    chain.fund(Account.from_key("0x" + "11" * 32).address)
    assert ask(proxy, "eth_sendRawTransaction", raw)["result"] == tx_hash


# -- chaos -------------------------------------------------------------------------------------------------------------


def test_chaos_is_the_same_for_the_same_seed_bounded_and_never_a_lie() -> None:
    def course(seed: int, percent: int, endpoint: str) -> list[Rule | None]:
        args = chaos_rule(seed, percent, endpoint).args
        return [trouble_at(place, args) for place in range(1, 2_001)]

    quiet = course(1, 5, "primary")
    assert quiet == course(1, 5, "primary")
    assert quiet != course(1, 5, "fallback") and quiet != course(2, 5, "primary")
    assert sum(rule is not None for rule in quiet) == 2_000 * 5 // 100
    assert sum(rule is not None for rule in course(1, 100, "primary")) == 2_000 * MAX_PERCENT // 100
    lies = {json.dumps(each.rule.document()) for each in MODES if each.is_lie}
    assert lies.isdisjoint(json.dumps(rule.document()) for rule in course(3, 30, "primary") if rule is not None)


def test_an_endpoint_with_chaos_fails_now_and_then(proxy: RpcProxy) -> None:
    proxy.set_rules(chaos_rule(2, 20, "fallback"))
    failed = 0
    for _ in range(400):
        try:
            failed += ask(proxy, "eth_chainId") != {"jsonrpc": "2.0", "id": 5, "result": hex(421_614)}
        except (requests.RequestException, ValueError):
            failed += 1
    assert 0 < failed <= 80
