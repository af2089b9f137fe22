"""Two endpoints, one truth: money is what both say of one final block, display falls back, finality is not taken on
trust (faults R01, R02, R05, R07, R09, R11, R12, R14, R21)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import io_layer.rpc.reader
from bo_engine.errors import EngineError, InvariantBroken, Unavailable, UsageError
from bo_engine.units import Wallet, parse_hash32
from io_layer.rpc import wire
from io_layer.rpc.connect import open_chain
from io_layer.rpc.endpoint import RpcRefused
from io_layer.rpc.reader import Block, ChainReader
from tests.support.scripted_node import Answers, Down, Refusal, block_at, chain_of, scripted

CHAIN_ID = 421_614
AT = Wallet("0x" + "aa" * 20)
Opened = Callable[..., ChainReader]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens a reader over two scripted nodes."""
    with ExitStack() as stack:

        def open_both(first: Answers, second: Answers, *, says_local: bool = False) -> ChainReader:
            urls = [f"{stack.enter_context(scripted(answers)).url}/secret-key-77" for answers in (first, second)]
            return open_chain(*urls, chain_id=CHAIN_ID, says_local=says_local)

        yield open_both


def code_of(act: Callable[[], object], kind: type[EngineError]) -> str:
    """The code of the error that the act must raise; no URL stands in its message."""
    with pytest.raises(kind) as caught:
        act()
    assert "127.0.0.1" not in caught.value.message
    assert "secret-key" not in caught.value.message
    return caught.value.code


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_endpoint_on_another_chain_is_refused_by_name(opened: Opened, wrong: int) -> None:
    answers = [chain_of(20, 18), chain_of(20, 18)]
    answers[wrong]["eth_chainId"] = "0x1"
    with pytest.raises(UsageError) as caught:
        opened(*answers)
    assert caught.value.code == "wrong_chain"
    assert ("primary", "fallback")[wrong] in caught.value.message


def test_a_client_that_is_no_anvil_is_not_local(opened: Opened) -> None:
    other = {**chain_of(20, 18), "web3_clientVersion": "nitro/v3.2.1"}
    assert code_of(lambda: opened(chain_of(20, 18), other, says_local=True), UsageError) == "not_local"
    assert opened(chain_of(20, 18), chain_of(20, 18), says_local=True).is_local


@pytest.mark.parametrize("answer", ["421614", "0x", 421_614, {"id": 1}, "0xzz", ["0x66eee"]])
def test_a_chain_id_that_is_no_number_is_an_endpoint_that_fails(opened: Opened, answer: object) -> None:
    bad = {**chain_of(20, 18), "eth_chainId": answer}
    assert code_of(lambda: opened(chain_of(20, 18), bad), Unavailable) == "rpc_unusable"


# -- finality ----------------------------------------------------------------------------------------------------------


def test_the_final_block_is_the_older_one_of_both(opened: Opened) -> None:
    chain = opened(chain_of(30, 25), chain_of(24, 20))
    assert chain.read_final_block().number == 20


def test_two_blocks_of_one_height_are_out_of_step(opened: Opened) -> None:
    chain = opened(chain_of(30, 25), chain_of(30, 25, name="fork"))
    assert code_of(chain.read_final_block, Unavailable) == "rpc_out_of_step"


@pytest.mark.parametrize("lying", [0, 1])
def test_an_endpoint_that_calls_its_moving_head_final_is_refused(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, lying: int
) -> None:
    monkeypatch.setattr(io_layer.rpc.reader, "_HEAD_MOVES_S", 0.01)
    answers = [chain_of(30, 25), chain_of(30, 25)]
    head = iter(range(30, 1000))
    answers[lying]["eth_getBlockByNumber"] = lambda params: (
        block_at(next(head)) if params[0] in ("latest", "finalized") else block_at(int(params[0], 16))
    )
    chain = opened(*answers)
    assert code_of(chain.read_final_block, UsageError) == "no_finality"
    chain.is_local = True  # a local chain may be as final as it likes
    assert chain.read_final_block().number == 25


def test_a_chain_that_stands_still_is_waited_for(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_layer.rpc.reader, "_HEAD_MOVES_S", 0.01)
    chain = opened(chain_of(30, 30), chain_of(30, 30))
    assert code_of(chain.read_final_block, Unavailable) == "chain_stands_still"


