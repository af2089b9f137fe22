"""Blocks are replaced while a day is settled: above the final block that costs time only (C07 for the logs), past it
every job that moves money stops, with both hashes kept as evidence (C03).

The run is stopped at a boundary (tests/support/boundaries.py), the newest blocks are replaced by empty ones, and it
goes on. Each commit of both stretches meets one of the eight pairs of moment (before, after) and depth (1, 2, 8, 64),
neighbours meet different ones (a Latin square turned by KILL_SEED); the transactions that are sent meet all eight. Of
the other boundaries (statements within a transaction, steps of writing a file) every third is taken: each of them with
each pair would take hours.
"""

import json
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import io_layer.rpc.reader
from bo_engine.errors import EXIT_DONE, EXIT_FAILED, InvariantBroken
from io_layer.rpc.reader import ChainReader
from services.lottery.context import LotteryContext
from services.transactions.resume import resume_transactions
from tests.faults.test_kill_points import SEED, STRETCHES, Record, told
from tests.invariants.checker import check_invariants
from tests.support.fault_modes import forget_the_chain, impatient, rule_of, set_fault, settle_after
from tests.support.fees import SEND
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.kill_world import PADDING, Runner, Trial, opened_trial
from tests.support.observed import attempts, halts, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld, opened_sold_world
from tests.support.refusals import refused

pytestmark = pytest.mark.world

PAIRS = list(product(("before", "after"), (1, 2, 8, 64)))
SHARDS = 8
MINOR_EVERY = 3


@pytest.fixture
def sold_world(tmp_path: Path) -> Iterator[PlayedWorld]:
    """A world for each test: anvil goes back 64 blocks only as long as it has written no states to the disk."""
    with opened_sold_world(tmp_path) as sold:
        yield sold


def cases(trial: Trial) -> list[tuple[int, str, int]]:
    """Boundary, moment and depth of every reorg that is tried."""
    rng = random.Random(f"{SEED} reorgs {trial.name}")
    square, turn = rng.sample(PAIRS, len(PAIRS)), rng.randrange(MINOR_EVERY)
    chosen = [
        boundary
        for place, boundary in enumerate(trial.boundaries)
        if boundary.kind in ("send", "commit") or place % MINOR_EVERY == turn
    ]
    found = []
    for place, boundary in enumerate(chosen):
        pairs = PAIRS if boundary.kind == "send" else [square[place % len(square)]]
        found += [(boundary.number, *pair) for pair in pairs]
    return found


