"""Trouble from time to time, the same for the same seed: in each stretch of an endpoint's calls some in a row go wrong.

Only what passes by itself: an endpoint that lies would stop the day, and a person would have to look.
"""

import random
from typing import Any, Final

from local_world.faults.limits import MAX_PERCENT
from local_world.faults.modes import MODES
from local_world.faults.rules import CHAOS, Hit, Rule

_STRETCH: Final = 400  # a run that settles a day makes some 150 calls: most meet no trouble, some a long one
# A hang of 15 s, 200 MB for each of some calls in a row: those would only test the patience of who watches. What is
# frozen stays where it was when it was first asked for, however long ago that is.
_TOO_MUCH: Final = ("pass", "hang", "huge_answer", "gzip_bomb", "frozen_head", "frozen_finality")
_TROUBLES: Final = tuple(each for each in MODES if not each.is_lie and each.name not in _TOO_MUCH)


def chaos_rule(seed: int, percent: int, endpoint: str) -> Rule:
    """The rule that makes an endpoint fail now and then. ``endpoint``: so that two do not fail alike."""
    return Rule(CHAOS, args={"seed": seed, "percent": percent, "endpoint": endpoint})


def resolved(hit: Hit | None, method: str) -> Hit | None:
    """The trouble that a rule of chaos means for this call; any other rule is what it is."""
    if hit is None or hit.rule.fault != CHAOS:
        return hit
    trouble = trouble_at(hit.place, hit.rule.args)
    return Hit(trouble, hit.place) if trouble is not None and trouble.hits(method, 1) else None


def trouble_at(place: int, args: Any) -> Rule | None:
    """What goes wrong at the so-manyth call, if anything."""
    stretch, within = divmod(place - 1, _STRETCH)
    dice = random.Random(f"{args['seed']} {args['endpoint']} {stretch}")  # noqa: S311 - no secret
    length = _STRETCH * min(int(args["percent"]), MAX_PERCENT) // 100
    first = dice.randrange(_STRETCH - length + 1)
    trouble = dice.choice(_TROUBLES)
    return trouble.rule if first <= within < first + length else None
