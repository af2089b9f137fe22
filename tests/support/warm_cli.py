"""The real command line, each command in a process of its own, without importing everything anew each time.

A server process imports the engine once and forks for every command: the child gets the command's environment, folder
and empty stdin, and runs ``cli.main.main`` to its exit code. The imports alone would take a second a command.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from io_layer.lottery.recount.backends import second_backends
from tests.support.killed_places import make_deadly

_REPOSITORY = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 120
# What commands import when they run; a module that is missing here only costs time.
_WARM = (
    "cli.main",
    "services.lottery.deployment.checks.contracts",
    "services.lottery.deployment.roles",
    "services.lottery.deployment.deploy",
    "services.lottery.settlement.doctor",
    "services.lottery.settlement.explain",
    "services.lottery.purchases.rebuild",
    "services.lottery.settlement.resume",
    "services.transactions.resume",
    "services.jobs.run_job",
    "services.lottery.settlement.settle_days",
    "workers.lottery.recover_intents",
    "workers.lottery.refresh_seeds",
)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str


class WarmCli:
    """Commands started from one warm process. It ends with the process that started it."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm_cli"],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, killed_at: str | None = None
    ) -> Finished:
        """Run `bo-engine` with these arguments and exactly this environment; with ``killed_at`` it kills itself at that
        place (see ``killed_places``)."""
        assert self._server.stdin is not None and self._server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            request: dict[str, Any] = {
                "argv": list(arguments),
                "env": dict(env),
                "cwd": str(cwd),
                "out": str(out),
                "err": str(err),
            }
            request["killed_at"] = killed_at
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            return Finished(code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=10)


def _serve() -> None:
    for name in _WARM:
        importlib.import_module(name)
    second_backends()  # which is asked once a process, and takes a second
    for line in sys.stdin:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _run(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> NoReturn:
    """In the child: become the command."""
    from cli.main import main

    signal.alarm(_TIMEOUT_S)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, flags, 0o600), number)
    sys.argv = ["bo-engine", *request["argv"]]
    if request["killed_at"] is not None:
        make_deadly(request["killed_at"])
    code: object = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
