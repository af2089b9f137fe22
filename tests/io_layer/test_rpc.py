"""One RPC endpoint against real servers that misbehave: nothing wrong is believed, nothing hangs, no URL leaks
(faults R01, R02, R17, R23, X01)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import io_layer.rpc
from bo_engine.errors import EngineError, Unavailable
from io_layer.rpc import RpcEndpoint, RpcRefused
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
    monkeypatch.setattr(io_layer.rpc, "MAX_ANSWER_BYTES", 200_000)
    sent: list[int] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        yield http(b"", length=50_000_000)
        for _ in range(500):
            sent.append(1)
            yield b" " * 100_000

    unusable(script)
    assert len(sent) < 300  # of 1,500 pieces: the connection was closed


def test_a_gzip_bomb_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_layer.rpc, "MAX_ANSWER_BYTES", 200_000)
    unusable(lambda path, body: gzip_bomb(20_000_000))


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
