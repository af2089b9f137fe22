"""Lets the verifier look at the days that were played: in processes of their own, which know nothing of this world."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from local_world.lottery.day_facts import Check, SettledDay, VoidedDay

CONSISTENT: Final = "the verifier, which shares no code with us, finds the files consistent"
ANCHORED: Final = "the verifier finds the day anchored on the chain, through both endpoints"
_TIMEOUT_S: Final = 300.0


def verify_days(days: Sequence[SettledDay | VoidedDay], urls: Sequence[str]) -> Iterator[Check]:
    """Each day twice: from its files alone, and against the chain. Every other check must hold as well."""
    nodes = [part for url in urls for part in ("--rpc", url)]
    for day in days:
        # Both at once: most of their time is one BLS pairing each.
        alone, on_chain = _start(day), _start(day, *nodes)
        is_voided = isinstance(day, VoidedDay)
        expected = (
            ("voided, not anchored", "voided, anchored") if is_voided else ("consistent, not anchored", "anchored")
        )
        yield Check(CONSISTENT, _verdict(alone) == expected[0], day.day_id)
        yield Check(ANCHORED, _verdict(on_chain) == expected[1], day.day_id)


def _start(day: SettledDay | VoidedDay, *arguments: str) -> "subprocess.Popen[str]":
    command = ("verify", "--day", str(day.day_id), "--dir", str(day.folder), *arguments, "--json")
    return subprocess.Popen(
        # No environment, and -I for no settings of Python's own: what a stranger has.
        [sys.executable, "-I", "-m", "cli.main", *command],
        env={},
        cwd=day.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _verdict(process: "subprocess.Popen[str]") -> str | None:
    """The verdict of a run that ended well; None of any other."""
    try:
        said, _ = process.communicate(timeout=_TIMEOUT_S)
        verdict = json.loads(said).get("verdict")
    except (subprocess.TimeoutExpired, ValueError, AttributeError):
        process.kill()
        return None
    return str(verdict) if process.returncode == 0 else None
