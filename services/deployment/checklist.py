"""A checklist: one line each, with a verdict, what was found and what is to be done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from bo_engine.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_LATER,
    EngineError,
    InvalidInput,
    InvariantBroken,
    Stopped,
    Unavailable,
)

_ENDPOINTS_AT_FAULT: Final = ("rpc_disagreement", "chain_changed")
#: When the contract, or whatever stands in its place, does not answer as ours.
_TODO_READ: Final = "see the line of the contracts' code"


class Verdict(StrEnum):
    """What a line says. Only WRONG and UNKNOWN, when something did not answer, keep a checklist from being in order."""

    OK = "ok"
    WRONG = "wrong"
    WARNING = "warning"
    UNKNOWN = "unknown"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    name: str
    verdict: Verdict
    found: str
    todo: str = ""


@dataclass
class Checklist:
    """Lines in the order in which they were looked at."""

    lines: list[Check] = field(default_factory=list)

    def add(self, name: str, holds: bool, found: object, todo: str = "", *, otherwise: Verdict = Verdict.WRONG) -> bool:
        """A line that is ok if it holds; ``todo`` is shown only if it does not."""
        self.lines.append(Check(name, Verdict.OK, str(found)) if holds else Check(name, otherwise, str(found), todo))
        return holds

    def skip(self, name: str, why: str) -> None:
        """A line that was not looked at."""
        self.lines.append(Check(name, Verdict.NOT_ASKED, why))

    @contextmanager
    def asking(self, name: str) -> Iterator[None]:
        """What cannot be read becomes a line, and the next are looked at."""
        try:
            yield
        except Stopped:
            raise
        except Unavailable as error:
            self.lines.append(Check(name, Verdict.UNKNOWN, error.message, "ask again when it answers"))
        except InvariantBroken as error:
            # Two endpoints that contradict each other say nothing of what was asked.
            told = Verdict.UNKNOWN if error.code in _ENDPOINTS_AT_FAULT else Verdict.WRONG
            self.lines.append(Check(name, told, error.message))
        except InvalidInput as error:
            todo = _TODO_READ if error.code == "contract_unexpected" else ""
            self.lines.append(Check(name, Verdict.WRONG, error.message, todo))
        except EngineError as error:
            self.lines.append(Check(name, Verdict.WRONG, error.message))

    def of(self, verdict: Verdict) -> list[Check]:
        """The lines with that verdict."""
        return [line for line in self.lines if line.verdict == verdict]

    @property
    def exit_code(self) -> int:
        """0 only if all that is required holds; 75 if nothing is known to be wrong but not all is known."""
        return EXIT_FAILED if self.of(Verdict.WRONG) else EXIT_LATER if self.of(Verdict.UNKNOWN) else EXIT_DONE

    def document(self) -> list[dict[str, Any]]:
        """The lines for machines."""
        return [asdict(line) for line in self.lines]
