"""What commands print: one JSON object for machines, tables of at most 100 columns for people."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bo_engine.errors import UsageError
from bo_engine.redaction import blot, each_text, plain
from bo_engine.units import MAX_DAY_ID

WIDTH = 100
_DAY_HELP = "Day id: whole days since 1970-01-01 UTC."


def parse_typed_day(text: str) -> int:
    """A day as typed. int() alone would also take digits of other scripts, blanks and 20_000."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MAX_DAY_ID:
        raise typer.BadParameter(f"a day is a whole number from 0 to {MAX_DAY_ID}")
    return int(text)


DayOption = Annotated[int | None, typer.Option("--day", help=_DAY_HELP, parser=parse_typed_day, metavar="N")]
OneDay = Annotated[int, typer.Option("--day", help=_DAY_HELP, parser=parse_typed_day, metavar="N")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing anywhere; show what a real run would do.")]
ByName = Annotated[str | None, typer.Option("--by", help="Your name, for the audit log.")]


def console() -> Console:
    """Where people read results: stdout, never wider than 100 columns."""
    # Always that width: a narrow terminal wraps a long line by itself, and a hash stays whole for copying.
    return Console(width=WIDTH, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    # ASCII only: in a terminal U+2028 or a mark that turns the writing direction is no mere character.
    sys.stdout.write(json.dumps(each_text(document, blot), indent=2) + "\n")


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """A two-column table of names and values."""
    print_table(title, ("", ""), [(name, _shown(value)) for name, value in facts.items()], header=False)


def _shown(value: object) -> object:
    """A value in a person's words; machines get the JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ", ".join(str(one) for one in value) or "none"
    return value


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, header: bool = True) -> None:
    """A plain table; whatever comes from outside is escaped, so that it cannot style the terminal."""
    table = Table(box=box.SIMPLE_HEAD, show_header=header, pad_edge=False)
    for column in columns:
        table.add_column(escape(column), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    # Not as the table's own title, which would be folded to the width of a narrow table.
    console().print(f"[italic]{_cell(title)}[/italic]")
    console().print(table)


def _cell(value: object) -> str:
    return escape(plain(blot("" if value is None else str(value))))


def confirm(question: str, yes: bool) -> None:
    """Ask before anything is sent. Raises: UsageError ``no_terminal``, ``not_confirmed``."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("no_terminal", "without a terminal say --yes, once you have read the plan (--dry-run)")
    if not typer.confirm(question, err=True):
        raise UsageError("not_confirmed", "nothing was sent")


def print_whole(text: str) -> None:
    """A line on stdout that is never folded, for copying: calldata."""
    sys.stdout.write(plain(blot(text)) + "\n")


def tell(text: str) -> None:
    """A line of the story, on stderr."""
    sys.stderr.write(plain(blot(text)) + "\n")
