"""Answers as Arbitrum's nodes give them: our decoders take them, and time and height are never the parent chain's."""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bo_engine.units import Hash32, Wallet, hex_of
from io_layer.lottery.contracts.game import purchased_ticket
from io_layer.rpc import wire
from io_layer.rpc.connect import open_chain
from io_layer.rpc.reader import ChainReader, block_of
from io_layer.rpc.sender import read_fees, read_receipt
from services.transactions.foreign_nonces import _sent_by
from tests.support.scripted_node import Answers, scripted

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors" / "arbitrum"
#: Where money or time is decided.
PACKAGES = ("core", "merkle", "io_layer", "services", "workers", "watchdog", "cli", "verifier")


def vector(name: str) -> Any:
    """One answer's ``result``."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


LATEST, FINAL, NUMBERS = vector("block_latest"), vector("block_finalized"), vector("numbers")
RECEIPTS = ("receipt_purchase", "receipt_reverted", "receipt_internal", "receipt_retry")


def answers() -> Answers:
    """A node of Arbitrum with two blocks, four receipts and two transactions."""
    blocks = {"latest": LATEST, "finalized": FINAL, LATEST["number"]: LATEST, FINAL["number"]: FINAL}
    receipts = {vector(name)["transactionHash"]: vector(name) for name in RECEIPTS}
    return {
        **NUMBERS,
        "web3_clientVersion": "nitro/v3.6.4/linux-amd64/go1.23.0",
        "eth_getBlockByNumber": lambda params: blocks.get(params[0]),
        "eth_getTransactionReceipt": lambda params: receipts.get(params[0]),
    }


@pytest.fixture
def chain() -> Iterator[ChainReader]:
    """Two such nodes, opened as a real chain and not as a local one."""
    with ExitStack() as stack:
        urls = [stack.enter_context(scripted(answers())).url for _ in range(2)]
        yield open_chain(*urls, chain_id=42_161, says_local=False)


def test_a_block_has_its_own_height_and_time_and_not_the_parent_chains(chain: ChainReader) -> None:
    block = block_of(FINAL)
    assert (block.number, block.timestamp_s) == (int(FINAL["number"], 16), int(FINAL["timestamp"], 16))
    assert hex_of(block.block_hash) == FINAL["hash"]
    assert block.number != int(FINAL["l1BlockNumber"], 16)


def test_the_final_block_lies_minutes_behind_the_head_and_is_taken(chain: ChainReader) -> None:
    assert chain.read_final_block() == block_of(FINAL)
    assert block_of(LATEST).number - block_of(FINAL).number > 1_000


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_receipt_of_any_type_tells_the_block_of_this_chain_and_success(chain: ChainReader, name: str) -> None:
    given = vector(name)
    found = read_receipt(chain, Hash32(bytes.fromhex(given["transactionHash"][2:])), block_of(FINAL))
    assert found is not None
    assert found.block_number == int(given["blockNumber"], 16) != int(given["l1BlockNumber"], 16)
    assert found.succeeded == (name != "receipt_reverted")


def test_the_gas_estimate_holds_the_parent_chains_part_and_there_is_no_tip(chain: ChainReader) -> None:
    wallet = Wallet("0x" + "11" * 20)
    fees = read_fees(chain, wallet, wallet, b"")
    estimate = int(NUMBERS["eth_estimateGas"], 16)
    spent = vector("receipt_purchase")
    assert int(spent["gasUsedForL1"], 16) < int(spent["gasUsed"], 16) <= estimate <= fees.gas_limit
    assert (fees.max_priority_fee_per_gas, fees.base_fee) == (0, int(LATEST["baseFeePerGas"], 16))
    assert int(spent["effectiveGasPrice"], 16) == fees.base_fee <= fees.max_fee_per_gas


def test_a_purchase_is_read_from_a_log_whatever_stands_beside_it() -> None:
    for source in (vector("logs"), vector("receipt_purchase")["logs"]):
        (log,) = wire.logs(source)
        found = purchased_ticket(log, is_final=True)
        assert (found.ticket.ticket_id, found.ticket.day_id, found.ticket.paid_tips) == (90_001, 20_370, 2)
        assert found.block_number == int(FINAL["number"], 16)
        assert "blockTimestamp" not in log  # two clients of different age must not seem to disagree


@pytest.mark.parametrize("name", ["transaction_settler", "transaction_retry"])
def test_a_transaction_tells_sender_and_nonce_with_or_without_a_signature(name: str) -> None:
    given = vector(name)
    assert _sent_by(given) == (given["from"], int(given["nonce"], 16))


def test_no_code_takes_the_parent_chains_block_number_for_time() -> None:
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in ("l1BlockNumber", "gasUsedForL1", "sendCount")
    ]
    assert asked == []


def test_no_contract_uses_block_number_but_where_there_is_no_arbsys() -> None:
    uses = {
        path.name: re.findall(r".*\bblock\.number\b.*", re.sub(r"//.*", "", path.read_text("utf-8")))
        for path in (ROOT / "contracts" / "src").rglob("*.sol")
    }
    (fallback,) = [line.strip() for lines in uses.values() for line in lines]
    assert fallback == "return ok && answer.length == 32 ? abi.decode(answer, (uint256)) : block.number;"
    assert uses["VRFReceiver.sol"]
