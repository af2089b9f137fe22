"""One RPC endpoint against real servers that misbehave: nothing wrong is believed, nothing hangs, no URL leaks
(faults R01, R02, R17, R23, X01)."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

import io_layer.rpc.endpoint
from bo_engine.errors import EngineError, Stopped, Unavailable
from io_layer.rpc.breaker import COOL_DOWN_S, FAILURES_TO_OPEN
from io_layer.rpc.endpoint import RpcEndpoint, RpcRefused
from services.running.cancel import Stop
from tests.support.loopback import Script, bad_answers, document, gzip_bomb, http, serving, timed

KEY = "canary-key-3f9ad1c2"


def answering(answer: Callable[[dict[str, Any]], object]) -> Script:
    """A server that answers each call with a JSON document made from it."""

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        yield document(answer(json.loads(body)))

    return script


def endpoint_at(url: str, timeout_s: float = 5.0) -> RpcEndpoint:
    """An endpoint whose URL holds a key."""
    return RpcEndpoint("primary", f"{url}/v2/{KEY}", timeout_s=timeout_s)


def says_nothing_secret(error: EngineError) -> None:
    """Neither URL nor key stand in the error, its causes or their texts."""
    chain: BaseException | None = error
    assert "primary" in error.message
    while chain is not None and isinstance(chain, EngineError):
        assert KEY not in f"{chain} {chain!r}"
        assert "127.0.0.1" not in str(chain)
        chain = chain.__cause__


def unusable(script: Script, *, timeout_s: float = 5.0, method: str = "eth_chainId") -> tuple[Unavailable, int]:
    """The call must end as Unavailable; the error and how often the server was asked."""
    with serving(script) as server, pytest.raises(Unavailable) as caught:
        endpoint_at(server.url, timeout_s).request(method, [])
    assert caught.value.code == "rpc_unreachable"
    says_nothing_secret(caught.value)
    return caught.value, len(server.asked)


def test_a_right_answer_is_its_result() -> None:
    with serving(answering(lambda call: {"jsonrpc": "2.0", "id": call["id"], "result": "0x66eee"})) as server:
        assert endpoint_at(server.url).request("eth_chainId", []) == "0x66eee"
        assert server.asked == [f"/v2/{KEY}"]


@pytest.mark.parametrize(
    "wrong_id", [lambda call: call["id"] + 1, lambda _: None, lambda call: str(call["id"]), lambda _: [1]]
)
def test_an_answer_with_a_foreign_id_is_none(wrong_id: Callable[[dict[str, Any]], object]) -> None:
    _, asked = unusable(answering(lambda call: {"jsonrpc": "2.0", "id": wrong_id(call), "result": "0x1"}))
    assert asked == 3


def test_an_answer_without_an_id_is_none() -> None:
    unusable(answering(lambda _: {"jsonrpc": "2.0", "result": "0x1"}))


def test_null_is_refused_unless_the_caller_expects_it() -> None:
    script = answering(lambda call: {"jsonrpc": "2.0", "id": call["id"], "result": None})
    unusable(script)
    with serving(script) as server:
        assert endpoint_at(server.url).request("eth_getTransactionReceipt", ["0x"], may_be_null=True) is None


@pytest.mark.parametrize("name", sorted(set(bad_answers(b"x")) - {"hang", "drip"}))
def test_what_is_no_answer_is_tried_again_and_then_unavailable(name: str) -> None:
    good = json.dumps({"jsonrpc": "2.0", "id": 0, "result": "0x1"}).encode()
    _, asked = unusable(lambda path, body: bad_answers(good)[name]())
    assert asked == 3


@pytest.mark.parametrize("name", ["hang", "drip"])
def test_a_slow_endpoint_costs_its_deadline_and_no_more(name: str) -> None:
    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        call = json.loads(body)
        good = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + "1" * 60}).encode()
        return bad_answers(good)[name]()

    took_s = timed(lambda: unusable(script, timeout_s=0.4))
    assert took_s < 4.0  # three tries of 0.4 s, and the pauses between


def test_an_oversized_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_layer.rpc.endpoint, "MAX_ANSWER_BYTES", 200_000)
    sent: list[int] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        yield http(b"", length=50_000_000)
        for _ in range(500):
            sent.append(1)
            yield b" " * 100_000

    unusable(script)
    assert len(sent) < 300  # of 1,500 pieces: the connection was closed


def test_a_gzip_bomb_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_layer.rpc.endpoint, "MAX_ANSWER_BYTES", 200_000)
    pieces = list(gzip_bomb(20_000_000))
    tracemalloc.start()
    try:
        unusable(lambda path, body: iter(pieces))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_refusal_is_told_with_its_code_and_data_and_is_not_repeated() -> None:
    refusal = {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}
    with serving(answering(lambda call: {"jsonrpc": "2.0", "id": call["id"], "error": refusal})) as server:
        with pytest.raises(RpcRefused) as caught:
            endpoint_at(server.url).request("eth_call", [])
        assert len(server.asked) == 1
    assert (caught.value.rpc_code, caught.value.rpc_message, caught.value.data) == (
        3,
        "execution reverted",
        "0x08c379a0",
    )
    says_nothing_secret(caught.value)


@pytest.mark.parametrize("error", ["busy", 7, [], {}, {"code": "x", "message": 5}, {"code": None}, {"code": True}])
def test_an_odd_error_object_is_a_refusal_all_the_same(error: object) -> None:
    body = json.dumps(error)

    def script(path: str, asked: bytes) -> Iterator[bytes | float]:
        call = json.loads(asked)
        yield http(f'{{"jsonrpc": "2.0", "id": {call["id"]}, "error": {body}}}'.encode())

    with serving(script) as server, pytest.raises(RpcRefused):
        endpoint_at(server.url).request("eth_call", [])


def test_an_error_that_is_null_beside_a_result_is_no_error() -> None:
    script = answering(lambda call: {"jsonrpc": "2.0", "id": call["id"], "error": None, "result": "0x7"})
    with serving(script) as server:
        assert endpoint_at(server.url).request("eth_chainId", []) == "0x7"


def test_a_send_is_tried_once_only() -> None:
    _, asked = unusable(lambda path, body: iter([]), method="eth_sendRawTransaction")
    assert asked == 1


def test_a_short_failure_is_survived() -> None:
    asked: list[int] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        asked.append(1)
        if len(asked) < 3:
            return iter([http(b"busy", "503 Service Unavailable")])
        return iter([document({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": "0x1"})])

    with serving(script) as server:
        assert endpoint_at(server.url).request("eth_chainId", []) == "0x1"


def test_nobody_at_the_address_is_unavailable() -> None:
    with serving(lambda path, body: iter([])) as server:
        url = server.url
    with pytest.raises(Unavailable) as caught:
        endpoint_at(url).request("eth_chainId", [])
    says_nothing_secret(caught.value)
    assert KEY not in repr(endpoint_at(url))


# -- patience: Retry-After, the budget of a call, the circuit breaker --------------------------------------------------


class Clocks:
    """Time that passes only when somebody waits. Wall time is written as in HTTP's dates."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.waits: list[float] = []

    def wait(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now_s += wait_s

    def endpoint(self, url: str, **more: Any) -> RpcEndpoint:
        """An endpoint that lives by these clocks, its retries spread by nothing."""
        clocks: dict[str, Any] = {"clock_s": lambda: self.now_s, "wall_s": lambda: self.now_s, "wait": self.wait}
        return RpcEndpoint("primary", f"{url}/v2/{KEY}", **{**clocks, "jitter": lambda: 0.0, **more})


def busy(times: int, retry_after: str, status: str = "429 Too Many Requests") -> Script:
    """A server that is busy that many times and then answers."""
    asked: list[int] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        asked.append(1)
        if len(asked) <= times:
            return iter([http(b"slow down", status, *([f"Retry-After: {retry_after}"] if retry_after else []))])
        return iter([document({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": "0x1"})])

    return script


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("header", ["7", formatdate(1_007.0, usegmt=True)], ids=["seconds", "date"])
def test_a_busy_endpoint_is_left_alone_for_as_long_as_it_asks(status: str, header: str) -> None:
    clocks = Clocks()
    with serving(busy(1, header, status)) as server:
        assert clocks.endpoint(server.url).request("eth_chainId", []) == "0x1"
        assert len(server.asked) == 2
    assert sum(clocks.waits) == pytest.approx(7.0)


@pytest.mark.parametrize("header", ["", "-5", "soon", "1e9", "99999999999999", formatdate(10.0, usegmt=True)])
def test_a_retry_after_that_says_nothing_is_tried_again_like_any_failure(header: str) -> None:
    clocks = Clocks()
    with serving(busy(2, header)) as server:
        assert clocks.endpoint(server.url).request("eth_chainId", []) == "0x1"
    assert clocks.waits == [0.1, 0.2]


@pytest.mark.parametrize("method", ["eth_chainId", "eth_sendRawTransaction"])
def test_an_endpoint_that_wants_more_time_than_a_call_has_is_given_up_at_once_and_not_asked_again(method: str) -> None:
    clocks = Clocks()
    with serving(busy(1, "600")) as server:
        endpoint = clocks.endpoint(server.url, budget_s=30.0)
        for _ in range(3):
            with pytest.raises(Unavailable) as caught:
                endpoint.request(method, [])
            assert caught.value.code == "rpc_unreachable"
        assert "Retry-After" in caught.value.message
        says_nothing_secret(caught.value)
        assert len(server.asked) == 1
        assert sum(clocks.waits) < 1.0
        clocks.now_s += 580.0  # what is left fits into a call
        assert endpoint.request(method, []) == "0x1"
        assert sum(clocks.waits) == pytest.approx(20.0, abs=1.0)


def test_all_tries_of_a_call_share_one_budget() -> None:
    clocks = Clocks()

    def slow(path: str, body: bytes) -> Iterator[bytes | float]:
        clocks.now_s += 12.0
        return iter([http(b"", "502 Bad Gateway")])

    with serving(slow) as server, pytest.raises(Unavailable):
        clocks.endpoint(server.url, budget_s=20.0).request("eth_chainId", [])
    assert len(server.asked) == 2  # of three tries


def test_the_wish_to_stop_is_heard_while_a_busy_endpoint_is_waited_for() -> None:
    stop = Stop()
    with serving(busy(9, "20")) as server, stop.working(), pytest.raises(Stopped):
        stop.ask("SIGTERM")
        RpcEndpoint("primary", server.url, wait=stop.wait).request("eth_chainId", [])


def test_an_endpoint_that_fails_again_and_again_is_left_alone_and_must_prove_itself() -> None:
    clocks = Clocks()
    asked: list[str] = []
    answers: dict[str, Any] = {}

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        call = json.loads(body)
        asked.append(call["method"])
        if call["method"] not in answers:
            return iter([http(b"", "502 Bad Gateway")])
        return iter([document({"jsonrpc": "2.0", "id": call["id"], "result": answers[call["method"]]})])

    def fails(method: str = "eth_call") -> str:
        with pytest.raises(Unavailable) as caught:
            endpoint.request(method, [])
        assert caught.value.code == "rpc_unreachable"
        says_nothing_secret(caught.value)
        return caught.value.message

    with serving(script) as server:
        endpoint = clocks.endpoint(server.url, chain_id=42161)
        while len(asked) < FAILURES_TO_OPEN:
            fails()
        assert "is not asked for another 30 s" in fails()
        assert "is not asked" in fails("eth_sendRawTransaction")
        assert len(asked) == FAILURES_TO_OPEN

        clocks.now_s += COOL_DOWN_S
        answers.update({"eth_call": "0x", "eth_chainId": "0x1", "eth_getBlockByNumber": {"number": "0x5"}})
        assert "is not asked" in fails()  # it answers, but for another chain
        clocks.now_s += COOL_DOWN_S
        answers.update({"eth_chainId": hex(42161), "eth_getBlockByNumber": None})
        assert "is not asked" in fails()  # it has no head
        assert "eth_call" not in asked[FAILURES_TO_OPEN:]
        clocks.now_s += COOL_DOWN_S
        answers["eth_getBlockByNumber"] = {"number": "0x5"}
        assert endpoint.request("eth_call", []) == "0x"
        assert asked[-3:] == ["eth_chainId", "eth_getBlockByNumber", "eth_call"]
        assert endpoint.request("eth_call", []) == "0x"
        assert asked[-2:] == ["eth_call", "eth_call"]  # and it counts from nothing again
        assert endpoint.calls["eth_call"] == asked.count("eth_call")


def test_what_a_node_refuses_is_no_failure_of_the_endpoint() -> None:
    refusal = {"code": -32005, "message": "limit exceeded"}
    with serving(answering(lambda call: {"jsonrpc": "2.0", "id": call["id"], "error": refusal})) as server:
        endpoint = Clocks().endpoint(server.url)
        for _ in range(3 * FAILURES_TO_OPEN):
            with pytest.raises(RpcRefused):
                endpoint.request("eth_getLogs", [])
