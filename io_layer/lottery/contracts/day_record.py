"""What SettlementV4 stores of a day."""

from dataclasses import dataclass
from typing import Final

from bo_engine.units import Hash32

COMMITTED: Final = 1
RELEASED: Final = 2
VOIDED: Final = 3
ON_CHAIN: Final = ("nothing", "committed", "released", "voided")  # by status, for people


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What SettlementV4 stores of one day. ``status``: 0 none, 1 committed, 2 released, 3 voided."""

    status: int
    settlement_hash: Hash32
    run_hash: Hash32
    committed_at_s: int
    released_at_s: int
    takebacks: int  # vetoes and all other ends of a commit
