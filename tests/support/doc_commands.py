"""The shell commands of a documentation page, as the page has them."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def documented(page: str, *starts: str, section: str | None = None) -> list[str]:
    """The lines of the page's shell blocks, or of one section's, that start with these words, in their order; each must
    be there."""
    text = (_DOCS / page).read_text(encoding="utf-8")
    if section is not None:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line.startswith(starts)]
    assert {line.split()[0] for line in found} >= {start.split()[0] for start in starts}, (starts, lines)
    return found


def run_shell(line: str, *, path: Path, **variables: str) -> None:
    """Run one line with these variables and these programs; it must succeed."""
    env: Mapping[str, str] = {"PATH": f"{path}{os.pathsep}{os.environ.get('PATH', os.defpath)}", "LC_ALL": "C"}
    done = subprocess.run(["sh", "-euc", line], env={**env, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
