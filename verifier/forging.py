"""What a forgery is, and the small changes that forgeries are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.builder import Lies
from verifier.facts import Facts
from verifier.hashing import sha256

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Tools:
    """What a forger can get without a secret: valid beacons of other rounds, (round, signature) by name."""

    beacons: Mapping[str, tuple[int, bytes]]
    ruleset_hash: bytes  # the honest one


def _none(_: Tools) -> Lies:
    return {}


def _same(facts: Facts) -> Facts:
    return facts


@dataclass(frozen=True)
class Forgery:
    """A lie, and the one check that must catch it.

    ``lies`` are told while the files are built, ``bytes_lies`` change a finished file (None: it is taken away), and
    ``chain_lie`` is what the SETTLER does on the chain against his own files. Where the chain's facts would catch the
    lie too, ``is_offline`` leaves them out: the check is for those who have the files only.
    """

    check: str
    story: str
    lies: Callable[[Tools], Lies] = _none
    bytes_lies: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    chain_lie: Callable[[Facts], Facts] = _same
    is_offline: bool = False


def telling(**lies: Change) -> Callable[[Tools], Lies]:
    """Lies that need no tools."""
    return lambda _: lies


def put(key: Any, change: Change) -> Change:
    """Change one entry of an object or a list."""

    def changed(value: Any) -> Any:
        value[key] = change(value[key])
        return value

    return changed


def at(*path: Any, to: Change) -> Change:
    """Change what lies at the end of a path."""
    change = to
    for key in reversed(path):
        change = put(key, change)
    return change


def plus(difference: int) -> Change:
    """A little more, or less."""
    return lambda value: value + difference


def instead(value: Any) -> Change:
    """Something else altogether."""
    return lambda _: value


def swap(one: Any, other: Any) -> Change:
    """Two entries change places."""

    def changed(value: Any) -> Any:
        value[one], value[other] = value[other], value[one]
        return value

    return changed


def move(source: Any, target: Any, atoms: int) -> Change:
    """Atoms go from one entry to another."""

    def changed(value: Any) -> Any:
        value[source] -= atoms
        value[target] += atoms
        return value

    return changed


def move_cent(payouts: Any) -> Any:
    """From the first wallet of a list to the second."""
    payouts[0]["amount"] -= 10_000
    payouts[1]["amount"] += 10_000
    return payouts


def with_beacon(name: str, *, keeps_round: bool = False) -> Callable[[Tools], Lies]:
    """The seeds of another beacon, whose randomness follows from its signature."""

    def lies(tools: Tools) -> Lies:
        drand_round, signature = tools.beacons[name]

        def changed(seeds: Any) -> Any:
            kept = seeds["drand_round"] if keeps_round else drand_round
            return {
                **seeds,
                "drand_round": kept,
                "drand_signature": signature,
                "drand_randomness": sha256(signature),
            }

        return {"seeds": changed}

    return lies
