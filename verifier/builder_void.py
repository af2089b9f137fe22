"""Builds the files of a voided day, stage by stage, as ``builder`` does those of a settled one (rule 2.12)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verifier import commissions, trees
from verifier.builder import Lies, Sources, Stage, as_bytes, dump_of, inputs_of, signed_files
from verifier.facts import VOIDED, Facts
from verifier.hashing import ZERO_WORD, sha256

REASON = "announced"
#: Who pays for the voucher tips of the self-test's voided day.
PROMOTIONS = "0x" + "77" * 20
DAY_S = 86_400


def voided_sources(sources: Sources) -> Sources:
    """The same day, on which nobody has committed anything."""
    nothing = {"settlement_hash": ZERO_WORD, "committed_at_s": 0, "commit_tx": None, "release_tx": None}
    told = {**sources.provenance, **nothing, "released_at_s": _voided_at_s(sources.day_id)}
    return replace(sources, provenance=told)


def voided_facts(facts: Facts, day_id: int) -> Facts:
    """The same chain, where the owner has voided the day after an announcement."""
    return replace(
        facts,
        status=VOIDED,
        word=None,
        run_hash=ZERO_WORD,
        settlement_hash=ZERO_WORD,
        committed_at_s=0,
        released_at_s=_voided_at_s(day_id),
        void_announced_at_s=_voided_at_s(day_id) - 10 * DAY_S,
        promotions=PROMOTIONS,
    )


def _voided_at_s(day_id: int) -> int:
    return (day_id + 41) * DAY_S


def build_void_files(sources: Sources, lies: Lies) -> dict[str, bytes]:
    """All files of the day."""
    stage = Stage(lies)
    head = stage("head", {"day_id": sources.day_id, "chain_id": sources.chain_id, "contracts": sources.contracts})
    rules = stage("rules", sources.ruleset)
    sold = stage("tickets", sources.tickets)
    inputs = inputs_of(stage, head, stage("ruleset", sources.ruleset_json), sold, sources.opening)
    promotions = stage("promotions", PROMOTIONS)
    refunds, vouchers = commissions.refunds_of(sold, rules, promotions)
    affiliates = stage("affiliates", _affiliates(head))
    pools = _pools(stage, inputs)
    stake = sum(pool["stake"] for pool in pools)
    told = {"void_reason": stage("reason", REASON), "promotions": promotions}
    result = stage(
        "result",
        {
            "schema": "bo-engine/void-result/1",
            "mode": "void",
            **head,
            **told,
            "seeds": None,
            "pools": pools,
            "payouts": stage("payouts", refunds),
            "affiliate_payouts": [],
            "totals": stage("totals", {"stake": stake, "refund": stake, "voucher_refund": vouchers}),
        },
    )
    dumps = {
        "winners_merkle.json": stage("winners_merkle", dump_of(head, "prize_vault", result["payouts"])),
        "affiliate_merkle.json": dump_of(head, "affiliate_vault", result["affiliate_payouts"]),
    }
    before = {"inputs.json": as_bytes(inputs), "affiliates.json": as_bytes(affiliates)}
    bundle = stage(
        "bundle",
        {
            "schema": "bo-engine/void-bundle/1",
            "mode": "void",
            **head,
            **told,
            "ruleset_hash": inputs["ruleset_hash"],
            "inputs_sha256": sha256(before["inputs.json"]),
            "affiliates_sha256": sha256(before["affiliates.json"]),
            "pools": inputs["pools"],
            "opening_state": inputs["opening_state"],
            "closing_state": [pool["closing"] for pool in pools],
            "refund_total": result["totals"]["refund"],
            "voucher_refund": result["totals"]["voucher_refund"],
            "refund_root": trees.root_of(dumps["winners_merkle.json"]["tree"]),
        },
    )
    six = {
        **before,
        "settlement_result.json": as_bytes(result),
        **{name: as_bytes(dump) for name, dump in dumps.items()},
        "commit_bundle.json": as_bytes(bundle),
    }
    return {**six, **signed_files(stage, head, six, bundle, sources)}


def _affiliates(head: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": "bo-engine/void-affiliates/1",
        "mode": "void",
        "day_id": head["day_id"],
        "chain_id": head["chain_id"],
        "referred": [],
        "affiliates": [],
        **dict.fromkeys(("affiliate_total", "charity_total", "net_fee", "fee"), 0),
    }


def _pools(stage: Stage, inputs: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    closing = stage(
        "closing",
        [{**one, "carry": one["carry"] + one["last_rollover"], "last_rollover": 0} for one in inputs["opening_state"]],
    )
    pools: Sequence[dict[str, Any]] = stage(
        "pool_results",
        [
            {**pool, "refund": pool["stake"], "opening": opening, "closing": after}
            for pool, opening, after in zip(inputs["pools"], inputs["opening_state"], closing, strict=True)
        ],
    )
    return pools
