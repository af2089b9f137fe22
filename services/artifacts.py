"""The day's files: copies of what the database holds, in ARTIFACTS_DIR/dayId=N (rule 4.7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import DayId, hex_of
from io_layer.artifact_store import (
    StoredArtifact,
    select_artifacts,
    select_copies,
    select_former_digests,
    stream_artifact,
)
from io_layer.artifact_writer import day_folder, remove_copy, remove_leftovers, sha256_stored, write_artifact
from io_layer.database import Conn
from io_layer.run_store import select_live_run
from services.engine import Engine

MANIFEST: Final = "manifest.json"
_IN_NO_HASH: Final = frozenset({MANIFEST, "provenance.json"})


def stored_artifacts(conn: Conn, day_id: DayId) -> list[StoredArtifact]:
    """The files of the day and of its live run, by name."""
    run = select_live_run(conn, day_id)
    return select_artifacts(conn, day_id, run.run_id if run else None)


def check_artifacts(engine: Engine, day_id: DayId) -> dict[str, str]:
    """Stored files that the disk lacks: ``missing``, or ``outdated`` where the copy is that of a run before this one.
    The two files that no hash names give way too: a database that was restored has others than the one that is lost.

    Raises: InvalidInput ``artifact_tampered`` for one that holds bytes that were never stored.
    """
    lacking = {}
    folder = day_folder(engine.artifacts_dir, day_id)
    for artifact in stored_artifacts(engine.conn, day_id):
        found = sha256_stored(engine.artifacts_dir, day_id, artifact.name)
        if found is None:
            lacking[artifact.name] = "missing"
        elif found == artifact.sha256:
            continue
        elif artifact.name in _IN_NO_HASH or found in select_former_digests(engine.conn, day_id, artifact.name):
            lacking[artifact.name] = "outdated"
        else:
            raise InvalidInput(
                "artifact_tampered",
                f"{folder / artifact.name} holds other bytes than the database; look who changed it, then `bo-engine "
                f"artifacts restore --day {day_id}`",
            )
    return lacking


def mirror_artifacts(engine: Engine, day_id: DayId) -> list[str]:
    """Write the stored files that the disk lacks; their names. Equal bytes are left alone, unknown ones refused.

    Raises: InvalidInput ``artifact_tampered``; UsageError ``artifacts_not_writable``; Unavailable ``disk_full``.
    """
    remove_leftovers(engine.artifacts_dir, day_id)
    lacking = check_artifacts(engine, day_id)
    for artifact in stored_artifacts(engine.conn, day_id):
        if artifact.name in lacking:
            force = lacking[artifact.name] == "outdated"
            chunks = stream_artifact(engine.conn, artifact)
            write_artifact(engine.artifacts_dir, day_id, artifact.name, chunks, force=force)
    return list(lacking)


def remove_copies(engine: Engine, day_id: DayId) -> None:
    """Take every copy of the day's files off the disk, before they are made anew or given up. Changed ones are left."""
    for name, sha256 in select_copies(engine.conn, day_id):
        remove_copy(engine.artifacts_dir, day_id, name, sha256)


def restore_artifacts(engine: Engine, day_id: DayId) -> dict[str, Any]:
    """Write every stored file of the day anew, over whatever stands there. Safe to repeat.

    Raises: InvalidInput ``nothing_stored``; InvariantBroken ``artifact_damaged``.
    """
    artifacts = stored_artifacts(engine.conn, day_id)
    require_input(bool(artifacts), "nothing_stored", f"the database holds no files of day {day_id}: export it first")
    for artifact in artifacts:
        engine.stop.check()
        # Streamed twice: the first pass checks the stored bytes, so that damaged ones never replace a good file.
        for _ in stream_artifact(engine.conn, artifact):
            pass
        write_artifact(engine.artifacts_dir, day_id, artifact.name, stream_artifact(engine.conn, artifact), force=True)
    return {
        "day_id": day_id,
        "folder": str(day_folder(engine.artifacts_dir, day_id)),
        "files": {artifact.name: hex_of(artifact.sha256) for artifact in artifacts},
    }


def artifact_states(conn: Conn, artifacts_dir: Path, day_id: DayId) -> Iterator[tuple[str, str]]:
    """Each stored file with ``ok``, ``missing``, ``outdated`` (of a run before this one) or ``changed``; a settled
    day's manifest that nobody has signed with ``not signed`` (`bo-engine commit --day N` does, with the key)."""
    stored = stored_artifacts(conn, day_id)
    for artifact in stored:
        try:
            found = sha256_stored(artifacts_dir, day_id, artifact.name)
        except InvalidInput:
            yield artifact.name, "changed"
            continue
        if found is None or found == artifact.sha256:
            yield artifact.name, "missing" if found is None else "ok"
        else:
            former = select_former_digests(conn, day_id, artifact.name)
            yield artifact.name, "outdated" if found in former else "changed"
    run = select_live_run(conn, day_id)
    if run is not None and run.status == "settled" and MANIFEST not in {one.name for one in stored}:
        yield MANIFEST, "not signed"
