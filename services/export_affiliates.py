"""Step 2: the day's stakes per referred player and the rates in force, and affiliates.json (rule 4.2)."""

from typing import Any

from bo_engine.errors import InvariantBroken
from bo_engine.units import Bps, DayId, Wallet
from io_layer.artifact_store import put_artifact
from io_layer.chain_reader import Block
from io_layer.pipeline_store import finish_step
from io_layer.rates_store import (
    RateChange,
    count_rate_changes,
    insert_rate_changes,
    select_last_rate_block,
    select_rates_in_force,
)
from services.day_work import Opened, affiliates_document, checked_referred
from services.engine import Engine
from services.lease import Lease
from services.void_work import void_affiliates_document


def export_affiliates(engine: Engine, lease: Lease, opened: Opened) -> dict[str, Any]:
    """Bring the mirror of the rates up to the final block and store affiliates.json.

    A voided day has no fee to share: its file says so, and the mirror is left to the next day.
    Raises: InvariantBroken ``rates_incomplete`` when the events found are not as many as the contract has counted.
    """
    if opened.is_voided:
        with lease.transaction():
            document = void_affiliates_document(engine, opened)
            sha256, _ = put_artifact(engine.conn, opened.day_id, None, "affiliates.json", document)
            finish_step(engine.conn, opened.day_id, "affiliate")
        return {"referred_players": 0, "affiliates_sha256": f"0x{sha256.hex()}"}
    changes = read_new_rates(engine, opened.facts.block)
    with lease.transaction():
        insert_rate_changes(engine.conn, changes)
        referred = checked_referred(engine, opened, select_rates_in_force(engine.conn, opened.day_id))
        document = affiliates_document(engine, opened, referred)
        sha256, _ = put_artifact(engine.conn, opened.day_id, None, "affiliates.json", document)
        finish_step(engine.conn, opened.day_id, "affiliate")
    return {"referred_players": len(referred), "affiliates_sha256": f"0x{sha256.hex()}"}


def read_new_rates(engine: Engine, block: Block) -> list[RateChange]:
    """The AffiliateRateSet events up to a final block that the mirror lacks.

    Raises: InvariantBroken ``rates_incomplete``: the contract counts its events, so a missing one shows.
    """
    expected = engine.game.read_rate_change_count(block)
    stored = count_rate_changes(engine.conn, block.number)
    if stored == expected:
        return []
    last = select_last_rate_block(engine.conn)
    # From the last stored block itself, because it may hold several events; storing one again changes nothing.
    found = engine.game.read_rate_changes(engine.settings.first_block if last is None else last, block.number)
    fresh = [change for change in found if last is None or change.block_number > last]
    again = len(found) - len(fresh)
    if stored + len(fresh) != expected:
        raise InvariantBroken(
            "rates_incomplete",
            f"the contract has set {expected} affiliate rates by block {block.number}; {stored} are stored and the "
            f"logs bring {len(fresh)} more ({again} known)",
        )
    return fresh


def rates_in_force(engine: Engine, opened: Opened) -> dict[Wallet, Bps]:
    """The day's rates without writing any: those stored, overlaid with those that only the chain has yet."""
    rates = select_rates_in_force(engine.conn, opened.day_id)
    overlay: dict[Wallet, tuple[DayId, int, int, Bps]] = {}
    for change in read_new_rates(engine, opened.facts.block):
        if change.from_day <= opened.day_id:
            candidate = (change.from_day, change.block_number, change.log_index, change.rate_bps)
            overlay[change.affiliate] = max(candidate, overlay.get(change.affiliate, candidate))
    # The contract takes an affiliate's changes in ascending fromDay only, so a newer event always overrides.
    return {**rates, **{affiliate: found[3] for affiliate, found in overlay.items()}}
