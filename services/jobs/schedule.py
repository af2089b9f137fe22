"""When cron starts a job: the few forms of its five fields that this project uses."""

import re
from datetime import datetime, timedelta
from typing import Final

_FIELD: Final = re.compile(r"\*|\*/[1-9][0-9]?|[0-9]{1,2}")
_MINUTES: Final = 8 * 1440  # no job of ours waits longer than a week


def next_start(schedule: str, now: datetime) -> datetime:
    """The first minute after ``now`` at which cron starts it, in the time zone of ``now``, as cron counts.

    Raises: ValueError for a schedule of another form.
    """
    fields = schedule.split()
    if len(fields) != 5 or not all(_FIELD.fullmatch(one) for one in fields):
        raise ValueError(f"the schedule {schedule!r} is none of ours")
    moment = now.replace(second=0, microsecond=0)
    for _ in range(_MINUTES):
        moment += timedelta(minutes=1)
        parts = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
        if all(_matches(field, part) for field, part in zip(fields, parts, strict=True)):
            return moment
    raise ValueError(f"the schedule {schedule!r} does not come within a week")


def _matches(field: str, value: int) -> bool:
    # Days and months count from 1, but no schedule of ours has a step in them.
    return field == "*" or (value % int(field[2:]) == 0 if field.startswith("*/") else value == int(field))
