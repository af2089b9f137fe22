"""voided.json: the one file of a voided day, what the chain says of its void (rule 2.12)."""

from collections.abc import Iterator
from typing import Final

from bo_engine.units import Wallet, hex_of
from core.lottery.documents.canonical import render_object
from core.lottery.documents.parts import state_json
from core.lottery.model import VoidedDay

NAME: Final = "voided.json"
SCHEMA: Final = "bo-engine/voided/1"


def render_voided(voided: VoidedDay, *, chain_id: int, settlement: Wallet) -> Iterator[bytes]:
    """Yield voided.json. Facts of the chain only: the same bytes on every machine, whenever it is written."""
    return render_object(
        {
            "schema": SCHEMA,
            "day_id": voided.day_id,
            "chain_id": chain_id,
            "settlement": settlement,
            "stake": str(voided.stake_atoms),
            "closing_state": [state_json(state) for state in voided.closing],
            "block": {"number": voided.block_number, "hash": hex_of(voided.block_hash), "time_s": voided.block_time_s},
            "tx_hash": hex_of(voided.tx_hash),
        }
    )
