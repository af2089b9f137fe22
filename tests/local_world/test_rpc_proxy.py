"""The second RPC endpoint: transparent when healthy, and each way to fail."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bo_engine.units import SECONDS_PER_DAY
from local_world import processes
from local_world.chain import Chain, start_chain
from local_world.faults import Rule
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
def running(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcProxy]:
    started = start_rpc_proxy(tmp_path_factory.mktemp("proxy"), chain.url)
    yield started
    processes.end(started.process)


@pytest.fixture
def proxy(running: RpcProxy) -> Iterator[RpcProxy]:
    running.heal()
    yield running
    running.heal()


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
