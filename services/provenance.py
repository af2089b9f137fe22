"""provenance.json: where and when a day's facts met the chain. Hashed into nothing; it may differ between hosts."""

from collections.abc import Iterator

from bo_engine.units import Hash32, hex_of
from core.documents.canonical import render_object
from io_layer.game_chain import DayOnChain, DayRecord


def render_provenance(
    facts: DayOnChain, record: DayRecord, *, commit_tx: Hash32 | None, release_tx: Hash32 | None
) -> Iterator[bytes]:
    """Yield provenance.json. A transaction is null when another sender's was adopted."""
    return render_object(
        {
            "schema": "bo-engine/provenance/1",
            "day_id": facts.day_id,
            "observed_block": {"number": facts.block.number, "hash": facts.block.block_hash},
            "vrf_request_id": str(facts.vrf_request_id),
            "vrf_requested_block": facts.vrf_requested_block,
            "committed_at_s": record.committed_at_s,
            "released_at_s": record.released_at_s,
            "vetoes": record.vetoes,
            "settlement_hash": hex_of(record.settlement_hash),
            "commit_tx": hex_of(commit_tx) if commit_tx is not None else None,
            "release_tx": hex_of(release_tx) if release_tx is not None else None,
        }
    )