@pytest.mark.slow
def test_a_sample_of_reorgs_at_boundaries_costs_time_and_no_truth(
    runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    rng = random.Random(f"{SEED} reorgs")
    with opened_trial("first", runner, played) as trial:
        every = cases(trial)
        trial.reorg(*rng.choice([case for case in every if case[2] <= 2]))
        trial.reorg(*rng.choice([case for case in every if case[2] > 2]))
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_reorg_at_every_boundary_costs_time_or_stops_the_day_and_no_truth(
    stretch: str, shard: int, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played) as trial:
        for case in cases(trial)[shard::SHARDS]:
            trial.reorg(*case)
        told(record_property, trial)


# -- C03 ---------------------------------------------------------------------------------------------------------------


def resume_all(context: LotteryContext) -> object:
    """`tx resume` for whatever is open."""
    return resume_transactions(context, tx_id=None, dry_run=False)


@pytest.mark.slow
def test_a_final_block_that_changes_stops_every_money_job_and_both_hashes_are_kept(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    true_run_hash(played)
    played.chain.mine(PADDING)
    played.settle()
    ((state, committed),) = attempts(played)
    ((number, was),) = rows(
        played, "SELECT block_number, encode(block_hash, 'hex') FROM event_cursors WHERE name = 'final block'"
    )
    assert state == "FINAL"
    played.chain.call("anvil_reorg", 64, [])
    played.chain.mine(3)
    nonce = settler_nonce(played)
    played.world.primary_proxy.heal()
    through = {"RPC_URL": played.world.primary_proxy.url}

    alarm = halts(played, "final_block_changed", **through)
    found = played.chain.call("eth_getBlockByNumber", hex(number), False)["hash"]
    assert f"0x{was}" in alarm.message and found in alarm.message and found != f"0x{was}"
    for job in (recover_intents, refresh_seeds, resume_all):
        with played.context(**through) as context, pytest.raises(InvariantBroken) as caught:
            job(context)
        assert caught.value.code == "final_block_changed"
    evidence = rows(played, "SELECT details FROM audit_log WHERE action = 'final_block_changed' ORDER BY audit_id")
    assert {(one["was"], one["is"]) for (one,) in evidence if one["block_number"] == number} == {(f"0x{was}", found)}
    assert len(evidence) == len({str(one) for (one,) in evidence})  # told once, however often it is met
    assert (settler_nonce(played), SEND in played.world.primary_proxy.calls()) == (nonce, False)

    settle_after(played)  # a person resumes the day: the same bytes are sent again
    assert attempts(played) == [("FINAL", committed)]


@pytest.mark.parametrize(("is_shorter", "code"), [(False, "final_block_changed"), (True, "cursor_ahead")])
@pytest.mark.sampled(1)
def test_a_chain_that_goes_back_below_what_was_final_stops_the_day_before_it_has_grown_again(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, is_shorter: bool, code: str
) -> None:
    impatient(monkeypatch)
    true_run_hash(played)
    played.chain.mine(PADDING)
    played.settle()
    ((number,),) = rows(played, "SELECT block_number FROM event_cursors WHERE name = 'final block'")
    played.chain.call("anvil_rollback", 64)
    if not is_shorter:  # it has the block again, and calls only older ones final
        played.chain.mine(number - played.chain.height())
    halts(played, code)
    settle_after(played)


@pytest.mark.slow
def test_a_chain_that_changed_while_no_day_is_due_is_taken_as_it_is_by_a_person(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    played.chain.mine(PADDING)
    assert played.cli("recover-intents").code == EXIT_DONE
    nothing_to_resume = refused(
        played, "resume", "--chain", "--by", "Ann", "--json", code="chain_not_changed", exit_code=EXIT_FAILED,
        may_change=("table engine_locks",),
    )  # fmt: skip
    assert "nothing to resume" in nothing_to_resume.message
    tickets = rows(played, "SELECT ticket_id, buyer FROM tickets ORDER BY ticket_id")
    played.chain.call("anvil_reorg", 64, [])
    played.chain.mine(3)
    assert json.loads(played.cli("recover-intents", "--json").stdout)["error"] == "final_block_changed"
    done = json.loads(played.cli("resume", "--chain", "--by", "Ann", "--json").stdout)
    assert (done["was"], done["resumed_by"]) == ("final_block_changed", "Ann")
    assert played.cli("recover-intents").code == EXIT_DONE
    assert rows(played, "SELECT ticket_id, buyer FROM tickets ORDER BY ticket_id") == tickets
    assert rows(played, "SELECT actor FROM audit_log WHERE action = 'chain_resumed'") == [("Ann",)]
    check_invariants(played)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_a_reorg_above_the_final_block_is_no_alarm(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    impatient(monkeypatch)
    true_run_hash(played)
    played.settle()
    played.chain.call("anvil_reorg", depth, [])
    settle_after(played)
    assert rows(played, "SELECT count(*) FROM audit_log WHERE action IN ('final_block_changed', 'day_resumed')") == [
        (0,)
    ]


# -- C07 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_reorg_of_64_blocks_while_logs_are_paged_leaves_the_same_tickets(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    true_run_hash(played)
    before = rows(played, "SELECT ticket_id, digest, tx_hash, block_hash FROM tickets ORDER BY ticket_id")
    forget_the_chain(played)
    # The final block stays where it is, and 70 blocks stand above it: as on Arbitrum, where finality takes minutes.
    set_fault(played, "both", rule_of("frozen_finality"))
    with played.context(RPC_URL=played.world.primary_proxy.url) as context:
        context.chain.read_final_block()
    played.chain.mine(70)
    monkeypatch.setattr(io_layer.rpc.reader, "_LOG_PAGE_BLOCKS", 20)
    pages: list[int] = []
    real = ChainReader.read_log_pages

    def read_log_pages(self: ChainReader, *given: Any) -> Any:
        for stop, page in real(self, *given):
            pages.append(stop)
            if len(pages) == 2:
                played.chain.call("anvil_reorg", 64, [])
            yield stop, page

    monkeypatch.setattr(ChainReader, "read_log_pages", read_log_pages)
    with played.context(RPC_URL=played.world.primary_proxy.url) as context:
        recover_intents(context)
    assert len(pages) > 3
    assert rows(played, "SELECT ticket_id, digest, tx_hash, block_hash FROM tickets ORDER BY ticket_id") == before
    monkeypatch.undo()
    impatient(monkeypatch)
    settle_after(played)
