"""What is committed: the bundle that names every fact of a day, and the contract's own structs (rules 4.3 and 4.5)."""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import rfc8785

from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, RunHash, hex_of, parse_hash32
from core.lottery.documents.parts import contracts_json, pool_day_json, seeds_json, state_json
from core.lottery.model import DayResult, Deployment, PoolState
from merkle.words import uint_word

SCHEMA: Final = "bo-engine/commit-bundle/2"


class SettlementStruct(NamedTuple):
    """The contract's ``Settlement``, in ABI order, as web3 takes it."""

    day_id: int
    pool_payout: tuple[int, ...]
    pool_jackpot_payout: tuple[int, ...]
    total_payout: int
    merkle_root: Hash32
    jackpot_hit: tuple[bool, ...]
    affiliate_total: int
    affiliate_root: Hash32
    charity_total: int
    run_hash: Hash32


def commit_bundle(
    *,
    result: DayResult,
    deployment: Deployment,
    ruleset_hash: Hash32,
    inputs_sha256: Hash32,
    affiliates_sha256: Hash32,
    winner_root: Hash32,
    affiliate_root: Hash32,
) -> dict[str, object]:
    """The content of ``commit_bundle.json``: facts only, so the same day gives the same hash on every machine."""
    pools = result.pools
    return {
        "schema": SCHEMA,
        "day_id": result.day_id,
        "chain_id": deployment.chain_id,
        "contracts": contracts_json(deployment),
        "ruleset_hash": hex_of(ruleset_hash),
        "inputs_sha256": hex_of(inputs_sha256),
        "affiliates_sha256": hex_of(affiliates_sha256),
        "pools": [pool_day_json(pool.pool_id, pool.sold) for pool in pools],
        "seeds": seeds_json(result.seeds),
        "winning_numbers": [list(pool.winning_numbers) for pool in pools] if result.seeds else [],
        "opening_state": [state_json(pool.opening) for pool in pools],
        "closing_state": [state_json(pool.closing) for pool in pools],
        "pool_payout": [str(pool.payout_atoms) for pool in pools],
        "pool_jackpot_payout": [str(pool.jackpot_payout_atoms) for pool in pools],
        "jackpot_hit": [pool.jackpot_hit for pool in pools],
        "total_payout": str(result.total_payout_atoms),
        "affiliate_total": str(result.affiliate_total_atoms),
        "charity_total": str(result.charity_total_atoms),
        "net_fee": str(result.net_fee_atoms),
        "winner_root": hex_of(winner_root),
        "affiliate_root": hex_of(affiliate_root),
    }


def bundle_bytes(bundle: dict[str, object]) -> bytes:
    """The file's bytes: RFC 8785 JSON, no newline at the end."""
    # rfc8785's type for JSON values is narrower than ours.
    return rfc8785.dumps(bundle)  # type: ignore[arg-type]


def run_hash(data: bytes) -> RunHash:
    """sha256 of the bundle's bytes, so that ``sha256sum commit_bundle.json`` prints it."""
    return RunHash(hex_of(hashlib.sha256(data).digest()))


def settlement_struct(
    result: DayResult, winner_root: Hash32, affiliate_root: Hash32, run_hash: RunHash
) -> SettlementStruct:
    """The day as ``commitMerkleSettlement`` takes it. Raises: InvalidInput ``bad_hash``."""
    return SettlementStruct(
        day_id=result.day_id,
        pool_payout=tuple(int(pool.payout_atoms) for pool in result.pools),
        pool_jackpot_payout=tuple(int(pool.jackpot_payout_atoms) for pool in result.pools),
        total_payout=result.total_payout_atoms,
        merkle_root=parse_hash32(winner_root),
        jackpot_hit=tuple(pool.jackpot_hit for pool in result.pools),
        affiliate_total=result.affiliate_total_atoms,
        affiliate_root=parse_hash32(affiliate_root),
        charity_total=result.charity_total_atoms,
        run_hash=parse_hash32(run_hash),
    )


def settlement_hash(struct: SettlementStruct) -> Hash32:
    """``keccak256(abi.encode(s))``, as the contract stores it. Raises: InvalidInput ``bad_amount``."""
    # Every field is static, so the encoding is the words one after another.
    return Hash32(
        keccak256(
            uint_word(struct.day_id)
            + b"".join(uint_word(amount) for amount in struct.pool_payout)
            + b"".join(uint_word(amount) for amount in struct.pool_jackpot_payout)
            + uint_word(struct.total_payout)
            + struct.merkle_root
            + b"".join(uint_word(int(hit)) for hit in struct.jackpot_hit)
            + uint_word(struct.affiliate_total)
            + struct.affiliate_root
            + uint_word(struct.charity_total)
            + struct.run_hash
        )
    )


def state_hash(states: Sequence[PoolState]) -> Hash32:
    """``keccak256(abi.encode(PoolState[5]))``, as the contract stores it for a day's opening state."""
    return Hash32(
        keccak256(
            b"".join(
                uint_word(state.carry_atoms)
                + uint_word(state.reserve_atoms)
                + uint_word(state.last_rollover_atoms)
                + uint_word(state.streak)
                for state in states
            )
        )
    )