def test_an_endpoint_without_the_finalized_tag_is_unavailable(opened: Opened) -> None:
    def no_tags(params: list[Any]) -> object:
        if params[0] == "finalized":
            raise Refusal("invalid block tag", -32602)
        return block_at(30)

    chain = opened(chain_of(30, 25), {**chain_of(30, 25), "eth_getBlockByNumber": no_tags})
    assert code_of(chain.read_final_block, Unavailable) == "rpc_refused"


@pytest.mark.parametrize(
    "block",
    ["0x1", [], 7, {}, {"number": "0x1e"}, {**block_at(30), "hash": "0x12"}, {**block_at(30), "timestamp": None}],
)
def test_what_is_no_block_is_an_endpoint_that_fails(opened: Opened, block: object) -> None:
    chain = opened(chain_of(30, 25), {**chain_of(30, 25), "eth_getBlockByNumber": block})
    assert code_of(chain.read_final_block, Unavailable) == "rpc_unusable"


# -- money and display -------------------------------------------------------------------------------------------------

BLOCK = Block(25, parse_hash32(block_at(25)["hash"]), 1_700_000_025)


def test_money_is_what_both_say(opened: Opened) -> None:
    first, second = chain_of(30, 25), chain_of(30, 25)
    first["eth_getCode"] = second["eth_getCode"] = "0x6001"
    chain = opened(first, second)
    assert chain.read_code(AT, BLOCK) == b"\x60\x01"
    second["eth_getCode"] = "0x6002"
    with pytest.raises(InvariantBroken) as caught:
        chain.read_code(AT, BLOCK)
    assert caught.value.code == "rpc_disagreement"
    assert "primary 0x6001, fallback 0x6002" in caught.value.message


@pytest.mark.parametrize("dead", [0, 1])
def test_money_waits_for_both_and_display_goes_on_with_one(opened: Opened, dead: int) -> None:
    answers = [chain_of(30, 25), chain_of(30, 25)]
    for one in answers:
        one["eth_getCode"] = one["eth_getBalance"] = "0x60"
    chain = opened(*answers)
    answers[dead]["eth_getCode"] = answers[dead]["eth_getBalance"] = Down()
    assert code_of(lambda: chain.read_code(AT, BLOCK), Unavailable) == "rpc_unreachable"
    assert chain.request_any("eth_getBalance", [AT, "latest"], wire.number) == 0x60


def test_a_rate_limit_is_the_endpoints_own_and_a_revert_is_the_contracts(opened: Opened) -> None:
    first, second = chain_of(30, 25), chain_of(30, 25)
    first["eth_call"], second["eth_call"] = Refusal("rate limit exceeded", -32005), "0x01"
    chain = opened(first, second)
    assert chain.request_any("eth_call", [], wire.data) == b"\x01"
    assert code_of(lambda: chain.request_both("eth_call", [], wire.data), Unavailable) == "rpc_refused"
    first["eth_call"] = Refusal("execution reverted", 3, "0x08c379a0")
    with pytest.raises(RpcRefused):
        chain.request_any("eth_call", [], wire.data)


@pytest.mark.parametrize("answer", ["60", "0x6", 96, {"code": "0x60"}, "0xgg", ["0x60"]])
def test_what_is_no_data_is_an_endpoint_that_fails(opened: Opened, answer: object) -> None:
    both = {**chain_of(30, 25), "eth_getCode": answer}
    assert code_of(lambda: opened(both, both).read_code(AT, BLOCK), Unavailable) == "rpc_unusable"


# -- logs --------------------------------------------------------------------------------------------------------------


def log_at(block: int, index: int, **extra: object) -> dict[str, object]:
    """A log as a node tells it."""
    return {
        "address": AT,
        "topics": ["0x" + "77" * 32],
        "data": "0x",
        "blockNumber": hex(block),
        "blockHash": block_at(block)["hash"],
        "transactionHash": f"0x{block:062x}{index:02x}",
        "logIndex": hex(index),
        **extra,
    }


ALL_LOGS = [log_at(block, index) for block in range(0, 12_000, 700) for index in range(3)]


