"""Bytes from outside at every border: each decoder gives a right value or one of the engine's own errors, whatever
comes (faults R02, X08; findings on ill-typed answers)."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import abi
from bo_engine.errors import EngineError, InvalidInput, InvariantBroken, Unavailable, UsageError
from bo_engine.settings import load_settings
from bo_engine.strict_json import parse_json
from bo_engine.units import Hash32, Wallet, parse_hash32
from core.lottery.drand import parse_signature, verify_beacon
from core.lottery.ruleset import QUICKNET, RULESET_1, Ruleset, parse_ruleset, ruleset_document
from core.lottery.tips import check_tips, masks_array, unpack_masks
from io_layer.contracts.codec import codec
from io_layer.rpc import wire
from io_layer.rpc.connect import open_chain
from io_layer.rpc.endpoint import RpcRefused
from io_layer.rpc.reader import Block, Call, ChainReader, block_of
from io_layer.rpc.sender import read_fees, read_pending_nonce, read_receipt, revert_reason, simulate
from merkle.load import load_payout_dump
from tests.support.loopback import document, http, serving
from tests.support.scripted_node import Answers, Refusal, block_at, chain_of, scripted

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**64, 2**256, -(2**256), 10**400]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["0x", "0x0", "0x1", "0X1", "0x0g", "0x123", "-0x1", "0x" + "f" * 65, "\u0661", "0x\u0661", "\x00"]
    ),
    st.binary(max_size=40).map(lambda data: "0x" + data.hex()),
)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
LOG = {
    "address": "0x" + "aa" * 20,
    "topics": ["0x" + "11" * 32],
    "data": "0x00",
    "blockNumber": "0x5",
    "blockHash": "0x" + "22" * 32,
    "transactionHash": "0x" + "33" * 32,
    "logIndex": "0x0",
}


def only(kinds: type[EngineError] | tuple[type[EngineError], ...], act: Callable[[], object]) -> object:
    """The value, or None after an error of these kinds; any other error is a failure."""
    try:
        return act()
    except kinds as error:
        assert error.code
        assert error.message
        return None


# -- JSON-RPC ------------------------------------------------------------------------------------------------------


@quick
@given(junk)
def test_every_decoder_of_an_answer_gives_a_value_of_its_type_or_distrusts_the_endpoint(answer: object) -> None:
    for decode, kind in ((wire.number, int), (wire.count, int), (wire.data, bytes), (wire.hash32, bytes)):
        found = only(Unavailable, lambda decode=decode: decode(answer))  # type: ignore[misc]
        assert found is None or type(found) is kind
        if kind is int and found is not None:
            assert 0 <= found < 2**256  # type: ignore[operator]
    for decode_all in (wire.fields, wire.text, wire.logs, block_of):
        only(Unavailable, lambda decode_all=decode_all: decode_all(answer))  # type: ignore[misc]


@quick
@given(st.sampled_from([*LOG, "removed", "extra"]), junk)
def test_a_log_with_one_odd_field_is_one_value_or_none(name: str, value: object) -> None:
    found = only(Unavailable, lambda: wire.logs([{**LOG, name: value}]))
    if found is not None:
        (log,) = found  # type: ignore[misc]
        assert set(log) == set(LOG)
        assert all(text == text.lower() for key, text in log.items() if key != "topics")
        json.dumps(log)


def test_two_spellings_of_one_fact_are_one_fact() -> None:
    other = {**LOG, "address": "0x" + "AA" * 20, "blockNumber": "0x05", "logIndex": "0x00", "extra": 1}
    assert wire.logs([LOG]) == wire.logs([other])


@quick
@given(st.text(max_size=60), junk, st.integers())
@example("execution reverted", "0x08c379a" + "0" * 7, 3)
@example("busy", {"see": "https://node.example"}, -32005)
def test_a_refusal_of_any_shape_has_a_reason_or_is_none(message: str, data: object, code: int) -> None:
    reason = revert_reason(RpcRefused("primary", "eth_call", code, message, data))
    assert reason is None or isinstance(reason, str)


def test_data_that_is_no_revert_is_the_endpoints_own_refusal() -> None:
    # Providers put an object with advice beside a rate limit.
    assert revert_reason(RpcRefused("primary", "eth_call", -32005, "limit", {"see": "https://node.example"})) is None
    assert revert_reason(RpcRefused("primary", "eth_call", 3, "limit", "0x0")) is None


ODD: dict[str, object] = {
    "null": None,
    "true": True,
    "a number": 7,
    "a negative": -1,
    "a fraction": 0.5,
    "text": "latest",
    "an odd hex": "0x123",
    "no hex": "0xzz",
    "too long": "0x" + "f" * 70,
    "a list": [[[]]],
    "an object": {"number": 5, "hash": None},
    "an empty object": {},
    "a huge height": {**block_at(25), "number": "0x" + "f" * 40},
    "another height": block_at(7),
    "a short hash": {**block_at(25), "hash": "0x12"},
}
SENDER, TARGET = Wallet("0x" + "aa" * 20), Wallet("0x" + "bb" * 20)
FINAL = Block(25, parse_hash32(block_at(25)["hash"]), 1_700_000_025)
READS: dict[str, tuple[str, object, Callable[[ChainReader], object]]] = {
    "a height": ("eth_getBlockByNumber", block_at(25), lambda chain: chain.read_block(25)),
    "the code": ("eth_getCode", "0x60", lambda chain: chain.read_code(TARGET, FINAL)),
    "the final nonce": ("eth_getTransactionCount", "0x7", lambda chain: chain.read_final_nonce(FINAL, SENDER)),
    "the pending nonce": ("eth_getTransactionCount", "0x7", lambda chain: read_pending_nonce(chain, SENDER)),
    "logs": ("eth_getLogs", [LOG], lambda chain: list(chain.read_log_pages(TARGET, [], 5, 5))),
    "a call": (
        "eth_call",
        "0x" + "00" * 31 + "05",
        lambda chain: chain.read(FINAL, [Call("SettlementV4", TARGET, "nextDay")]),
    ),
    "a receipt": (
        "eth_getTransactionReceipt",
        {"blockNumber": "0x14", "blockHash": block_at(20)["hash"], "status": "0x1"},
        lambda chain: read_receipt(chain, Hash32(b"\x11" * 32), FINAL),
    ),
    "gas": ("eth_estimateGas", "0x186a0", lambda chain: read_fees(chain, SENDER, TARGET, b"\x00" * 4)),
}

#: An answer in its own right: not mined yet, other data, another number.
WELL_TYPED = {
    ("a receipt", "null"),
    ("the code", "too long"),
    ("a call", "too long"),
    ("the final nonce", "an odd hex"),
    ("the pending nonce", "an odd hex"),
}


@contextlib.contextmanager
def nodes(first: Answers, second: Answers) -> Iterator[ChainReader]:
    """A reader over two scripted nodes."""
    with scripted(first) as one, scripted(second) as other:
        yield open_chain(one.url, other.url, chain_id=421_614, says_local=False)


@pytest.mark.parametrize("name", READS)
def test_an_ill_typed_answer_of_one_endpoint_is_waited_for_and_halts_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("io_layer.rpc.endpoint.time.sleep", lambda _: None)  # null is asked for three times
    method, good, read = READS[name]

    def node() -> Answers:
        base_fee = {**block_at(30), "baseFeePerGas": "0x64"}
        chain = chain_of(30, 25)
        blocks = chain["eth_getBlockByNumber"]
        return {
            **chain,
            "eth_getBlockByNumber": lambda params: base_fee if params[0] == "latest" else blocks(params),  # type: ignore[operator]
            method: good if name != "a height" else blocks,
        }

    answers = (node(), node())
    with nodes(*answers) as chain:
        right = read(chain)
        for place in (0, 1):
            for kind, value in ODD.items():
                if (name, kind) in WELL_TYPED:
                    continue
                answers[place][method] = value
                assert_code("rpc_unreachable" if value is None else "rpc_unusable", Unavailable, lambda: read(chain))
            answers[place][method] = node()[method]
        assert read(chain) == right


def test_one_endpoint_that_says_revert_waits_and_both_halt() -> None:
    says_no = Refusal("execution reverted", 3, "0x12345678")
    first, second = chain_of(30, 25), chain_of(30, 25)
    call = [Call("SettlementV4", TARGET, "nextDay")]
    with nodes(first, second) as chain:
        first["eth_call"], second["eth_call"] = says_no, "0x"
        assert_code("rpc_out_of_step", Unavailable, lambda: simulate(chain, SENDER, TARGET, b"\x00" * 4))
        # A money read at one block: there they may not differ at all.
        assert_code("rpc_disagreement", InvariantBroken, lambda: chain.read(FINAL, call))
        first["eth_call"], second["eth_call"] = "0x", says_no
        assert_code("rpc_disagreement", InvariantBroken, lambda: chain.read(FINAL, call))
        second["eth_call"] = first["eth_call"] = says_no
        assert_code("would_revert", InvariantBroken, lambda: simulate(chain, SENDER, TARGET, b"\x00" * 4))


def test_gas_and_fee_of_zero_are_never_signed() -> None:
    # Signed bytes with no gas would never be mined and block their nonce for good.
    def node(gas: str, fee: object) -> Answers:
        return {
            **chain_of(30, 25),
            "eth_estimateGas": gas,
            "eth_getBlockByNumber": {**block_at(30), "baseFeePerGas": fee},
        }

    for gas, fee in (("0x0", "0x64"), ("0x5207", "0x64"), ("0x186a0", None), ("0x186a0", 100)):
        with nodes(node("0x186a0", "0x64"), node(gas, fee)) as chain:
            assert_code("rpc_unusable", Unavailable, lambda: read_fees(chain, SENDER, TARGET, b"\x00" * 4))
    with nodes(node("0x186a0", "0x0"), node("0x5208", "0x64")) as chain:
        fees = read_fees(chain, SENDER, TARGET, b"\x00" * 4)
    assert (fees.gas_limit, fees.max_fee_per_gas) == (125_000, 200)  # the higher of both


def assert_code(code: str, kind: type[EngineError], act: Callable[[], object]) -> None:
    with pytest.raises(kind) as caught:
        act()
    assert caught.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":0,"result":NaN}',
        b'{"jsonrpc":"2.0","id":0,"id":1,"result":"0x66eee"}',
        b'{"jsonrpc":"2.0","id":false,"result":"0x66eee"}',
        b'{"jsonrpc":"2.0","id":0.0,"result":"0x66eee"}',
        b'{"jsonrpc":"2.0","id":0,"result":' + b"9" * 5_000 + b"}",
        b'{"jsonrpc":"2.0","id":0,"result":' + b"[" * 500_000,
        b'{"a":' * 500_000,
        '{"jsonrpc":"2.0","id":0,"result":"0x66eee"}'.encode("utf-16"),
        b"\xff\xfe\x00",
    ],
    ids=["nan", "twice", "false", "fraction", "long", "deep list", "deep object", "utf-16", "no utf-8"],
)
def test_a_document_that_two_readers_could_read_differently_is_no_answer(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("io_layer.rpc.endpoint.time.sleep", lambda _: None)
    with serving(lambda path, asked: iter([http(body)])) as server:
        assert_code(
            "rpc_unreachable",
            Unavailable,
            lambda: open_chain(server.url, server.url, chain_id=421_614, says_local=True),
        )


def test_an_error_text_that_no_database_takes_is_made_plain() -> None:
    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        error = {"code": 1, "message": "a\x00b\ud800c\x1b[2Jd\u2028e\nf"}
        yield document({"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error})

    with serving(script) as server, pytest.raises(Unavailable) as caught:
        open_chain(server.url, server.url, chain_id=421_614, says_local=True)
    assert caught.value.message.isprintable()
    assert r"a\x00b\ud800c\x1b[2Jd\u2028e\nf" in caught.value.message


# -- ABI -----------------------------------------------------------------------------------------------------------

FUNCTIONS = [
    (name, entry["name"])
    for name in ("SettlementV4", "GameManager", "VRFReceiver")
    for entry in abi.load(name).abi
    if entry["type"] == "function" and entry["outputs"]
]
words = st.one_of(
    st.binary(min_size=32, max_size=32), st.integers(0, 2**256 - 1).map(lambda n: n.to_bytes(32, "big")),
    st.sampled_from([0, 1, 32, 64, 2**31, 2**63, 2**255, 2**256 - 1]).map(lambda n: n.to_bytes(32, "big")),
)  # fmt: skip


@quick
@given(st.sampled_from(FUNCTIONS), st.lists(words, max_size=12).map(b"".join), st.binary(max_size=31))
def test_return_data_decodes_or_is_refused(function: tuple[str, str], data: bytes, tail: bytes) -> None:
    only(UsageError, lambda: codec(function[0]).result(function[1], data + tail))


@quick
@given(st.lists(words, max_size=16).map(b"".join), st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_a_log_decodes_to_an_event_or_is_refused(data: bytes, topics: list[bytes]) -> None:
    log = {"data": "0x" + data.hex(), "topics": ["0x" + topic.hex() for topic in topics], "blockNumber": "0x1"}
    for event in ("TicketPurchased",):
        only(UsageError, lambda event=event: codec("GameManager").event(event, log))  # type: ignore[misc]


@quick
@given(st.binary(max_size=300))
def test_revert_bytes_of_any_kind_are_words_or_none(data: bytes) -> None:
    for given_bytes in (data, bytes.fromhex("08c379a0") + data, bytes.fromhex("4e487b71") + data):
        found = abi.decode_error(given_bytes)
        assert found is None or isinstance(found, str)
    hostile = bytes.fromhex("08c379a0") + encode(["string"], ["\x1b[2J\n" + "x" * 5_000])
    reason = revert_reason(RpcRefused("primary", "eth_call", 3, "execution reverted", "0x" + hostile.hex()))
    assert reason is not None
    assert reason.isprintable()
    assert len(reason) <= 400


# -- drand, dumps, tips, rulesets, settings ------------------------------------------------------------------------


@quick
@given(junk)
def test_a_signature_of_any_shape_is_bytes_or_forged(text: object) -> None:
    found = only(InvalidInput, lambda: parse_signature(text))
    assert found is None or len(found) == 48  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=48, max_size=48))
def test_a_random_point_is_never_a_beacon(signature: bytes) -> None:
    assert only(InvalidInput, lambda: verify_beacon(QUICKNET, 1, signature)) is None


@quick
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=100), junk.map(lambda value: json.dumps(value, default=str)))
)
@example(b'{"format":"standard-v1","leafEncoding":[],"tree":[],"values":[' + b"[" * 200_000)
@example(b'{"format":' + b'{"a":' * 200_000)
def test_a_dump_of_any_bytes_is_refused(data: bytes | str) -> None:
    found = only(InvalidInput, lambda: load_payout_dump(data, Hash32(b"\x11" * 32), 1))
    assert found is None or found[1] == ()  # type: ignore[index]  # the empty tree is short enough to be found


@quick
@given(st.binary(max_size=64), st.integers(0, 64))
def test_packed_tips_of_any_bytes_are_tips_or_refused(tips: bytes, number_max: int) -> None:
    for act in (lambda: check_tips(tips, number_max), lambda: unpack_masks(tips), lambda: masks_array(tips)):
        only(InvalidInput, act)


@quick
@given(st.data())
def test_a_ruleset_with_one_odd_value_is_a_ruleset_or_refused(data: st.DataObject) -> None:
    changed: Any = json.loads(json.dumps(ruleset_document(RULESET_1)))
    place = data.draw(st.sampled_from(sorted(changed)))
    if isinstance(changed[place], dict) and data.draw(st.booleans()):
        changed[place][data.draw(st.sampled_from(sorted(changed[place])))] = data.draw(junk)
    else:
        changed[place] = data.draw(junk)
    found = only(InvalidInput, lambda: parse_ruleset(changed))
    assert found is None or isinstance(found, Ruleset)


@quick
@given(st.one_of(st.binary(max_size=400), st.text(max_size=200)))
@example(b"[" * 300_000)
@example('{"a":1,"a":2}')
@example("[NaN]")
def test_any_bytes_are_strict_json_or_a_value_error(data: bytes | str) -> None:
    with contextlib.suppress(ValueError):
        json.dumps(parse_json(data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: b"CHAIN_ID=" + text.encode()))
@example(b"\xef\xbb\xbfCHAIN_ID=7")
@example(b"ARTIFACTS_DIR=a\x00b")
@example(b"RPC_URL=\xff\xfe")
@example("CHAIN_ID=\u0661\u0662".encode())
def test_a_settings_file_of_any_bytes_is_settings_or_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.env"
    path.write_bytes(content)
    found = only(UsageError, lambda: load_settings({}, path))
    if content.startswith(b"\xef\xbb\xbf"):
        assert found is not None
        assert found.chain_id == 7  # type: ignore[attr-defined]
