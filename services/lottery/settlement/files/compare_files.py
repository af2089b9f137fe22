"""Compares the stored files of a day with its run: what is signed and published is what the chain's run_hash names.

The rows of settlement_artifacts can be changed by the database's owner. So no stored file is believed: the bundle must
have the run_hash, inputs.json and affiliates.json the sha256 that the bundle names, and the others the bytes that the
run's rows give, which must give the bundle as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import InvalidInput, InvariantBroken, require_invariant
from bo_engine.strict_json import parse_json
from bo_engine.units import Atoms, DayId, Hash32, hex_of, parse_hash32, parse_wallet
from core.lottery.bundle import bundle_bytes, commit_bundle
from core.lottery.documents.checksums import DETERMINISTIC_FILES, render_checksums
from core.lottery.documents.manifest import Manifest, render_manifest
from core.lottery.documents.merkle_dumps import (
    affiliate_tree,
    render_affiliate_merkle,
    render_winners_merkle,
    winner_tree,
)
from core.lottery.documents.settlement_result import render_settlement_result
from core.lottery.model import DayResult
from io_layer.lottery.contracts.commits import read_commit_sender
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED
from io_layer.lottery.manifest_signature import manifest_signer
from io_layer.lottery.stores.artifacts import (
    CHUNK_BYTES,
    StoredArtifact,
    select_artifacts,
    select_digests,
    stream_artifact,
)
from io_layer.lottery.stores.pipeline import select_day
from io_layer.lottery.stores.runs import (
    Run,
    RunStatus,
    select_affiliate_payouts,
    select_live_run,
    select_pool_results,
    select_tree,
    select_winner_payouts,
)
from io_layer.lottery.stores.seeds import select_seeds
from io_layer.postgres.connection import Conn
from services.lottery.context import LotteryContext
from services.lottery.days.foreign_commit import foreign_commit
from services.lottery.settlement.day import sha256_of
from services.lottery.settlement.steps.approve_day import require_approved_rows, way_out

BUNDLE: Final = "commit_bundle.json"
CHECKSUMS: Final = "checksums.json"
MANIFEST: Final = "manifest.json"
PROVENANCE: Final = "provenance.json"
FILES: Final = (*DETERMINISTIC_FILES, CHECKSUMS)
CHANGED: Final = "changed in the database"
ROWS: Final = "rows"  # stands among the names of files for the run itself


@dataclass(frozen=True, slots=True)
class Compared:
    """``sha256s``: of the six files and checksums.json as they must be, empty without a good bundle; ``differing``:
    stored files by name, and what is wrong with each."""

    sha256s: Mapping[str, Hash32]
    differing: Mapping[str, str]


def computed_run(conn: Conn, day_id: DayId) -> Run | None:
    """The day's live run if its seven files must stand; None before compute, also after the day has begun anew."""
    row = select_day(conn, day_id)
    return select_live_run(conn, day_id) if row is not None and row.compute_ok else None


def lacks_files(conn: Conn, run: Run) -> bool:
    """Whether a row of one of the seven files is gone."""
    return not set(FILES) <= select_digests(conn, run.day_id, run.run_id).keys()


def compare_files(context: LotteryContext, run: Run) -> Compared:
    """Compare the stored bytes with the run's rows and its bundle. Reads each file once, in bounded memory.

    Raises: InvariantBroken ``settlement_differs`` when the rows themselves are not those that were approved or do not
    give the bundle, ``foreign_commit`` when the chain has released or committed another run_hash.
    """
    _require_rows(context, run)
    stored = {one.name: one for one in select_artifacts(context.conn, run.day_id, run.run_id)}
    bundle = _small_file(context.conn, stored.get(BUNDLE))
    if bundle is None or sha256_of([bundle]) != run.run_hash:
        return Compared({}, {BUNDLE: "its sha256 is not the run_hash" if BUNDLE in stored else "is missing"})
    sha256s = _sha256s(context, run, bundle)
    found = {name: _difference(context.conn, stored.get(name), sha256) for name, sha256 in sha256s.items()}
    differing = {name: difference for name, difference in found.items() if difference}
    unknown = stored.keys() - {*FILES, MANIFEST, PROVENANCE}
    return Compared(sha256s, {**differing, **dict.fromkeys(sorted(unknown), "is no file of a day")})


