"""What the kill points came to, added up over all test processes and told at the end."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

PROPERTY = "kill_points"


@dataclass
class Tally:
    """What one test tried."""

    flavours: Counter[str] = field(default_factory=Counter)
    points: set[str] = field(default_factory=set)
    not_reached: int = 0
    invariants: set[str] = field(default_factory=set)
    checks: int = 0
    ticks: int = 0
    failures: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As a test's property: plain values, so that it travels between processes."""
        return {
            "flavours": dict(self.flavours),
            "points": sorted(self.points),
            "not_reached": self.not_reached,
            "invariants": sorted(self.invariants),
            "checks": self.checks,
            "ticks": self.ticks,
            "failures": self.failures,
        }

    def add(self, document: dict[str, Any]) -> None:
        """Add another one."""
        self.flavours.update(document["flavours"])
        self.points.update(document["points"])
        self.not_reached += document["not_reached"]
        self.invariants.update(document["invariants"])
        self.checks += document["checks"]
        self.ticks += document["ticks"]
        self.failures += document["failures"]

    def lines(self) -> list[str]:
        """For a person."""
        flavours = ", ".join(f"{name} {count}" for name, count in sorted(self.flavours.items()))
        counts = Counter(point.rpartition(" ")[0] for point in self.points)
        stretches = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        invariants = " ".join(sorted(self.invariants, key=lambda name: int(name[1:])))
        return [
            f"points: {len(self.points)} boundaries, {sum(self.flavours.values())} runs ended there; "
            f"{self.not_reached} runs were over before",
            f"stretches: {stretches}",
            f"flavours: {flavours}",
            f"afterwards: {self.ticks} ticks of cron, nobody helped",
            f"invariants: {invariants}, checked {self.checks} times",
            f"failures: {len(self.failures)}",
            *(f"  {failure}" for failure in self.failures),
        ]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell it after the tests, as one table over all processes."""
    total = Tally()
    found = False
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == PROPERTY:
                        total.add(value)
                        found = True
    if found:
        terminalreporter.section("kill points")
        for line in total.lines():
            terminalreporter.write_line(line)
