"""Rules 4.3 and 4.5: the run hash and the contract's structs."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import rfc8785
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.keccak import keccak256
from bo_engine.units import Atoms, Hash32, PoolId, RunHash, hex_of
from core.lottery.bundle import bundle_bytes, commit_bundle, run_hash, settlement_hash, settlement_struct, state_hash
from core.lottery.model import DayResult, PoolState
from core.lottery.ruleset import RULESET_1, ruleset_hash
from tests.support.days import DAY, DEPLOYMENT, EMPTY_STATE, Day, days, openings, quick, seeds_for, ticket, wallet

hashes = st.binary(min_size=32, max_size=32).map(Hash32)
ONE, TWO, THREE, FOUR, FIVE = (Hash32(bytes([number]) * 32) for number in range(1, 6))
SETTLEMENT = "(uint256,uint256[5],uint256[5],uint256,bytes32,bool[5],uint256,bytes32,uint256,bytes32)"


def bundle(result: DayResult, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "result": result,
        "deployment": DEPLOYMENT,
        "ruleset_hash": ruleset_hash(RULESET_1),
        "inputs_sha256": TWO,
        "affiliates_sha256": THREE,
        "winner_root": FOUR,
        "affiliate_root": FIVE,
    }
    return commit_bundle(**{**facts, **changes})


def some_day() -> DayResult:
    tips = [(1, 2, 3, 4, 5, 6)]
    tickets = (ticket(1, 2, wallet(1), tips, paid=1), ticket(2, 0, wallet(2), tips, paid=1))
    return Day(RULESET_1, (EMPTY_STATE,) * 5, tickets, (), seeds_for(RULESET_1, DAY)).settle()


@quick
@given(days())
def test_the_run_hash_is_sha256_of_the_canonical_bytes(day: Day) -> None:
    result = day.settle()
    document = bundle(result)
    data = bundle_bytes(document)
    assert data == rfc8785.dumps(json.loads(data))
    assert json.loads(data) == document
    assert run_hash(data) == "0x" + hashlib.sha256(data).hexdigest()
    assert run_hash(bundle_bytes(bundle(day.settle()))) == run_hash(data)
    assert (document["seeds"] is None) == (document["winning_numbers"] == []) == (not day.tickets)


def test_a_bundle_names_every_fact_of_the_day() -> None:
    result = some_day()
    document = bundle(result)
    seeds, pool = result.seeds, result.pools[2]
    assert seeds is not None
    assert document["schema"] == "bo-engine/commit-bundle/2"
    assert (document["day_id"], document["chain_id"]) == (DAY, 421_614)
    assert document["contracts"] == {
        "settlement": wallet(0xA1),
        "game_manager": wallet(0xA2),
        "prize_vault": wallet(0xA3),
        "affiliate_vault": wallet(0xA4),
    }
    assert document["pools"][2] == {
        "pool_id": 2,
        "ticket_count": 1,
        "tip_count": 1,
        "stake": "1000000",
        "digest": hex_of(pool.sold.digest),
    }
    assert document["seeds"] == {
        "vrf_word": "7",
        "vrf_requested_at": seeds.vrf_requested_at,
        "drand_round": seeds.drand_round,
        "drand_signature": "0x" + "01" * 48,
        "drand_randomness": hex_of(seeds.drand_randomness),
    }
    assert document["closing_state"][2] == {
        "carry": str(pool.closing.carry_atoms),
        "reserve": str(pool.closing.reserve_atoms),
        "last_rollover": "50000",
        "streak": 1,
    }
    assert document["winning_numbers"] == [list(pool.winning_numbers) for pool in result.pools]
    assert document["net_fee"] == str(result.net_fee_atoms)


def test_every_fact_moves_the_run_hash() -> None:
    result = some_day()
    pool, seeds = result.pools[2], result.seeds
    assert seeds is not None

    def with_pool(**changes: Any) -> DayResult:
        pools = (*result.pools[:2], replace(pool, **changes), *result.pools[3:])
        return replace(result, pools=pools)

    others = [
        bundle(result),
        bundle(result, ruleset_hash=ONE),
        bundle(result, inputs_sha256=ONE),
        bundle(result, affiliates_sha256=ONE),
        bundle(result, winner_root=ONE),
        bundle(result, affiliate_root=ONE),
        bundle(result, deployment=replace(DEPLOYMENT, chain_id=1)),
        bundle(result, deployment=replace(DEPLOYMENT, prize_vault=wallet(77))),
        bundle(replace(result, seeds=replace(seeds, vrf_word=8))),
        bundle(replace(result, net_fee_atoms=Atoms(1))),
        bundle(replace(result, charity_total_atoms=Atoms(1))),
        bundle(replace(result, total_payout_atoms=Atoms(1))),
        bundle(with_pool(winning_numbers=(6, 5, 4, 3, 2, 1))),
        bundle(with_pool(opening=replace(pool.opening, streak=9))),
        bundle(with_pool(closing=replace(pool.closing, streak=9))),
        bundle(with_pool(sold=replace(pool.sold, digest=ONE))),
        bundle(with_pool(payout_atoms=Atoms(9))),
        bundle(with_pool(jackpot_payout_atoms=Atoms(9))),
        bundle(with_pool(jackpot_hit=True)),
    ]
    assert len({run_hash(bundle_bytes(document)) for document in others}) == len(others)


@quick
@given(days(), hashes, hashes, hashes)
def test_the_settlement_hash_is_the_contracts(
    day: Day, winner_root: Hash32, affiliate_root: Hash32, run: Hash32
) -> None:
    result = day.settle()
    struct = settlement_struct(result, winner_root, affiliate_root, RunHash(hex_of(run)))
    assert settlement_hash(struct) == keccak256(encode([SETTLEMENT], [tuple(struct)]))
    assert struct.total_payout == sum(struct.pool_payout) + sum(struct.pool_jackpot_payout)
    assert [amount > 0 for amount in struct.pool_jackpot_payout] == list(struct.jackpot_hit)


@quick
@given(openings)
def test_the_state_hash_is_the_contracts(states: tuple[PoolState, ...]) -> None:
    rows = [(item.carry_atoms, item.reserve_atoms, item.last_rollover_atoms, item.streak) for item in states]
    assert state_hash(states) == keccak256(encode(["(uint256,uint256,uint256,uint256)[5]"], [rows]))


def test_a_struct_names_each_pool_in_its_place() -> None:
    result = some_day()
    pools = tuple(replace(pool, pool_id=PoolId(n), payout_atoms=Atoms(n)) for n, pool in enumerate(result.pools))
    struct = settlement_struct(replace(result, pools=pools), ONE, TWO, RunHash(hex_of(THREE)))
    assert struct.pool_payout == (0, 1, 2, 3, 4)
    assert (struct.merkle_root, struct.affiliate_root, struct.run_hash) == (ONE, TWO, THREE)