def require_files(context: LotteryContext, run: Run) -> Mapping[str, Hash32]:
    """The sha256 of the six files and of checksums.json, which the stored bytes have.

    Raises: InvariantBroken ``files_differ``, all differing files listed; as ``compare_files``.
    """
    compared = compare_files(context, run)
    if compared.differing:
        raise InvariantBroken(
            "files_differ",
            f"stored files of day {run.day_id} are not those of its run {run.run_id}: {', '.join(compared.differing)}; "
            f"nothing is signed or published; look who changed them, then {files_way_out(run)}",
            [f"{name} {difference}" for name, difference in compared.differing.items()],
        )
    return compared.sha256s


def require_manifest(context: LotteryContext, run: Run, sha256s: Mapping[str, Hash32]) -> None:
    """The stored manifest names these files, and the SETTLER has signed it. Raises: InvariantBroken
    ``manifest_differs``."""
    difference = manifest_difference(context, run, sha256s)
    require_invariant(
        difference is None,
        "manifest_differs",
        f"the stored manifest.json of day {run.day_id} {difference}; nothing is published; look who changed it, then "
        "remove its row as docs/operations.md says: it is signed anew",
    )


def manifest_difference(context: LotteryContext, run: Run, sha256s: Mapping[str, Hash32]) -> str | None:
    """What is wrong with the stored manifest; None if nothing is. ``sha256s``: at least of the six files."""
    stored = {one.name: one for one in select_artifacts(context.conn, run.day_id, run.run_id)}
    data = _small_file(context.conn, stored.get(MANIFEST))
    try:
        fields = parse_json(data or b"")
        files = {name: sha256s[name] for name in DETERMINISTIC_FILES}
        manifest = Manifest(run.day_id, context.game.deployment, files, parse_wallet(fields["signer"]))
        signature = bytes.fromhex(fields["signature"].removeprefix("0x"))
        if b"".join(render_manifest(manifest, signature)) != data:
            return "does not name the day's files, or not in its one form"
        signer = manifest_signer(manifest, signature)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput):
        return "is no manifest"
    if signer != manifest.signer:
        return f"is not signed by {manifest.signer}, whom it names"
    final = context.chain.read_final_block()
    _, holder = context.game.read_settlers(final)
    if manifest.signer != holder and manifest.signer != read_commit_sender(context.game, final, run.day_id):
        return f"is signed by {manifest.signer}, who is not the SETTLER and has not sent the day's commit"
    return None


def stored_states(context: LotteryContext, day_id: DayId) -> dict[str, str]:
    """What of the day's stored files is not as it must be, by name; ``rows`` where the run itself is not. Reads only.

    Before a day is computed there is nothing to compare with.
    """
    run = computed_run(context.conn, day_id)
    if run is None:
        return {}
    try:
        compared = compare_files(context, run)
    except InvariantBroken as error:
        return {ROWS: str(error)}
    states = {name: f"{CHANGED}: {difference}" for name, difference in compared.differing.items()}
    stored = select_digests(context.conn, day_id, run.run_id)
    if MANIFEST in stored and compared.sha256s:
        difference = manifest_difference(context, run, compared.sha256s)
        if difference is not None:
            states[MANIFEST] = f"{CHANGED}: {difference}"
    return states


def files_way_out(run: Run) -> str:
    """How a day comes by good files again: nothing that was changed is brought back."""
    if run.status in (RunStatus.DRY_RUN, RunStatus.APPROVED):
        return way_out(run)
    return (
        "remove their rows as docs/operations.md says: `bo-engine artifacts restore "
        f"--day {run.day_id}` makes them anew, and `bo-engine resume --day {run.day_id} --by NAME` lets the day go on"
    )


