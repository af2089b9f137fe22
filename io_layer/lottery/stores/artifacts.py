"""Files of a day in the database: the truth, from which the copies on disk are regenerated."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from psycopg.rows import args_row

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId, Hash32
from io_layer.postgres.connection import Conn

CHUNK_BYTES: Final = 1_048_576


class StoredArtifact(NamedTuple):
    """One stored file; ``run_id`` is None for files that no run changes (inputs, affiliates)."""

    artifact_id: int
    day_id: DayId
    run_id: int | None
    name: str
    sha256: Hash32
    size: int


NEXT_ID = "SELECT nextval(pg_get_serial_sequence('settlement_artifacts', 'artifact_id'))"
INSERT_CHUNK = """
    INSERT INTO settlement_artifact_chunks (artifact_id, seq, bytes) VALUES (%(artifact_id)s, %(seq)s, %(bytes)s)
"""
INSERT_ARTIFACT = """
    INSERT INTO settlement_artifacts (artifact_id, day_id, run_id, name, sha256, size)
    OVERRIDING SYSTEM VALUE
    VALUES (%(artifact_id)s, %(day_id)s, %(run_id)s, %(name)s, %(sha256)s, %(size)s)
        ON CONFLICT ON CONSTRAINT settlement_artifacts_once DO NOTHING
"""
DELETE_CHUNKS = "DELETE FROM settlement_artifact_chunks WHERE artifact_id = %(artifact_id)s"
DELETE_ARTIFACT = """
    DELETE FROM settlement_artifacts
     WHERE day_id = %(day_id)s AND run_id IS NOT DISTINCT FROM %(run_id)s AND name = %(name)s
"""


def put_artifact(
    conn: Conn, day_id: DayId, run_id: int | None, name: str, chunks: Iterable[bytes], *, replace: bool = False
) -> tuple[Hash32, int]:
    """Store a file from its pieces, in bounded memory, and return (sha256, size in bytes).

    The same bytes again change nothing. ``chunks`` may read from the same connection while it is consumed.
    Raises: InvariantBroken ``artifact_conflict`` when other bytes stand under this name and ``replace`` is false,
    ``artifact_fixed`` when they belong to an approved run.
    """
    digest = hashlib.sha256()
    size = 0
    with conn.transaction():
        row = conn.execute(NEXT_ID).fetchone()
        artifact_id = row[0] if row else 0
        for seq, piece in enumerate(_pieces(chunks)):
            digest.update(piece)
            size += len(piece)
            # An INSERT a piece, not a COPY: a COPY would own the connection while the source still reads from it.
            conn.execute(INSERT_CHUNK, {"artifact_id": artifact_id, "seq": seq, "bytes": piece})
        sha256 = Hash32(digest.digest())
        old = select_artifact(conn, day_id, run_id, name)
        if old is not None and old.sha256 != sha256 and replace:
            conn.execute(DELETE_ARTIFACT, {"day_id": day_id, "run_id": run_id, "name": name})
        given = {
            "artifact_id": artifact_id,
            "day_id": day_id,
            "run_id": run_id,
            "name": name,
            "sha256": sha256,
            "size": size,
        }
        if conn.execute(INSERT_ARTIFACT, given).rowcount == 0:
            old = select_artifact(conn, day_id, run_id, name)
            if old is None or old.sha256 != sha256:
                raise InvariantBroken(
                    "artifact_conflict", f"{name} of day {day_id} is stored with other bytes than the ones made now"
                )
            conn.execute(DELETE_CHUNKS, {"artifact_id": artifact_id})
    return sha256, size


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of exactly 1 MiB, the last one shorter."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)


SELECT_ARTIFACT = """
    SELECT artifact_id, day_id, run_id, name, sha256, size FROM settlement_artifacts
     WHERE day_id = %(day_id)s AND run_id IS NOT DISTINCT FROM %(run_id)s AND name = %(name)s
"""


def select_artifact(conn: Conn, day_id: DayId, run_id: int | None, name: str) -> StoredArtifact | None:
    """One stored file, or None."""
    with conn.cursor(row_factory=args_row(StoredArtifact)) as cur:
        return cur.execute(SELECT_ARTIFACT, {"day_id": day_id, "run_id": run_id, "name": name}).fetchone()


SELECT_ARTIFACTS = """
    SELECT artifact_id, day_id, run_id, name, sha256, size FROM settlement_artifacts
     WHERE day_id = %(day_id)s AND (run_id IS NULL OR run_id = %(run_id)s) ORDER BY name COLLATE "C"
"""


def select_artifacts(conn: Conn, day_id: DayId, run_id: int | None) -> list[StoredArtifact]:
    """The files of a day: those without a run, and those of ``run_id`` if it is given; by name."""
    with conn.cursor(row_factory=args_row(StoredArtifact)) as cur:
        return cur.execute(SELECT_ARTIFACTS, {"day_id": day_id, "run_id": run_id}).fetchall()


def select_digests(conn: Conn, day_id: DayId, run_id: int | None) -> dict[str, Hash32]:
    """sha256 of each file, by name."""
    return {one.name: one.sha256 for one in select_artifacts(conn, day_id, run_id)}


SELECT_COPIES = "SELECT DISTINCT name, sha256 FROM settlement_artifacts WHERE day_id = %(day_id)s"


def select_copies(conn: Conn, day_id: DayId) -> list[tuple[str, Hash32]]:
    """Name and sha256 of every file that is stored for the day, those of superseded and vetoed runs too."""
    return [(name, Hash32(sha256)) for name, sha256 in conn.execute(SELECT_COPIES, {"day_id": day_id}).fetchall()]


SELECT_FORMER = "SELECT sha256 FROM settlement_artifacts WHERE day_id = %(day_id)s AND name = %(name)s"


def select_former_digests(conn: Conn, day_id: DayId, name: str) -> frozenset[Hash32]:
    """sha256 of every file that was ever stored under this name for the day, whichever run it belonged to."""
    rows = conn.execute(SELECT_FORMER, {"day_id": day_id, "name": name}).fetchall()
    return frozenset(Hash32(row[0]) for row in rows)


DELETE_INPUTS = "DELETE FROM settlement_artifacts WHERE day_id = %(day_id)s AND run_id IS NULL"


def delete_inputs_artifacts(conn: Conn, day_id: DayId) -> int:
    """Forget the day's files that belong to no run, so that they are made anew; the count.

    Raises: InvariantBroken ``artifact_fixed`` while a run of the day is approved, committed or settled.
    """
    return conn.execute(DELETE_INPUTS, {"day_id": day_id}).rowcount


SELECT_CHUNK = """
    SELECT bytes FROM settlement_artifact_chunks WHERE artifact_id = %(artifact_id)s AND seq = %(seq)s
"""


def stream_artifact(conn: Conn, artifact: StoredArtifact) -> Iterator[bytes]:
    """The bytes of a stored file, 1 MiB at a time, checked against its digest at the end.

    Raises: InvariantBroken ``artifact_damaged`` when the stored bytes are not those that were stored.
    """
    digest = hashlib.sha256()
    for seq in range(-(-artifact.size // CHUNK_BYTES)):
        given = {"artifact_id": artifact.artifact_id, "seq": seq}
        row = conn.execute(SELECT_CHUNK, given, binary=True).fetchone()
        if row is None:
            break
        piece = bytes(row[0])
        digest.update(piece)
        yield piece
    if digest.digest() != artifact.sha256:
        raise InvariantBroken(
            "artifact_damaged", f"the stored bytes of {artifact.name} of day {artifact.day_id} do not fit their sha256"
        )
