"""The day's files: copies of what the database holds, in ARTIFACTS_DIR/dayId=N (rule 4.7)."""

from collections.abc import Iterator, Set
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import DayId, hex_of
from io_layer.lottery.artifact_files import day_folder, remove_copy, remove_leftovers, sha256_stored, write_artifact
from io_layer.lottery.stores.artifacts import (
    StoredArtifact,
    select_artifacts,
    select_copies,
    select_digests,
    select_former_digests,
    stream_artifact,
)
from io_layer.lottery.stores.runs import RunStatus, select_live_run
from io_layer.postgres.connection import Conn
from services.lottery.context import LotteryContext
from services.lottery.settlement.files.compare_files import (
    MANIFEST,
    PROVENANCE,
    computed_run,
    lacks_files,
    require_files,
    require_manifest,
)
from services.lottery.settlement.steps.compute_day import store_again

_IN_NO_HASH: Final = frozenset({MANIFEST, PROVENANCE})


class CopyState(StrEnum):
    """What the disk has of a stored file."""

    OK = "ok"
    MISSING = "missing"
    OUTDATED = "outdated"  # of a run before this one
    CHANGED = "changed"
    NOT_SIGNED = "not signed"  # a settled day's manifest that is not stored: `bo-engine commit --day N` signs it


def stored_artifacts(conn: Conn, day_id: DayId) -> list[StoredArtifact]:
    """The files of the day and of its live run, by name."""
    run = select_live_run(conn, day_id)
    return select_artifacts(conn, day_id, run.run_id if run else None)


def mirror_artifacts(context: LotteryContext, day_id: DayId) -> list[str]:
    """Write the stored files that the disk lacks, or holds of a run before this one; their names. Equal bytes are left
    alone, unknown ones refused. The two files that no hash names give way: a database that was restored has others than
    the one that is lost.

    Where disk and database differ, the stored files are compared with the run first: what was changed in the database
    is not published.
    Raises: InvalidInput ``artifact_tampered`` for a file that holds bytes that were never stored; InvariantBroken as
    ``require_files``, ``require_manifest``; UsageError ``artifacts_not_writable``; Unavailable ``disk_full``.
    """
    folder = day_folder(context.artifacts_dir, day_id)
    remove_leftovers(context.artifacts_dir, day_id)
    stored = stored_artifacts(context.conn, day_id)
    found = {one.name: sha256_stored(context.artifacts_dir, day_id, one.name) for one in stored}
    lacking = [one for one in stored if found[one.name] != one.sha256]
    _require_stored(context, day_id, {one.name for one in lacking})
    for artifact in lacking:
        present = found[artifact.name]
        is_known = present is None or artifact.name in _IN_NO_HASH
        if not is_known and present not in select_former_digests(context.conn, day_id, artifact.name):
            raise InvalidInput(
                "artifact_tampered",
                f"{folder / artifact.name} holds other bytes than the database; look who changed it, then `bo-engine "
                f"artifacts restore --day {day_id}`",
            )
    for artifact in lacking:
        chunks = stream_artifact(context.conn, artifact)
        force = found[artifact.name] is not None
        write_artifact(context.artifacts_dir, day_id, artifact.name, chunks, force=force)
    return [artifact.name for artifact in lacking]


def _require_stored(context: LotteryContext, day_id: DayId, names: Set[str]) -> None:
    """Of a computed day, the stored files of these names are as they must be."""
    run = computed_run(context.conn, day_id)
    if run is None:
        return
    if names - _IN_NO_HASH:
        require_files(context, run)
    if MANIFEST in names:
        # Of what the manifest names, the sha256 that stand in the rows: whose bytes those are was not asked here.
        require_manifest(context, run, select_digests(context.conn, day_id, run.run_id))


def remove_copies(context: LotteryContext, day_id: DayId) -> None:
    """Take every copy of the day's files off the disk, before they are made anew or given up. Changed ones are left."""
    for name, sha256 in select_copies(context.conn, day_id):
        remove_copy(context.artifacts_dir, day_id, name, sha256)


def restore_artifacts(context: LotteryContext, day_id: DayId) -> dict[str, Any]:
    """Write every stored file of the day anew, over whatever stands there. Safe to repeat.

    A file that was changed in the database is not brought back; one whose row was removed since the commit is made anew
    from the tickets and the chain, but for the manifest, which `commit` signs.
    Raises: InvalidInput ``nothing_stored``; InvariantBroken ``files_differ``, ``manifest_differs``,
    ``settlement_differs``, ``result_differs``, ``artifact_conflict``, ``artifact_damaged``.
    """
    run = computed_run(context.conn, day_id)
    if run is not None and run.status in (RunStatus.COMMITTED, RunStatus.SETTLED) and lacks_files(context.conn, run):
        store_again(context, run)
    artifacts = stored_artifacts(context.conn, day_id)
    _require_stored(context, day_id, {one.name for one in artifacts})
    require_input(bool(artifacts), "nothing_stored", f"the database holds no files of day {day_id}: export it first")
    for artifact in artifacts:
        context.cancel.check()
        # Streamed twice: the first pass checks the stored bytes, so that damaged ones never replace a good file.
        for _ in stream_artifact(context.conn, artifact):
            pass
        write_artifact(
            context.artifacts_dir, day_id, artifact.name, stream_artifact(context.conn, artifact), force=True
        )
    return {
        "day_id": day_id,
        "folder": str(day_folder(context.artifacts_dir, day_id)),
        "files": {artifact.name: hex_of(artifact.sha256) for artifact in artifacts},
    }


def artifact_states(conn: Conn, artifacts_dir: Path, day_id: DayId) -> Iterator[tuple[str, CopyState]]:
    """Each stored file with the state of its copy, and a settled day's manifest that is not signed.

    Compares disk and database only; ``stored_states`` says whether the database is right.
    """
    stored = stored_artifacts(conn, day_id)
    for artifact in stored:
        try:
            found = sha256_stored(artifacts_dir, day_id, artifact.name)
        except InvalidInput:
            yield artifact.name, CopyState.CHANGED
            continue
        if found is None or found == artifact.sha256:
            yield artifact.name, CopyState.MISSING if found is None else CopyState.OK
        else:
            former = select_former_digests(conn, day_id, artifact.name)
            yield artifact.name, CopyState.OUTDATED if found in former else CopyState.CHANGED
    run = select_live_run(conn, day_id)
    if run is not None and run.status == RunStatus.SETTLED and MANIFEST not in {one.name for one in stored}:
        yield MANIFEST, CopyState.NOT_SIGNED
