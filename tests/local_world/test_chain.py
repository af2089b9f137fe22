"""The local chain: pace, finality, clock."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bo_engine.errors import InvalidInput, Unavailable
from bo_engine.units import SECONDS_PER_DAY
from local_world import chain as chain_module
from local_world import processes
from local_world.chain import CHAIN_ID, Chain, start_chain, wait_for_finality

GENESIS = 20_000 * SECONDS_PER_DAY


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    started = start_chain(tmp_path_factory.mktemp("chain"), genesis_s=GENESIS)
    yield started
    processes.end(started.process)


def test_it_starts_at_the_given_second_with_the_given_id(chain: Chain) -> None:
    assert int(chain.call("eth_chainId"), 16) == CHAIN_ID
    assert int(chain.call("eth_getBlockByNumber", "0x0", False)["timestamp"], 16) == GENESIS
    assert "anvil" in chain.call("web3_clientVersion")


def test_finality_moves_on_by_itself_within_two_seconds(chain: Chain) -> None:
    wait_for_finality(chain, chain.height(), wait_s=2.0)
    assert chain.height("finalized") <= chain.height("safe") <= chain.height()


def test_a_transaction_is_mined_at_once(tmp_path: Path) -> None:
    slow = start_chain(tmp_path, genesis_s=GENESIS, block_time_s=60)
    try:
        sender = slow.call("eth_accounts")[0]
        tx_hash = slow.call("eth_sendTransaction", {"from": sender, "to": sender, "value": "0x1"})
        deadline = time.monotonic() + 5
        while (receipt := slow.call("eth_getTransactionReceipt", tx_hash)) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert receipt["status"] == "0x1"
    finally:
        processes.end(slow.process)


def test_the_clock_moves_forward_until_a_final_block_is_there_and_never_back(chain: Chain) -> None:
    target = chain.now() + SECONDS_PER_DAY
    chain.advance_to(target)
    assert target <= chain.now("finalized") <= chain.now() <= target + 3
    chain.advance_to(target - 5_000)
    assert chain.now() >= target


def test_a_snapshot_brings_back_state_and_clock(chain: Chain) -> None:
    before = chain.now()
    name = chain.snapshot()
    chain.advance_to(before + SECONDS_PER_DAY)
    chain.fund("0x" + "11" * 20, 7)
    chain.revert(name)
    assert before <= chain.now() < before + 30
    assert chain.call("eth_getBalance", "0x" + "11" * 20, "latest") == "0x0"
    with pytest.raises(InvalidInput, match="no snapshot"):
        chain.revert("0x9999")


def test_without_npms_parts_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "_NODE_MODULES", tmp_path)
    with pytest.raises(Unavailable, match="make setup"):
        start_chain(tmp_path / "chain", genesis_s=GENESIS)


def test_old_states_and_logs_stay_in_its_folder(tmp_path: Path) -> None:
    started = start_chain(tmp_path / "chain", genesis_s=GENESIS)
    for _ in range(50):
        started.now()
    assert (tmp_path / "chain" / "anvil.log").stat().st_size < 10_000
    processes.end(started.process)
    assert not processes.is_running(started.process)
