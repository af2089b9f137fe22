"""Debian's cron, really running, with a spool of its own: in a mount namespace, so that no table of this machine's
users is read or changed."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import wait_until

#: What the namespace sees in place of the machine's own: an empty spool, an empty /run for the pid file.
_ENTER = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/spool
mkdir -p /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs
if [ -n "$PAM" ]; then mount --bind "$PAM" /etc/pam.d; fi
touch /run/ready
exec "$CRON" -f -L 15
"""


class Cron:
    """A running cron daemon, and how to run commands where its spool is."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self.folder = folder

    def run(self, *command: str, env: Mapping[str, str], given: str = "") -> "subprocess.CompletedProcess[str]":
        """A command beside the daemon; `crontab` is in its PATH."""
        path = f"{self.folder}:{env.get('PATH', os.defpath)}"
        return subprocess.run(
            ["nsenter", "--mount", f"--target={self._pid}", "--", *command],
            env={**env, "PATH": path},
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def find_cron(scratch: Path) -> tuple[Path, Path, Path | None] | str:
    """cron, crontab, and the folder of PAM's rules if the machine lacks one for cron; or why they cannot be had.

    Installed (.ci/run does it), or taken out of Debian's package without installing it.
    """
    if os.geteuid() != 0:
        return "only root may run cron with a spool of its own"
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return "unshare and nsenter (util-linux) are missing"
    cron, crontab = shutil.which("cron", path="/usr/sbin"), shutil.which("crontab")
    if cron and crontab:
        return Path(cron), Path(crontab), None
    for command in (["apt-get", "download", "-q", "cron"], ["dpkg-deb", "-x", "cron.deb", "."]):
        if failed := _failed(command, scratch):
            return f"cron is not installed, and its package cannot be had ({failed})"
        for package in scratch.glob("cron_*.deb"):
            package.rename(scratch / "cron.deb")
    pam = scratch / "pam.d"
    shutil.copytree("/etc/pam.d", pam)
    shutil.copy(scratch / "etc/pam.d/cron", pam)
    return scratch / "usr/sbin/cron", scratch / "usr/bin/crontab", pam


def _failed(command: Sequence[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {type(error).__name__}"
    return None if done.returncode == 0 else f"{command[0]}: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}"


@contextmanager
def running_cron(cron: Path, crontab: Path, pam: Path | None) -> Iterator[Cron]:
    """The daemon; ended with all that it has started."""
    with subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER],
        env={"PATH": os.environ.get("PATH", os.defpath), "CRON": str(cron), "PAM": str(pam or "")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            inside = Path(f"/proc/{process.pid}/root")
            wait_until(lambda: process.poll() is not None or (inside / "run/crond.pid").exists(), "cron to start")
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            yield Cron(process.pid, crontab.parent)
        finally:
            process.terminate()
            process.wait(timeout=20)
