"""The user's crontab, through the command `crontab`; of it, the block between our two marks and nothing else."""

import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from bo_engine.errors import InvalidInput, UsageError

_TIMEOUT_S: Final = 20
_BEGIN: Final = "# BEGIN bo-engine {}: written by `bo-engine cron install`, changes in here are lost"
_END: Final = "# END bo-engine {}"


def read_table() -> str:
    """The user's whole table; empty when there is none. Raises: UsageError ``no_cron``, ``cron_refused``."""
    done = _run(["-l"])
    if done.returncode == 0:
        return done.stdout
    if "no crontab for" in done.stderr:
        return ""
    raise UsageError("cron_refused", f"crontab -l: {done.stderr.strip()[:200]}")


def write_table(table: str) -> None:
    """Replace the user's table. Raises: as ``read_table``."""
    done = _run(["-"], table)
    if done.returncode != 0:
        raise UsageError("cron_refused", f"crontab does not take the table: {done.stderr.strip()[:200]}")


def _run(arguments: list[str], table: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = shutil.which("crontab")
    if command is None:
        raise UsageError("no_cron", "there is no command crontab here: install cron, or use crontab/systemd")
    try:
        return subprocess.run(
            [command, *arguments],
            input=table if table is not None else "",
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
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
    lines = table.splitlines(keepends=True)
    bare = [line.rstrip("\n") for line in lines]
    begins = [number for number, line in enumerate(bare) if line == _BEGIN.format(owner)]
    ends = [number for number, line in enumerate(bare) if line == _END.format(owner)]
    if not begins and not ends:
        return table, "", False
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise InvalidInput(
            "cron_block_broken",
            f"the marks `# BEGIN bo-engine {owner}` and `# END bo-engine {owner}` do not stand once each and in this "
            "order in the crontab: repair it with `crontab -e`; nothing was changed",
        )
    return "".join(lines[: begins[0]]), "".join(lines[ends[0] + 1 :]), True
