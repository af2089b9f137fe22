"""What the network says to signed bytes, and when a receipt counts (faults R04, R15, R16, T04, T06, T07)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bo_engine.errors import InvariantBroken, Unavailable
from bo_engine.units import Hash32, Wallet, parse_hash32
from io_layer.rpc.connect import open_chain
from io_layer.rpc.reader import Block, ChainReader
from io_layer.rpc.sender import (
    Broadcast,
    Receipt,
    broadcast,
    read_fees,
    read_pending_nonce,
    read_receipt,
    simulate,
)
from tests.support.scripted_node import Answers, Down, Refusal, block_at, chain_of, scripted

TX = Hash32(b"\x11" * 32)
ME, THEM = Wallet("0x" + "aa" * 20), Wallet("0x" + "bb" * 20)
FINAL = Block(25, parse_hash32(block_at(25)["hash"]), 1_700_000_025)
Opened = Callable[[Answers, Answers], ChainReader]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens a reader over two scripted nodes."""
    with ExitStack() as stack:
        yield lambda *both: open_chain(
            *(stack.enter_context(scripted(answers)).url for answers in both), chain_id=421_614, says_local=False
        )


def node(**answers: object) -> Answers:
    """A node with these answers besides those of its chain."""
    return {**chain_of(30, 25), **answers}


# -- broadcasts --------------------------------------------------------------------------------------------------------

ACCEPTED = "0x" + TX.hex()
KNOWN = Refusal("already known")
USED = Refusal("nonce too low: next nonce 8, tx nonce 7")
POOR = Refusal("insufficient funds for gas * price + value")
CHEAP = Refusal("replacement transaction underpriced")
LOW = Refusal("max fee per gas less than block base fee: address 0x5e, maxFeePerGas: 1, baseFee: 2")


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (ACCEPTED, ACCEPTED, Broadcast.ACCEPTED),
        (ACCEPTED, KNOWN, Broadcast.ACCEPTED),
        (KNOWN, KNOWN, Broadcast.ACCEPTED),
        (Down(), ACCEPTED, Broadcast.ACCEPTED),
        (POOR, ACCEPTED, Broadcast.ACCEPTED),
        (USED, USED, Broadcast.NONCE_USED),
        (Down(), USED, Broadcast.NONCE_USED),
        (Down(), Down(), Broadcast.UNKNOWN),
        (POOR, Down(), Broadcast.UNKNOWN),
        (CHEAP, CHEAP, Broadcast.UNDERPRICED),
        (LOW, POOR, Broadcast.UNDERPRICED),
        (LOW, Down(), Broadcast.UNDERPRICED),
        (LOW, ACCEPTED, Broadcast.ACCEPTED),
        (USED, CHEAP, Broadcast.NONCE_USED),
    ],
)
def test_the_best_of_both_answers_to_a_broadcast_counts(
    opened: Opened, first: object, second: object, outcome: Broadcast
) -> None:
    chain = opened(node(eth_sendRawTransaction=first), node(eth_sendRawTransaction=second))
    assert broadcast(chain, b"\x02raw") is outcome


@pytest.mark.parametrize("refusal", [POOR, Refusal("intrinsic gas too low"), Refusal("txpool is full")])
def test_bytes_that_both_refuse_are_offered_again_later(opened: Opened, refusal: Refusal) -> None:
    chain = opened(node(eth_sendRawTransaction=refusal), node(eth_sendRawTransaction=refusal))
    with pytest.raises(Unavailable) as caught:
        broadcast(chain, b"\x02raw")
    assert caught.value.code == "send_refused"
    assert str(refusal) in caught.value.message


def test_the_next_nonce_is_one_on_which_both_agree_at_least(opened: Opened) -> None:
    chain = opened(node(eth_getTransactionCount="0x7"), node(eth_getTransactionCount="0x5"))
    assert read_pending_nonce(chain, ME) == 5
    chain = opened(node(eth_getTransactionCount="0x7"), node(eth_getTransactionCount=Down()))
    with pytest.raises(Unavailable):
        read_pending_nonce(chain, ME)


# -- simulation --------------------------------------------------------------------------------------------------------

