"""Builds a day's files from what was sold, stage by stage; a lie may be told at any stage and all later ones follow it.

That is what a forger does who recomputes everything that needs no secret. Without a lie it builds the honest day.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from verifier import commissions, draw, prizes, tickets, trees
from verifier.documents import DETERMINISTIC
from verifier.encodings import settlement_hash_of
from verifier.hashing import hex_of, sha256
from verifier.ruleset import hash_of_ruleset
from verifier.signatures import sign_with, signed_hash, wallet_of_secret
from verifier.strict_json import write_canonical

#: A stage's name, and what the forger makes of its honest value.
Lies = Mapping[str, Callable[[Any], Any]]

_AMOUNTS = frozenset(
    {
        *("carry", "reserve", "last_rollover", "stake", "amount", "commission", "prices", "vrf_word", "vrf_request_id"),
        *("affiliate_total", "charity_total", "net_fee", "fee", "rollover", "jackpot", "pot", "affiliate", "charity"),
        *("budget", "share", "each", "jackpot_each", "payout", "jackpot_payout"),
        *("total_payout", "pool_payout", "pool_jackpot_payout"),
    }
)


@dataclass(frozen=True)
class Sources:
    """What a settler has before he computes: all as values, amounts as ints, hashes as bytes."""

    day_id: int
    chain_id: int
    contracts: Mapping[str, str]
    ruleset: Mapping[str, Any]
    ruleset_json: Mapping[str, Any]
    opening: Sequence[Mapping[str, int]]
    tickets: Sequence[Mapping[str, Any]]
    seeds: Mapping[str, Any] | None
    rates: Mapping[str, int]
    provenance: Mapping[str, Any]
    secret: bytes  # signs the manifest


def build_files(sources: Sources, lies: Lies) -> dict[str, bytes]:
    """All files of the day."""
    stage = Stage(lies)
    head = stage("head", {"day_id": sources.day_id, "chain_id": sources.chain_id, "contracts": sources.contracts})
    rules = stage("rules", sources.ruleset)
    ruleset_json = stage("ruleset", sources.ruleset_json)
    sold = stage("tickets", sources.tickets)
    inputs = inputs_of(stage, head, ruleset_json, sold, sources.opening)
    as_drawn = {**inputs, "ruleset": rules}
    pools = _pool_results(stage, as_drawn, stage("splits", tickets.splits_of(sold, rules)), sources.seeds)
    fee = sum(pool["split"]["fee"] for pool in pools)
    affiliates = _affiliates(stage, head, sold, rules, known_rates=sources.rates, fee=fee)
    result = _result(stage, head, sold, pools, affiliates=affiliates, seeds=stage("seeds", sources.seeds))
    dumps = {
        "winners_merkle.json": stage("winners_merkle", dump_of(head, "prize_vault", result["payouts"])),
        "affiliate_merkle.json": stage(
            "affiliate_merkle", dump_of(head, "affiliate_vault", result["affiliate_payouts"])
        ),
    }
    before = {"inputs.json": as_bytes(inputs), "affiliates.json": as_bytes(affiliates)}
    bundle = stage("bundle", _bundle(head, inputs, result, dumps, before))
    six = {
        **before,
        "settlement_result.json": as_bytes(result),
        **{name: as_bytes(dump) for name, dump in dumps.items()},
        "commit_bundle.json": as_bytes(bundle),
    }
    return {**six, **signed_files(stage, head, six, bundle, sources)}


def inputs_of(
    stage: "Stage",
    head: Mapping[str, Any],
    ruleset_json: Mapping[str, Any],
    sold: Sequence[Mapping[str, Any]],
    opening: Sequence[Mapping[str, int]],
) -> Any:
    """What stands before the draw."""
    return stage(
        "inputs",
        {
            "schema": "bo-engine/inputs/1",
            **head,
            "ruleset": ruleset_json,
            "ruleset_hash": stage("ruleset_hash", hash_of_ruleset(ruleset_json)),
            "opening_state": stage("opening", opening),
            "pools": stage("pools", tickets.sold_by(sold)),
            "tickets": sold,
        },
    )


class Stage:
    """Each stage's value, honest unless a lie is told there."""

    def __init__(self, lies: Lies) -> None:
        self._lies = lies

    def __call__(self, name: str, honest: Any) -> Any:
        return self._lies[name](deepcopy(honest)) if name in self._lies else honest


