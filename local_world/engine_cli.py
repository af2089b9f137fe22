"""Runs the engine's own command line as cron would: one process per command, settings from the world's file."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import EXIT_DONE, EXIT_LATER, InvariantBroken
from bo_engine.settings import SETTINGS

_TIMEOUT_S: Final = 300.0
_TRIES: Final = 30
_PAUSE_S: Final = 0.4


class EngineCli:
    """`bo-engine` with the settings of one world and nothing of the surrounding environment's."""

    def __init__(self, env_file: Path) -> None:
        # The environment wins over the file, so a stray DATABASE_URL would send the demo to somebody's database.
        names = {setting.name for setting in SETTINGS}
        self._env = {name: value for name, value in os.environ.items() if name not in names}
        self._env["BO_ENV_FILE"] = str(env_file)

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run a command with ``--json`` once and return what it printed; 75 (try again later) counts as an answer.

        Raises: InvariantBroken ``command_failed`` with the command's own last line.
        """
        return self._once(arguments)[1]

    def run_until_done(self, *arguments: str) -> dict[str, Any]:
        """Run a command as often as cron would until it does not answer 75 any more.

        Raises: InvariantBroken ``command_failed``, also when it still answers 75 in the end.
        """
        for _ in range(_TRIES):
            code, document = self._once(arguments)
            if code == EXIT_DONE:
                return document
            time.sleep(_PAUSE_S)
        raise InvariantBroken("command_failed", f"bo-engine {' '.join(arguments)} still waits: {json.dumps(document)}")

    def _once(self, arguments: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
        shown = f"bo-engine {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "cli.main", *arguments, "--json"],
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InvariantBroken("command_failed", f"{shown} has not ended after {_TIMEOUT_S:.0f} s") from error
        if done.returncode not in (EXIT_DONE, EXIT_LATER):
            said = (done.stderr or done.stdout).strip().splitlines()
            raise InvariantBroken(
                "command_failed",
                f"{shown} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}",
                said,
            )
        if not done.stdout.strip() and done.returncode == EXIT_LATER:
            return EXIT_LATER, {"reason": done.stderr.strip()[-300:]}
        try:
            document = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise InvariantBroken("command_failed", f"{shown} printed no JSON object") from error
        if not isinstance(document, dict):
            raise InvariantBroken("command_failed", f"{shown} printed no JSON object")
        return done.returncode, document
