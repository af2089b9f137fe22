"""The files of a voided day as the engine's core writes them."""

from collections.abc import Sequence

from bo_engine.units import Wallet
from core.bundle import bundle_bytes
from core.documents.inputs import render_inputs
from core.documents.merkle_dumps import render_affiliate_merkle, render_winners_merkle, winner_tree
from core.documents.void import render_void_affiliates, render_void_result, void_bundle
from core.fold import fold_day
from core.model import PoolState, Ticket
from core.ruleset import Ruleset, ruleset_hash
from core.void import void_day
from tests.support.selftest_day import DAY, SELFTEST_DEPLOYMENT, sha256_of, with_sums


def void_files(
    ruleset: Ruleset, tickets: Sequence[Ticket], opening: tuple[PoolState, ...], *, promotions: Wallet
) -> dict[str, bytes]:
    """A day that the owner voided after an announcement."""
    voided = void_day(day_id=DAY, ruleset=ruleset, opening=opening, tickets=tickets, promotions=promotions)
    result, deployment = voided.result, SELFTEST_DEPLOYMENT
    inputs = render_inputs(
        day_id=DAY,
        deployment=deployment,
        ruleset=ruleset,
        opening=opening,
        sold=fold_day(DAY, ruleset, tickets).sold(),
        tickets=iter(tickets),
    )
    files = {
        "inputs.json": b"".join(inputs),
        "affiliates.json": b"".join(render_void_affiliates(day_id=DAY, chain_id=deployment.chain_id)),
        "settlement_result.json": b"".join(
            render_void_result(voided=voided, reason="announced", deployment=deployment)
        ),
        "winners_merkle.json": b"".join(render_winners_merkle(result=result, deployment=deployment)),
        "affiliate_merkle.json": b"".join(render_affiliate_merkle(result=result, deployment=deployment)),
    }
    bundle = void_bundle(
        voided=voided,
        reason="announced",
        deployment=deployment,
        ruleset_hash=ruleset_hash(ruleset),
        inputs_sha256=sha256_of(files["inputs.json"]),
        affiliates_sha256=sha256_of(files["affiliates.json"]),
        refund_root=winner_tree(deployment, DAY, result.payouts).root,
    )
    return with_sums({**files, "commit_bundle.json": bundle_bytes(bundle)}, DAY, deployment)
