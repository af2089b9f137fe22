"""Processes: identity, ending, and what happens when their starter is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bo_engine.errors import Unavailable
from local_world import processes
from local_world.processes import Started, end, is_running, start, wait_for_line

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
OWNER = """
import json, pathlib, sys, time
from local_world import guard, processes
folder = pathlib.Path(sys.argv[1])
guard.watch_folder(str(folder / "left"))
(folder / "left").mkdir()
started = [processes.start(name, ["sleep", "60"], log=folder / "log") for name in ("a", "b")]
processes.let_live(started[1])
print(json.dumps([each.document() for each in started]), flush=True)
time.sleep(60)
"""


def test_a_process_is_its_pid_and_its_start_time(tmp_path: Path) -> None:
    sleeper = start("sleeper", ["sleep", "60"], log=tmp_path / "log")
    somebody_else = replace(sleeper, started="1")
    assert is_running(sleeper)
    assert not is_running(somebody_else)
    end(somebody_else)
    assert is_running(sleeper)
    end(sleeper)
    assert not is_running(sleeper)
    assert not Path(f"/proc/{sleeper.pid}").exists()  # reaped, no zombie


def test_a_process_that_ignores_its_stop_signal_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = start("deaf", [sys.executable, "-c", STUBBORN], log=log)
    wait_for_line(deaf, log, re.compile("(deaf)"), 10)
    end(deaf, wait_s=0.2)
    assert not is_running(deaf)


def test_a_process_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start("hasty", [sys.executable, "-c", "print('no such luck')"], log=log)
    with pytest.raises(Unavailable, match="hasty did not start: no such luck"):
        wait_for_line(process, log, re.compile("(ready)"), 10)


def test_what_a_killed_owner_started_is_ended_and_removed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    watched, let_live = (Started(**document) for document in json.loads(owner.stdout.readline()))
    assert is_running(watched)
    assert is_running(let_live)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert processes.wait_until_ended(watched, 10)
    deadline = time.monotonic() + 10
    while (tmp_path / "left").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not (tmp_path / "left").exists()
    assert is_running(let_live)
    end(let_live)
