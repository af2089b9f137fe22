"""Rules: which calls of an RPC endpoint go wrong, and how.

What a fault does stands in ``answers`` (an answer that is wrong) and ``lines`` (an answer that does not
arrive whole); ``modes`` is the table of all of them.

A rule says which method, from which call on and how often. Without a matching rule a call passes unchanged.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: The fault of a rule that lets its calls pass, for exceptions from a rule that follows.
PASS = "pass"  # noqa: S105 - no password
#: The fault of a rule that chooses others by itself, from a seed (``local_world.faults.chaos``).
CHAOS = "chaos"


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. Calls of the method are counted from 1, starting when the rules were set; ``*``: calls of all."""

    fault: str
    method: str = "*"
    from_call: int = 1
    calls: int | None = None  # how many calls are hit; None: all that follow
    args: Mapping[str, Any] = field(default_factory=dict)

    def hits(self, method: str, call: int) -> bool:
        """Whether this rule applies to the ``call``-th call of ``method``."""
        last = None if self.calls is None else self.from_call + self.calls
        return self.method in ("*", method) and call >= self.from_call and (last is None or call < last)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hit:
    """A call that a rule applies to. ``place``: which one it is of all calls since the rules were set, from 1."""

    rule: Rule
    place: int


class Rules:
    """The rules in force, the calls counted so far, and what the faults remember; shared by an endpoint's threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._rules: tuple[Rule, ...] = ()
        self._calls: Counter[str] = Counter()
        self.generation = 0
        self.memory: dict[Any, Any] = {}  # of faults that know what was said before; forgotten with the rules

    def set(self, rules: tuple[Rule, ...]) -> None:
        """Replace all rules; counting starts again. The first rule that hits wins."""
        with self.lock:
            self._rules = rules
            self._calls.clear()
            self.memory.clear()
            self.generation += 1

    def count(self, method: str) -> Hit | None:
        """Count a call; the rule that hits it, if any."""
        with self.lock:
            self._calls[method] += 1
            place = self._calls.total()
            for rule in self._rules:
                if rule.hits(method, place if rule.method == "*" else self._calls[method]):
                    return None if rule.fault == PASS else Hit(rule, place)
            return None

    def document(self) -> dict[str, Any]:
        """Rules and calls per method, as JSON."""
        with self.lock:
            return {"rules": [rule.document() for rule in self._rules], "calls": dict(self._calls)}