def _pool_results(
    stage: Stage, inputs: Mapping[str, Any], splits: Sequence[Any], honest_seeds: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    rules, opening = inputs["ruleset"], inputs["opening_state"]
    budgets = stage("budgets", [prizes.budget_of(*both) for both in zip(opening, splits, strict=True)])
    seeds = stage("seeds", honest_seeds)
    numbers = stage("numbers", draw.winning_numbers(inputs["day_id"], inputs, seeds))
    won = stage("winners", prizes.count_matches(inputs["tickets"], numbers))
    tiers = stage("tiers", [prizes.tiers_of(*both, rules) for both in zip(budgets, won, strict=True)])
    pools = [
        {
            **inputs["pools"][number],
            "split": splits[number],
            "opening": opening[number],
            "budget": budgets[number],
            "winning_numbers": numbers[number],
            "tiers": tiers[number],
            "payout": sum(tier["each"] * tier["winning_tips"] for tier in tiers[number]),
        }
        for number in range(5)
    ]
    jackpots = stage("jackpots", [prizes.jackpot_of(pool, rules) for pool in pools])
    pools = [{**pool, **jackpot} for pool, jackpot in zip(pools, jackpots, strict=True)]
    closing = stage("closing", [prizes.closing_of(pool) for pool in pools])
    return [{**pool, "closing": state} for pool, state in zip(pools, closing, strict=True)]


def _affiliates(
    stage: Stage,
    head: Mapping[str, Any],
    sold: Sequence[Mapping[str, Any]],
    rules: Mapping[str, Any],
    *,
    known_rates: Mapping[str, int],
    fee: int,
) -> dict[str, Any]:
    rates = stage("rates", known_rates)
    pairs = stage("referred", commissions.referred_by(sold, rules))
    entries = [
        {"affiliate": affiliate, "player": player, "stake": stake, "rate_bps": rates[affiliate]}
        for affiliate, player, stake in pairs
    ]
    entries = stage("commissions", [{**entry, "commission": commissions.commission_of(entry)} for entry in entries])
    listed = stage("affiliates", commissions.affiliates_of(entries))
    total = sum(payout["amount"] for payout in listed)
    return {
        "schema": "bo-engine/affiliates/1",
        "day_id": head["day_id"],
        "chain_id": head["chain_id"],
        "referred": entries,
        "affiliates": listed,
        "affiliate_total": total,
        **stage("fee", {**commissions.fee_parts(fee, total, rules), "fee": fee}),
    }


def _result(
    stage: Stage,
    head: Mapping[str, Any],
    sold: Sequence[Mapping[str, Any]],
    pools: list[dict[str, Any]],
    *,
    affiliates: Mapping[str, Any],
    seeds: Mapping[str, Any] | None,
) -> dict[str, Any]:
    totals = {
        "stake": sum(pool["stake"] for pool in pools),
        "payout": sum(pool["payout"] + pool["jackpot_payout"] for pool in pools),
        "affiliate": affiliates["affiliate_total"],
        "charity": affiliates["charity_total"],
        "net_fee": affiliates["net_fee"],
        "fee": affiliates["fee"],
    }
    result: dict[str, Any] = stage(
        "result",
        {
            "schema": "bo-engine/settlement-result/2",
            **head,
            "seeds": seeds,
            "pools": pools,
            "payouts": stage("payouts", prizes.payouts_of(sold, pools)),
            "affiliate_payouts": affiliates["affiliates"],
            "totals": stage("totals", totals),
        },
    )
    return result


def _bundle(
    head: Mapping[str, Any],
    inputs: Mapping[str, Any],
    result: Mapping[str, Any],
    dumps: Mapping[str, Any],
    before: Mapping[str, bytes],
) -> dict[str, Any]:
    pools, totals = result["pools"], result["totals"]
    return {
        "schema": "bo-engine/commit-bundle/2",
        **head,
        "ruleset_hash": inputs["ruleset_hash"],
        "inputs_sha256": sha256(before["inputs.json"]),
        "affiliates_sha256": sha256(before["affiliates.json"]),
        "pools": inputs["pools"],
        "seeds": result["seeds"],
        "winning_numbers": [pool["winning_numbers"] for pool in pools] if result["seeds"] else [],
        "opening_state": inputs["opening_state"],
        "closing_state": [pool["closing"] for pool in pools],
        "pool_payout": [pool["payout"] for pool in pools],
        "pool_jackpot_payout": [pool["jackpot_payout"] for pool in pools],
        "jackpot_hit": [pool["jackpot_hit"] for pool in pools],
        "total_payout": totals["payout"],
        "affiliate_total": totals["affiliate"],
        "charity_total": totals["charity"],
        "net_fee": totals["net_fee"],
        "winner_root": trees.root_of(dumps["winners_merkle.json"]["tree"]),
        "affiliate_root": trees.root_of(dumps["affiliate_merkle.json"]["tree"]),
    }


def signed_files(
    stage: Stage, head: Mapping[str, Any], six: Mapping[str, bytes], bundle: Mapping[str, Any], sources: Sources
) -> dict[str, bytes]:
    """What names the six: checksums and the signed manifest; and the provenance."""
    sums = {name: sha256(six[name]) for name in DETERMINISTIC}
    checksums = {"schema": "bo-engine/checksums/1", "day_id": head["day_id"], "files": sums}
    manifest = stage(
        "manifest",
        {
            "schema": "bo-engine/manifest/1",
            **head,
            "run_hash": sums["commit_bundle.json"],
            "files": sums,
            "signer": wallet_of_secret(sources.secret),
        },
    )
    secret = stage("secret", sources.secret)
    manifest["signature"] = stage("signature", sign_with(secret, signed_hash(as_json(manifest))))
    committed = settlement_hash_of(bundle, sums["commit_bundle.json"], head["day_id"])
    told = {**sources.provenance, "day_id": head["day_id"], "settlement_hash": committed}
    provenance = stage("provenance", told)
    return {
        "checksums.json": as_bytes(stage("checksums", checksums)),
        "manifest.json": as_bytes(manifest),
        "provenance.json": as_bytes(provenance),
    }


def dump_of(head: Mapping[str, Any], vault: str, payouts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tree's dump over these payouts."""
    if not payouts:
        return {"tree": [], "values": []}
    domain, day_id = trees.leaf_domain(head["chain_id"], head["contracts"][vault]), head["day_id"]
    leaves = [trees.leaf_of(domain, day_id, payout["wallet"], payout["amount"]) for payout in payouts]
    nodes = trees.nodes_over(leaves)
    places = {node: place for place, node in enumerate(nodes)}
    return {
        "format": "standard-v1",
        "leafEncoding": ["bytes32", "uint256", "address", "uint256"],
        "tree": nodes,
        "values": [
            {
                "treeIndex": places[leaf],
                "value": [hex_of(domain), str(day_id), payout["wallet"], str(payout["amount"])],
            }
            for payout, leaf in zip(payouts, leaves, strict=True)
        ],
    }


def as_json(value: Any, key: str = "") -> Any:
    """Values as the files write them: amounts as decimal strings, bytes as hex."""
    if isinstance(value, Mapping):
        return {name: as_json(entry, name) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(entry, key) for entry in value]
    if isinstance(value, bytes):
        return hex_of(value)
    return str(value) if type(value) is int and key in _AMOUNTS else value


def as_bytes(value: Any) -> bytes:
    """A file's bytes."""
    return write_canonical(as_json(value))