ERROR_NO = "0x08c379a0" + "20".rjust(64, "0") + "2".rjust(64, "0") + "6e6f".ljust(64, "0")  # Error("no")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal("execution reverted: no", 3, ERROR_NO), "no"),
        (Refusal("execution reverted", 3, "0x12345678"), "unknown error 0x12345678"),
        (Refusal("execution reverted", 3, "0xodd"), "execution reverted"),
        (Refusal("VM execution error", 3, {"data": "0x12345678"}), "unknown error 0x12345678"),
        (Refusal("execution reverted"), "execution reverted"),
    ],
    ids=["text", "unknown", "no-hex", "nested", "without-data"],
)
def test_a_call_that_would_revert_is_an_alarm_with_its_reason(opened: Opened, refusal: Refusal, reason: str) -> None:
    chain = opened(node(eth_call=refusal), node(eth_call=refusal))
    with pytest.raises(InvariantBroken) as caught:
        simulate(chain, ME, THEM, b"\x00" * 4)
    assert caught.value.code == "would_revert"
    assert reason in caught.value.message


def test_a_node_that_refuses_for_its_own_reasons_is_no_alarm(opened: Opened) -> None:
    busy = Refusal("rate limit exceeded", -32005)
    simulate(opened(node(eth_call=busy), node(eth_call="0x")), ME, THEM, b"\x00" * 4)
    with pytest.raises(Unavailable):
        simulate(opened(node(eth_call=busy), node(eth_call=busy)), ME, THEM, b"\x00" * 4)


def test_fees_follow_the_base_fee_with_a_margin_and_no_tip(opened: Opened) -> None:
    answers = node(eth_estimateGas="0x186a0", eth_getBlockByNumber={**block_at(30), "baseFeePerGas": "0x64"})
    fees = read_fees(opened(answers, answers), ME, THEM, b"\x00" * 4)
    assert (fees.gas_limit, fees.max_fee_per_gas, fees.max_priority_fee_per_gas) == (125_000, 200, 0)


# -- receipts ----------------------------------------------------------------------------------------------------------


def receipt_at(number: int, *, status: int = 1, name: str = "") -> dict[str, object]:
    """A receipt as a node tells it."""
    block = block_at(number, name=name)
    return {"blockNumber": block["number"], "blockHash": block["hash"], "status": hex(status), "logs": []}


def found(number: int, status: int = 1) -> Receipt:
    """The same as a value."""
    return Receipt(number, Hash32(bytes.fromhex(str(block_at(number)["hash"])[2:])), status == 1)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (None, None, None),
        (receipt_at(20), receipt_at(20), found(20)),
        (receipt_at(20, status=0), receipt_at(20, status=0), found(20, 0)),
        (receipt_at(28), receipt_at(28), found(28)),
    ],
    ids=["none", "final", "reverted", "head"],
)
def test_a_receipt_is_what_both_tell(opened: Opened, first: object, second: object, wanted: Receipt | None) -> None:
    chain = opened(node(eth_getTransactionReceipt=first), node(eth_getTransactionReceipt=second))
    assert read_receipt(chain, TX, FINAL) == wanted


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (receipt_at(20), None, "rpc_out_of_step"),
        (None, receipt_at(28), "rpc_out_of_step"),
        (receipt_at(28), receipt_at(29), "rpc_out_of_step"),
        (receipt_at(20, name="fork"), receipt_at(20, name="fork"), "rpc_out_of_step"),
        (None, Down(), "rpc_unreachable"),
        (receipt_at(20), Down(), "rpc_unreachable"),
        (Refusal("rate limit"), None, "rpc_refused"),
        ("0x1", "0x1", "rpc_unusable"),
        ({**receipt_at(20), "status": None}, receipt_at(20), "rpc_unusable"),
        ({**receipt_at(28), "blockHash": "0x12"}, receipt_at(28), "rpc_unusable"),
    ],
    ids=["one-final", "one-head", "two-heads", "fork", "none-down", "one-down", "refused", "text", "status", "hash"],
)
def test_nothing_is_decided_by_a_receipt_on_which_they_do_not_agree(
    opened: Opened, first: object, second: object, code: str
) -> None:
    chain = opened(node(eth_getTransactionReceipt=first), node(eth_getTransactionReceipt=second))
    with pytest.raises(Unavailable) as caught:
        read_receipt(chain, TX, FINAL)
    assert caught.value.code == code


def test_a_lie_about_a_final_receipt_is_an_alarm(opened: Opened) -> None:
    truth, lie = receipt_at(20, status=0), receipt_at(20, status=1)
    chain = opened(node(eth_getTransactionReceipt=truth), node(eth_getTransactionReceipt=lie))
    with pytest.raises(InvariantBroken) as caught:
        read_receipt(chain, TX, FINAL)
    assert caught.value.code == "rpc_disagreement"
