"""Which libraries compute keccak-256 and BLS12-381, seen by watching a call.

The engine and its second opinion (gate G13) must not share one. A name in an import proves little: a package that bears
it may pass the work on to another one. So the names are those of the code that really ran.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any, Final

# Our own code, which calls the library.
_OURS: Final = frozenset({"bo_engine", "core", "io_layer"})


class MissingLibrary(ImportError):
    """A library that nothing may stand in for does not load."""


@dataclass(frozen=True, slots=True)
class Backends:
    """The libraries at work on one side, by the names of their top modules."""

    keccak: frozenset[str]
    bls: frozenset[str]


def libraries_of(call: Callable[[], object]) -> frozenset[str]:
    """Make the call and name the libraries whose code ran in it; the standard library is left out.

    Compiled code is seen by the functions that Python calls, so a library that compiled code calls is not.
    Raises: what ``call`` raises.
    """
    seen: set[str] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            seen.add(str(frame.f_globals.get("__name__", "")))
        elif event == "c_call" and isinstance(argument, BuiltinFunctionType):
            owner = argument.__self__  # a function's module, or the object whose method it is
            seen.add(owner.__name__ if isinstance(owner, ModuleType) else type(owner).__module__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return frozenset(name.partition(".")[0] for name in seen) - _OURS - sys.stdlib_module_names