def logs_of(query: dict[str, str]) -> list[dict[str, object]]:
    """The logs of a range."""
    first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
    return [log for log in ALL_LOGS if first <= int(str(log["blockNumber"]), 16) <= last]


def read_all(chain: ChainReader) -> list[tuple[int, int]]:
    """(block, index) of every log in the order in which it came."""
    pages = [page for _, page in chain.read_log_pages(AT, ["0x" + "77" * 32], 0, 11_999)]
    return [(int(log["blockNumber"], 16), int(log["logIndex"], 16)) for page in pages for log in page]


WANTED = [(block, index) for block in range(0, 12_000, 700) for index in range(3)]


def node_with_logs(answer: Callable[[dict[str, str]], list[dict[str, object]]]) -> Answers:
    """A node that answers log queries so."""
    return {**chain_of(12_010, 12_000), "eth_getLogs": lambda params: answer(params[0])}


def test_logs_come_once_each_and_in_order_whatever_a_node_repeats_or_adds(opened: Opened) -> None:
    shuffled = node_with_logs(lambda query: [*reversed(logs_of(query)), *logs_of(query)])
    chatty = node_with_logs(
        lambda query: [{**log, "removed": False} for log in [*reversed(logs_of(query)), *logs_of(query)]]
    )
    assert read_all(opened(shuffled, chatty)) == WANTED


def test_logs_that_one_node_tells_twice_are_no_disagreement(opened: Opened) -> None:
    doubled = node_with_logs(lambda query: [log for log in logs_of(query) for _ in range(2)])
    for pair in ((doubled, node_with_logs(logs_of)), (node_with_logs(logs_of), doubled)):
        assert read_all(opened(*pair)) == WANTED
    torn = node_with_logs(lambda query: [*logs_of(query), *({**log, "data": "0x01"} for log in logs_of(query))])
    assert code_of(lambda: read_all(opened(torn, torn)), Unavailable) == "rpc_unusable"


@pytest.mark.parametrize("limit", [1, 300, 2_000])
def test_a_range_that_is_too_large_is_halved_until_it_fits(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(io_layer.rpc.reader, "_LOG_PAGE_BLOCKS", min(5_000, limit * 8))
    asked: list[int] = []

    def limited(query: dict[str, str]) -> list[dict[str, object]]:
        size = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
        asked.append(size)
        if size > limit:
            raise Refusal("query returned more than 10000 results", -32005)
        return logs_of(query)

    chain = opened(node_with_logs(limited), node_with_logs(logs_of))
    last = 11_999 if limit > 1 else 30
    pages = list(chain.read_log_pages(AT, [], 0, last))
    assert [stop for stop, _ in pages] == sorted({stop for stop, _ in pages})
    assert pages[-1][0] == last
    found = [(int(log["blockNumber"], 16), int(log["logIndex"], 16)) for _, page in pages for log in page]
    assert found == [one for one in WANTED if one[0] <= last]
    assert min(asked) <= limit


def test_logs_that_one_node_hides_or_changes_are_a_disagreement(opened: Opened) -> None:
    honest = node_with_logs(logs_of)
    for lie in (
        lambda query: [],
        lambda query: logs_of(query)[1:],
        lambda query: [{**log, "data": "0x01"} for log in logs_of(query)],
    ):
        chain = opened(honest, node_with_logs(lie))
        assert code_of(lambda: read_all(chain), InvariantBroken) == "rpc_disagreement"  # noqa: B023 - run at once


@pytest.mark.parametrize(
    "logs",
    [
        "0x",
        {"logs": []},
        [7],
        [{**log_at(1, 1), "logIndex": None}],
        [{**log_at(1, 1), "blockNumber": None, "blockHash": None}],
        [{**log_at(1, 1), "topics": "0x"}],
        [{**log_at(1, 1), "data": 5}],
    ],
    ids=["text", "object", "number", "no-index", "pending", "topics", "data"],
)
def test_what_is_no_list_of_mined_logs_is_an_endpoint_that_fails(opened: Opened, logs: object) -> None:
    both = {**chain_of(12_010, 12_000), "eth_getLogs": logs}
    assert code_of(lambda: read_all(opened(both, both)), Unavailable) == "rpc_unusable"
