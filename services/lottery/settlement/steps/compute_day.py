"""Step 3: draw, winners, payouts, both trees, the commit bundle and its hash (rule 4.3)."""

from typing import Any

from bo_engine.errors import InvariantBroken
from bo_engine.units import hex_of, parse_hash32
from core.lottery.documents.checksums import render_checksums
from io_layer.lottery.stores.artifacts import put_artifact, select_digests
from io_layer.lottery.stores.pipeline import Step, finish_step
from io_layer.lottery.stores.runs import (
    NewRun,
    Run,
    RunStatus,
    insert_run,
    select_affiliate_payouts,
    select_live_run,
    select_pool_results,
    select_tree,
    select_winner_payouts,
)
from io_layer.postgres.connection import Conn
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import (
    Computed,
    Opened,
    affiliates_document,
    compute,
    inputs_document,
    open_day,
    rates_in_force,
    referred_of_day,
    seeds_of_day,
    sha256_of,
)


def compute_day(context: LotteryContext, opened: Opened) -> dict[str, Any]:
    """Compute the day and store it as a ``dry_run``; an older one becomes superseded in the same transaction.

    A repeat that gives the stored run's hash changes nothing.
    Raises: InvariantBroken ``result_differs`` when the day is committed with another result; as ``day.compute``.
    """
    computed = compute_stored(context, opened)
    live = select_live_run(context.conn, opened.day_id)
    refuse_other_result(live, computed)
    if live is None or not _is_stored(context, opened, live, computed):
        _store(context, opened, computed)
    else:
        with context.transaction():
            finish_step(context.conn, opened.day_id, Step.COMPUTE, run_id=live.run_id)
    return facts_of(computed)


def compute_stored(context: LotteryContext, opened: Opened) -> Computed:
    """Compute the day and compare its inputs with those that were exported.

    Raises: InvariantBroken ``inputs_missing``, ``inputs_differ`` (what was exported is not what is there now).
    """
    stored = select_digests(context.conn, opened.day_id, None)
    computed = compute_in_memory(context, opened)
    for name, sha256 in computed.input_sha256s.items():
        if name not in stored:
            raise InvariantBroken("inputs_missing", f"day {opened.day_id} was exported, but its {name} is not stored")
        if stored[name] != sha256:
            raise InvariantBroken(
                "inputs_differ", f"{name} of day {opened.day_id} was exported with other bytes than the day gives now"
            )
    return computed


def compute_in_memory(context: LotteryContext, opened: Opened) -> Computed:
    """Compute the whole day without a single write; a dry run and a real run give the same run_hash."""
    seeds = seeds_of_day(context, opened)
    referred = referred_of_day(context, opened, rates_in_force(context, opened))
    return compute(
        context,
        opened,
        seeds=seeds,
        referred=referred,
        inputs_sha256=sha256_of(inputs_document(context, opened)),
        affiliates_sha256=sha256_of(affiliates_document(context, opened, referred)),
    )


def refuse_other_result(live: Run | None, computed: Computed) -> None:
    """Raises: InvariantBroken ``result_differs`` for a committed or settled day with another result."""
    if (
        live is not None
        and live.status in (RunStatus.COMMITTED, RunStatus.SETTLED)
        and live.run_hash != parse_hash32(computed.run_hash)
    ):
        raise InvariantBroken(
            "result_differs",
            f"day {live.day_id} is {live.status} with run_hash {hex_of(live.run_hash)}, but computes to "
            f"{computed.run_hash} now",
        )


def facts_of(computed: Computed) -> dict[str, Any]:
    """What a person or a script wants to know of a computed day. Amounts are decimal strings."""
    result = computed.result
    return {
        "run_hash": computed.run_hash,
        "winner_root": hex_of(computed.winner_tree.root),
        "affiliate_root": hex_of(computed.affiliate_tree.root),
        "winners": len(result.payouts),
        "total_payout": str(result.total_payout_atoms),
        "affiliate_total": str(result.affiliate_total_atoms),
        "charity_total": str(result.charity_total_atoms),
        "net_fee": str(result.net_fee_atoms),
    }


def _is_stored(context: LotteryContext, opened: Opened, live: Run, computed: Computed) -> bool:
    """Whether the live run is this result, row for row: rows that were changed by hand are computed anew."""
    wanted, result = _new_run(opened, computed), computed.result
    return (
        (live.run_hash, live.ruleset_hash, live.settlement_hash, live.winner_root, live.affiliate_root)
        == (wanted.run_hash, wanted.ruleset_hash, wanted.settlement_hash, wanted.winner_root, wanted.affiliate_root)
        and (live.total_payout_atoms, live.affiliate_total_atoms, live.charity_total_atoms, live.net_fee_atoms)
        == (
            result.total_payout_atoms,
            result.affiliate_total_atoms,
            result.charity_total_atoms,
            result.net_fee_atoms,
        )
        and list(zip(live.pool_payout, live.pool_jackpot_payout, live.jackpot_hit, strict=False))
        == [(pool.payout_atoms, pool.jackpot_payout_atoms, pool.jackpot_hit) for pool in result.pools]
        and tuple(select_winner_payouts(context.conn, live.run_id)) == result.payouts
        and tuple(select_affiliate_payouts(context.conn, live.run_id)) == result.affiliate_payouts
        and select_pool_results(context.conn, live.run_id) == result.pools
        and select_tree(context.conn, live.run_id, "winner") == wanted.winner_nodes
        and select_tree(context.conn, live.run_id, "affiliate") == wanted.affiliate_nodes
    )


def store_again(context: LotteryContext, run: Run) -> None:
    """Compute a committed day once more and store those of its files whose rows were removed.

    Raises: InvariantBroken ``result_differs``; ``artifact_conflict`` for one that is stored with other bytes.
    """
    opened = open_day(context, run.day_id)
    computed = compute_in_memory(context, opened)
    refuse_other_result(run, computed)
    referred = referred_of_day(context, opened, rates_in_force(context, opened))
    with context.conn.transaction():
        put_artifact(context.conn, run.day_id, None, "inputs.json", inputs_document(context, opened))
        put_artifact(context.conn, run.day_id, None, "affiliates.json", affiliates_document(context, opened, referred))
        _put_files(context.conn, run.run_id, computed)


def _store(context: LotteryContext, opened: Opened, computed: Computed) -> None:
    with context.transaction():
        run_id = insert_run(context.conn, _new_run(opened, computed))
        _put_files(context.conn, run_id, computed)
        finish_step(context.conn, opened.day_id, Step.COMPUTE, run_id=run_id)


def _put_files(conn: Conn, run_id: int, computed: Computed) -> None:
    """The run's own files. The same bytes again change nothing."""
    day_id, sha256s = computed.result.day_id, dict(computed.input_sha256s)
    for name, chunks in computed.documents().items():
        sha256s[name], _ = put_artifact(conn, day_id, run_id, name, chunks())
    put_artifact(conn, day_id, run_id, "checksums.json", render_checksums(day_id=day_id, sha256s=sha256s))


def _new_run(opened: Opened, computed: Computed) -> NewRun:
    return NewRun(
        result=computed.result,
        run_hash=parse_hash32(computed.run_hash),
        ruleset_hash=opened.facts.ruleset_hash,
        settlement_hash=computed.settlement_hash,
        winner_root=computed.winner_tree.root,
        affiliate_root=computed.affiliate_tree.root,
        winner_nodes=computed.winner_tree.nodes,
        affiliate_nodes=computed.affiliate_tree.nodes,
    )
