"""What a run found out: one finding for each check, the verdict, and what it could not tell."""

from dataclasses import dataclass
from typing import Any

OK, FAILED, NOT_CHECKED = "ok", "FAILED", "not checked"
CONSISTENT, ANCHORED, REFUSED = "consistent, not anchored", "anchored", "not as it should be"
VOIDED, VOIDED_ANCHORED = "voided, not anchored", "voided, anchored"


@dataclass(frozen=True)
class Finding:
    """What became of a check."""

    name: str
    compared: str
    verdict: str
    found: str


@dataclass(frozen=True)
class Report:
    """All findings of a day, the verdict, and what this run could not tell."""

    day_id: int
    run_hash: str | None  # a voided day has none
    verdict: str
    findings: tuple[Finding, ...]
    untold: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no check failed."""
        return self.verdict != REFUSED

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [finding.name for finding in self.findings if finding.verdict == FAILED]

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "day_id": self.day_id,
            "verdict": self.verdict,
            "run_hash": self.run_hash,
            "checks": [
                {"name": one.name, "compared": one.compared, "verdict": one.verdict, "found": one.found}
                for one in self.findings
            ],
            "not_told": list(self.untold),
        }