def _require_rows(context: LotteryContext, run: Run) -> None:
    if run.status != RunStatus.DRY_RUN:
        require_approved_rows(context, run)
    if run.status in (RunStatus.COMMITTED, RunStatus.SETTLED):
        record = context.game.read_record(context.chain.read_final_block(), run.day_id)
        if record.status in (COMMITTED, RELEASED) and record.settlement_hash != run.settlement_hash:
            raise foreign_commit(run.day_id, record, "on both endpoints", f"ours is {hex_of(run.settlement_hash)}")
        require_invariant(
            record.status not in (COMMITTED, RELEASED) or record.run_hash == run.run_hash,
            "settlement_differs",
            f"day {run.day_id} stands on-chain with run_hash {hex_of(record.run_hash)}, the database has "
            f"{hex_of(run.run_hash)}: restore the database (docs/operations.md)",
        )


def _sha256s(context: LotteryContext, run: Run, bundle: bytes) -> dict[str, Hash32]:
    """The sha256 of each file: what the bundle names, and what the rows give if they give the bundle too."""
    deployment, result = context.game.deployment, _result_of_rows(context.conn, run)
    winners = winner_tree(deployment, run.day_id, result.payouts)
    affiliates = affiliate_tree(deployment, run.day_id, result.affiliate_payouts)
    try:
        fields = parse_json(bundle)
        inputs, commissions = (parse_hash32(fields[name]) for name in ("inputs_sha256", "affiliates_sha256"))
    except (ValueError, KeyError, TypeError, InvalidInput):
        inputs = commissions = Hash32(bytes(32))  # the comparison below says so
    again = commit_bundle(
        result=result,
        deployment=deployment,
        ruleset_hash=run.ruleset_hash,
        inputs_sha256=inputs,
        affiliates_sha256=commissions,
        winner_root=winners.root,
        affiliate_root=affiliates.root,
    )
    require_invariant(
        bundle_bytes(again) == bundle
        and select_tree(context.conn, run.run_id, "winner") == winners.nodes
        and select_tree(context.conn, run.run_id, "affiliate") == affiliates.nodes,
        "settlement_differs",
        f"the rows of run {run.run_id} (day {run.day_id}) do not give its commit bundle; nothing is signed or "
        f"published; look who changed them, then {way_out(run)}",
    )
    sha256s = {
        "inputs.json": inputs,
        "affiliates.json": commissions,
        "settlement_result.json": sha256_of(render_settlement_result(result=result, deployment=deployment)),
        "winners_merkle.json": sha256_of(render_winners_merkle(result=result, deployment=deployment)),
        "affiliate_merkle.json": sha256_of(render_affiliate_merkle(result=result, deployment=deployment)),
        BUNDLE: run.run_hash,
    }
    return {**sha256s, CHECKSUMS: sha256_of(render_checksums(day_id=run.day_id, sha256s=sha256s))}


def _result_of_rows(conn: Conn, run: Run) -> DayResult:
    pools = select_pool_results(conn, run.run_id)
    seeds = select_seeds(conn, run.day_id) if any(pool.sold.tip_count for pool in pools) else None
    return DayResult(
        day_id=run.day_id,
        pools=pools,
        payouts=tuple(select_winner_payouts(conn, run.run_id)),
        affiliate_payouts=tuple(select_affiliate_payouts(conn, run.run_id)),
        total_payout_atoms=run.total_payout_atoms,
        affiliate_total_atoms=run.affiliate_total_atoms,
        charity_total_atoms=run.charity_total_atoms,
        net_fee_atoms=run.net_fee_atoms,
        fee_atoms=Atoms(run.affiliate_total_atoms + run.charity_total_atoms + run.net_fee_atoms),
        seeds=seeds.complete() if seeds else None,
    )


def _small_file(conn: Conn, stored: StoredArtifact | None) -> bytes | None:
    """The bytes of a file that is small by nature; None for none, a larger or a damaged one."""
    if stored is None or stored.size > CHUNK_BYTES:
        return None
    try:
        return b"".join(stream_artifact(conn, stored))
    except InvariantBroken:
        return None


def _difference(conn: Conn, stored: StoredArtifact | None, sha256: Hash32) -> str | None:
    """What is wrong with a stored file whose bytes must have this sha256."""
    if stored is None:
        return "is missing"
    try:
        found = sha256_of(stream_artifact(conn, stored))
    except InvariantBroken as error:  # artifact_damaged
        return error.message
    return None if found == sha256 else "is not what the run's rows and its bundle give"
