"""Whether the database alone says that nothing is due: then a job need not load and ask the chain.

Only ever a reason to look later. Whether a day is closed is the chain's to say; but a day that is over by no clock of
ours cannot be closed on the chain.
"""

import time
from typing import Final

from bo_engine.units import DayId, day_of
from io_layer.lottery.stores.pipeline import select_last_ended
from io_layer.lottery.stores.seeds import select_seeds
from io_layer.lottery.stores.stats import pots_stand
from io_layer.postgres.connection import Conn
from io_layer.stores.jobs import select_now

_LOOK_AT_DAYS: Final = 7
_POTS_STAND_MINUTES: Final = 60  # a purchase that recover-intents has not brought home is not missed for longer


def all_days_ended(conn: Conn) -> bool:
    """Whether yesterday is settled or voided."""
    last_ended = select_last_ended(conn)
    return last_ended is not None and last_ended >= _last_over(conn)


def all_seeds_known(conn: Conn) -> bool:
    """Whether every day up to yesterday is settled or voided, or has both its seeds."""
    last_ended, last_over = select_last_ended(conn), _last_over(conn)
    if last_ended is None or last_over - last_ended > _LOOK_AT_DAYS:
        return False
    seeds = [select_seeds(conn, DayId(day)) for day in range(last_ended + 1, last_over + 1)]
    return all(one is not None and one.complete() is not None for one in seeds)


def pots_are_shown(conn: Conn) -> bool:
    """Whether nothing that we know of has changed a pot since it was shown: no ticket, no day that has ended."""
    last_ended = select_last_ended(conn)
    return last_ended is not None and pots_stand(conn, DayId(last_ended + 1), _POTS_STAND_MINUTES)


def _last_over(conn: Conn) -> DayId:
    """The day before today, by the later of the two clocks: one that is behind must not hide a day."""
    now_s = max(int(time.time()), int(select_now(conn).timestamp()))
    return DayId(day_of(now_s) - 1)
