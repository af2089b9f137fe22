"""The purposes of the lottery's transactions: what its key signs, and how each is named in the journal."""

import re
from typing import Final

from bo_engine.units import DayId, hex_of
from io_layer.stores.journal import JournalTx
from services.running.policy import Function

COMMIT: Final = Function("SettlementV4", "commitMerkleSettlement")
RELEASE: Final = Function("SettlementV4", "release")
REQUEST_SEED: Final = Function("VRFReceiver", "requestSeed")
#: What a key signs that is named as SETTLER and does not hold the office yet.
TAKE_OFFICE: Final = Function("Roles", "takeOffice")
#: What the SETTLER signs.
SIGNED: Final = (COMMIT, RELEASE, REQUEST_SEED)
_WORDS: Final = {COMMIT: "commit", RELEASE: "release", REQUEST_SEED: "VRF request"}
_DAY: Final = re.compile(r"day (\d+)")


def subject_of(day_id: DayId) -> str:
    """The journal's subject of a day: ``day 20778``."""
    return f"day {day_id}"


class LotteryWording:
    """See ``services.running.policy.Wording``."""

    functions = (*SIGNED, TAKE_OFFICE)

    def purpose_in_words(self, function: Function | None, stored: JournalTx) -> str:
        """As ``commit of day 20778, round 0``."""
        if function == TAKE_OFFICE:
            return f"takeOffice, possible from {stored.subject} on"
        verb = _WORDS[function] if function else f"call of {hex_of(stored.selector)}"
        return f"{verb} of {stored.subject}, round {stored.round}"

    def day_of(self, subject: str) -> DayId | None:
        """The day of ``day N``."""
        found = _DAY.fullmatch(subject)
        return DayId(int(found[1])) if found else None


WORDING: Final = LotteryWording()
