"""Errors, named by what the operator does next.

Every error carries a stable ``code`` (what scripts and runbooks match) and a message that names the thing, the rule
and the way out. The command line prints them as one line and exits with ``exit_code``.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LATER = 75


class EngineError(Exception):
    """Base of all errors that an operator may see."""

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.done_before: list[dict[str, Any]] = []  # days that the same command had finished, for its JSON answer

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidInput(EngineError):
    """The data are wrong: correct them, run again."""


class UsageError(InvalidInput):
    """Wrong flags or settings: nothing was tried."""

    exit_code = EXIT_USAGE


class InvariantBroken(EngineError):
    """Something that must always hold does not. The day is HALTED until a person has looked."""

    def __init__(self, code: str, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(code, message)
        self.findings = tuple(findings)


class Unavailable(EngineError):
    """Busy, or waiting for the chain, a seed or a node: cron tries again."""

    exit_code = EXIT_LATER


class Stopped(EngineError):
    """Somebody asked this run to end, and it has come to a place where nothing is half done. The next run goes on.

    Not an ``Unavailable``: whoever passes over one thing that does not answer must not pass over this.
    """

    exit_code = EXIT_LATER


class Halted(Stopped):
    """Somebody has stopped the job for now. It ends where a stopped run would, and cron does not bring it back."""

    exit_code = EXIT_FAILED


class Ending(NamedTuple):
    """How a run ends that no error of ours ends. Made beforehand: without memory nothing can be made any more."""

    code: str
    message: str
    exit_code: int


INTERRUPTED: Final = Ending(
    "interrupted", "ended at once; nothing is half done, run the command again", Stopped.exit_code
)
OUT_OF_MEMORY: Final = Ending(
    "out_of_memory",
    "the memory that this process may use is full; give it more, nothing is half done",
    EngineError.exit_code,
)


def require_input(holds: bool, code: str, message: str) -> None:
    """Raise ``InvalidInput`` unless ``holds``. A call, because ``python -O`` drops ``assert``."""
    if not holds:
        raise InvalidInput(code, message)


def require_invariant(holds: bool, code: str, message: str) -> None:
    """Raise ``InvariantBroken`` unless ``holds``."""
    if not holds:
        raise InvariantBroken(code, message)
