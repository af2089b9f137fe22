"""The user's crontab, through the command `crontab`; of it, the block between our two marks and nothing else.

A table is bytes to cron. Here it is text in which each byte that is no UTF-8 is kept as half a character.
"""

import io
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from bo_engine.errors import InvalidInput, UsageError

_TIMEOUT_S: Final = 20
_BEGIN: Final = "# BEGIN bo-engine {}: written by `bo-engine cron install`, changes in here are lost"
_END: Final = "# END bo-engine {}"
_MARKS: Final = ("# BEGIN bo-engine ", "# END bo-engine ")


def read_table() -> str:
    """The user's whole table; empty when there is none. Raises: UsageError ``no_cron``, ``cron_refused``."""
    done = _run(["-l"])
    if done.returncode == 0:
        return _text(done.stdout)
    if b"no crontab for" in done.stderr:
        return ""
    raise UsageError("cron_refused", f"crontab -l: {_text(done.stderr).strip()[:200]}")


def write_table(table: str) -> None:
    """Replace the user's table. Raises: as ``read_table``."""
    done = _run(["-"], table)
    if done.returncode != 0:
        raise UsageError("cron_refused", f"crontab does not take the table: {_text(done.stderr).strip()[:200]}")


def _text(found: bytes) -> str:
    return found.decode("utf-8", "surrogateescape")


def _run(arguments: list[str], table: str = "") -> "subprocess.CompletedProcess[bytes]":
    command = shutil.which("crontab")
    if command is None:
        raise UsageError("no_cron", "there is no command crontab here: install cron, or use crontab/systemd")
    try:
        return subprocess.run(
            [command, *arguments],
            # Bytes: what reads and writes text would take the \r of other lines for its own.
            input=table.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError("cron_refused", f"crontab failed: {type(error).__name__}") from error


def with_block(table: str, owner: str, lines: Sequence[str]) -> str:
    """The table with our block in it: in its old place, or at the end. All other lines stay byte for byte.

    ``owner`` tells two installations of one user apart. Raises: InvalidInput ``cron_block_broken``.
    """
    before, after, had_block = _split(table, owner)
    block = "\n".join((_BEGIN.format(owner), *lines, _END.format(owner))) + "\n"
    if not had_block and before and not before.endswith("\n"):
        before += "\n"
    return before + block + after


def without_block(table: str, owner: str) -> str:
    """The table without our block. Raises: InvalidInput ``cron_block_broken``."""
    before, after, _ = _split(table, owner)
    return before + after


def _split(table: str, owner: str) -> tuple[str, str, bool]:
    lines = list(io.StringIO(table, newline="\n"))
    # An editor that ends all lines with \r\n has not made our marks another's.
    bare = [line.rstrip("\r\n") for line in lines]
    begins = [number for number, line in enumerate(bare) if line == _BEGIN.format(owner)]
    ends = [number for number, line in enumerate(bare) if line == _END.format(owner)]
    if not begins and not ends:
        return table, "", False
    stands = len(begins) == len(ends) == 1 and begins[0] < ends[0]
    # Another installation's block that got between ours would be lost with it.
    if not stands or any(line.startswith(_MARKS) for line in bare[begins[0] + 1 : ends[0]]):
        raise InvalidInput(
            "cron_block_broken",
            f"the marks `# BEGIN bo-engine {owner}` and `# END bo-engine {owner}` do not stand once each, in this "
            "order and without others between them in the crontab: repair it with `crontab -e`; nothing was changed",
        )
    return "".join(lines[: begins[0]]), "".join(lines[ends[0] + 1 :]), True
