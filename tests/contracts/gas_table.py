"""The gas of each kind of call, recorded in contracts/gas.json and shown in docs/contracts.md.

``make gas`` measures, records and renders; ``make check`` compares a new measurement with the record. The record of the
first edition stays as it was measured in the same way with that edition's contracts, and with the same test token: what
Tether's contract does is not ours to make cheaper.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "contracts" / "gas.json"
PAGE = ROOT / "docs" / "contracts.md"
START, END = "<!-- gas -->", "<!-- /gas -->"

TOLERANCE_PERCENT = 3
#: Rows that need not be lower than in the first edition. It had no refund, and its claim made the transfer itself,
#: where now ReserveVault is called to make it.
STATED_ONLY = frozenset({"claim", "refund", "refund of vouchers"})


@dataclass(frozen=True)
class Table:
    """The recorded gas of both editions, by row."""

    first: Mapping[str, int]
    second: Mapping[str, int]


def load() -> Table:
    """Read contracts/gas.json."""
    document = json.loads(RECORD.read_text(encoding="utf-8"))
    return Table(document["first_edition"], document["second_edition"])


def save(table: Table) -> None:
    """Write contracts/gas.json, rows sorted by name."""
    document = {"first_edition": dict(table.first), "second_edition": dict(table.second)}
    RECORD.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def findings(measured: Mapping[str, int], table: Table) -> list[str]:
    """What is wrong with a measurement: rows above the record, not lower than the first edition, or not recorded."""
    found = []
    for row in sorted({*measured, *table.second}):
        if row not in measured or row not in table.second:
            found.append(f"{row}: {'not recorded' if row in measured else 'recorded, but not measured'}")
        elif measured[row] * 100 > table.second[row] * (100 + TOLERANCE_PERCENT):
            more = f"more than {TOLERANCE_PERCENT} % above the recorded {table.second[row]}"
            found.append(f"{row}: {measured[row]} is {more}")
    for row in sorted({*measured, *table.first} - STATED_ONLY):
        if row not in measured or row not in table.first:
            found.append(f"{row}: only in {'this' if row in measured else 'the first'} edition")
        elif measured[row] >= table.first[row]:
            found.append(f"{row}: {measured[row]} is not lower than the first edition's {table.first[row]}")
    return found


def render(table: Table) -> str:
    """The table as Markdown, as it stands between the markers of docs/contracts.md."""
    lines = ["| call | first edition | second edition | difference |", "|---|---:|---:|---:|"]
    for row in sorted({*table.first, *table.second}):
        first, second = table.first.get(row), table.second.get(row)
        difference = "" if first is None or second is None else f"{second - first:+,} ({percent(first, second)})"
        lines.append(f"| {row} | {shown(first)} | {shown(second)} | {difference} |")
    return "\n".join(lines) + "\n"


def shown(gas: int | None) -> str:
    return "" if gas is None else f"{gas:,}"


def percent(first: int, second: int) -> str:
    """The change in whole tenths of a percent, rounded towards zero."""
    tenths = abs(second - first) * 1_000 // first
    return f"{'-' if second < first else '+'}{tenths // 10}.{tenths % 10} %"


def filled(page: str, table: Table) -> str:
    """The page with the table between its markers. Raises: ValueError if it does not have both once."""
    if page.count(START) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs {START} and {END} once each")
    text = f"{START}\n{render(table)}{END}"
    return re.sub(f"{re.escape(START)}.*?{re.escape(END)}", lambda _: text, page, flags=re.DOTALL)


def main() -> int:
    """Measure, record, fill docs/contracts.md; exits with 1 if a row is not lower than in the first edition."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--render", action="store_true", help="measure nothing, only fill docs/contracts.md")
    table = load()
    if not parser.parse_args().render:
        from tests.contracts.gas_world import measure

        with tempfile.TemporaryDirectory() as folder:
            table = Table(table.first, measure(Path(folder)))
        save(table)
        sys.stdout.write(render(table))
    if PAGE.exists():
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    high = findings(table.second, table)
    sys.stderr.write("".join(f"{line}\n" for line in high))
    return 1 if high else 0


if __name__ == "__main__":
    sys.exit(main())
