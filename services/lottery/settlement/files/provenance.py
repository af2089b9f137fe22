"""provenance.json: where and when a day's facts met the chain. Hashed into nothing; it may differ between hosts."""

from collections.abc import Iterable, Iterator

from bo_engine.units import Hash32, hex_of
from core.lottery.documents.canonical import StreamedList, render_object
from io_layer.lottery.contracts.day_record import DayRecord
from io_layer.lottery.contracts.game import DayOnChain
from io_layer.lottery.stores.tickets import PurchasePlace


def render_provenance(
    facts: DayOnChain,
    record: DayRecord,
    purchases: Iterable[PurchasePlace],
    *,
    commit_tx: Hash32 | None,
    release_tx: Hash32 | None,
) -> Iterator[bytes]:
    """Yield provenance.json. A transaction is null when another sender's was adopted."""
    return render_object(
        {
            "schema": "bo-engine/provenance/2",
            "day_id": facts.day_id,
            "observed_block": {"number": facts.block.number, "hash": hex_of(facts.block.block_hash)},
            "vrf_request_id": str(facts.vrf_request_id),
            "vrf_requested_block": facts.vrf_requested_block,
            "committed_at_s": record.committed_at_s,
            "released_at_s": record.released_at_s,
            "takebacks": record.takebacks,
            "settlement_hash": hex_of(record.settlement_hash),
            "commit_tx": hex_of(commit_tx) if commit_tx is not None else None,
            "release_tx": hex_of(release_tx) if release_tx is not None else None,
            "purchases": StreamedList(_purchase_text(place) for place in purchases),
        }
    )


def _purchase_text(place: PurchasePlace) -> str:
    """One purchase as canonical JSON: written by hand, because a day may have hundreds of thousands."""
    return (
        f'{{"block":{place.block_number},"log_index":{place.log_index},"ticket_id":{place.ticket_id},'
        f'"tx_hash":"{hex_of(Hash32(bytes(place.tx_hash)))}"}}'
    )
