"""A host whose clock is wrong seals no day and chooses no seed (fault H06).

Nothing here asks the host's clock when money is concerned. But a clock that is off by more than a minute says that
something is wrong with the host, its database or its nodes, and what is done once for all can wait until it is right.
"""

import time
from typing import Final

from bo_engine.errors import Unavailable
from io_layer.stores.jobs import select_now
from services.running.context import RunContext

MAX_OFF_S: Final = 60


def require_right_clock(context: RunContext) -> None:
    """Compare the host's clock with the database's and with the newest block; a local world has a time of its own.

    Raises: Unavailable ``clock_wrong``.
    """
    if context.chain.is_local:
        return
    # The block first: what is asked later must not look older.
    block_s = context.chain.read_newest_time_s()
    database_s = int(select_now(context.conn).timestamp())
    host_s = int(time.time())
    off_s = {"the database's clock": host_s - database_s, "the newest block": host_s - block_s}
    wrong = [f"{_shown(seconds)} {name}" for name, seconds in off_s.items() if abs(seconds) > MAX_OFF_S]
    if wrong:
        raise Unavailable(
            "clock_wrong",
            f"this host's clock is {' and '.join(wrong)}; no day is sealed and no seed chosen while they are more than "
            f"{MAX_OFF_S} s apart: set the clock that is wrong (NTP), or wait if the chain stands still",
        )


def _shown(seconds: int) -> str:
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"
