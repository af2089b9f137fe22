"""`make slither`: what slither finds in contracts/src, compared with the verdicts in docs/contracts.md.

slither stands in an environment of its own (.venv-slither, requirements-slither.lock): it wants an older web3 than the
engine. It compiles with npm's solc, as forge does, from one input that contracts/slither.js prints, without a network.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.contracts.node_tools import CONTRACTS, find_node

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contracts.md"
SLITHER = ROOT / ".venv-slither" / "bin" / "slither"
HEADING = "\n## slither\n"
_LIMIT_S = 1_200

#: A finding: slither's name of it, and the function, variable or contract in which it is.
Finding = tuple[str, str]


def findings_of(report: Mapping[str, Any]) -> Counter[Finding]:
    """How often each finding stands in slither's JSON. Raises: ValueError if slither failed."""
    if not report["success"]:
        raise ValueError(str(report["error"]))
    found = report["results"].get("detectors", [])
    return Counter((one["check"], place_of(one["elements"][0])) for one in found)


def place_of(element: Mapping[str, Any]) -> str:
    """``Contract.function.variable``, as far as the element goes down."""
    names = [element["name"]]
    parent = element.get("type_specific_fields", {}).get("parent", {})
    while parent and parent["type"] in ("function", "contract"):
        names.append(parent["name"])
        parent = parent.get("type_specific_fields", {}).get("parent", {})
    return ".".join(reversed(names))


def judged(page: str) -> Counter[Finding]:
    """The findings of the page's table. A row may name several places; `x` (2) stands for two findings in one."""
    section = page.split(HEADING)[1].split("\n## ")[0]
    counted: Counter[Finding] = Counter()
    for check, places, verdict in re.findall(r"^\| `([\w-]+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE):
        if not verdict.strip():
            raise ValueError(f"{check}: no verdict")
        for place, times in re.findall(r"`([\w.]+)`(?: \((\d+)\))?", places):
            counted[check, place] += int(times or 1)
    return counted


def differences(found: Mapping[Finding, int], known: Mapping[Finding, int]) -> list[str]:
    """One line for each finding without a verdict, and for each verdict without its finding."""
    lines = []
    for check, place in sorted({*found, *known}):
        now, then = found.get((check, place), 0), known.get((check, place), 0)
        if now > then:
            lines.append(f"{check} in {place}: {now} found, {then} judged in docs/contracts.md")
        elif now < then:
            lines.append(f"{check} in {place}: {then} judged in docs/contracts.md, {now} found")
    return lines


def run_slither(folder: Path) -> dict[str, Any]:
    """slither's report about contracts/src. Raises: ValueError with its output if there is none."""
    # Away from foundry.toml: slither would look for a forge that it starts itself.
    shutil.copytree(CONTRACTS / "src", folder / "src")
    (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
    path = f"{find_node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    env = {**os.environ, "PATH": path}
    printed = subprocess.run(
        [find_node(), CONTRACTS / "slither.js"], env=env, capture_output=True, timeout=_LIMIT_S, check=True
    )
    (folder / "input.json").write_bytes(printed.stdout)
    framework = ("--compile-force-framework", "solc-json", "--solc", str(CONTRACTS / "solc-npm.js"))
    argv = [SLITHER, "input.json", *framework, "--filter-paths", "node_modules", "--json", "report.json"]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    report = folder / "report.json"
    if not report.is_file():
        raise ValueError(f"slither wrote no report:\n{done.stderr[-2_000:]}")
    document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return document


def listed(found: Mapping[Finding, int]) -> Iterable[str]:
    """All findings, for a new table."""
    for (check, place), times in sorted(found.items()):
        yield f"{check} | {place}{f' ({times})' if times > 1 else ''}"


def main() -> int:
    """Run slither; exits with 1 unless each of its findings has a verdict, and each verdict its finding."""
    parser = argparse.ArgumentParser(prog="make slither", description=main.__doc__)
    parser.add_argument("--list", action="store_true", help="print the findings")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bo-slither-") as folder:
        found = findings_of(run_slither(Path(folder)))
    if given.list:
        sys.stdout.write("".join(f"{line}\n" for line in listed(found)))
    wrong = differences(found, judged(PAGE.read_text(encoding="utf-8")))
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"{found.total()} findings, {'all judged' if not wrong else f'{len(wrong)} to look at'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
