"""Ends runs at chosen boundaries and lets cron's next ticks finish the work; the truth is an undisturbed run."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from bo_engine.settings import SETTINGS
from bo_engine.units import DayId
from tests.invariants.checker import InvariantFailed, check_at_rest, check_invariants, files_on_disk
from tests.support.boundaries import Boundary
from tests.support.kill_summary import Tally
from tests.support.played_world import PlayedWorld

MAX_TICKS = 8
PADDING = 70  # more empty blocks than the deepest reorg takes
BLOCKS_TO_FINAL = 2  # of the local chain: a reorg that is deeper takes back what was final
SETTLE = ("settle", "--json")
_REPOSITORY = Path(__file__).resolve().parents[2]
_SECONDS = count(1)


@dataclass(frozen=True)
class Ended:
    """A run that has ended, by itself or not; ``code`` is -9 after SIGKILL."""

    code: int
    stdout: str
    stderr: str
    boundaries: tuple[Boundary, ...]
    unseen: tuple[str, ...]
    was_paused: bool = False

    @property
    def told(self) -> str:
        """Exit code and last line: what an operator would read."""
        return f"exit {self.code}: {(self.stderr.strip().splitlines() or ['nothing said'])[-1][:300]}"


class Runner:
    """Starts the engine as processes of their own, watched at every boundary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        ours.settimeout(120)
        self._socket = ours
        self._lines = ours.makefile("r", encoding="utf-8")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill_runner", "--serve", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=_REPOSITORY,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._socket.close()
        self._server.wait(timeout=60)

    def run(
        self,
        env: dict[str, str],
        arguments: tuple[str, ...] = SETTLE,
        *,
        flavour: str = "none",
        at: int = 0,
        when_paused: Callable[[], str] = lambda: "go",
    ) -> Ended:
        """One command, from start to end. ``when_paused`` says ``go`` or ``die``."""
        names = {setting.name for setting in SETTINGS} | {"BO_ENV_FILE"}
        clean = {name: value for name, value in os.environ.items() if name not in names}
        paths = {name: str(self._folder / name) for name in ("stdout", "stderr", "trace")}
        order = {"env": {**clean, **env}, "cwd": str(self._folder), "arguments": list(arguments), **paths}
        self._socket.sendall(json.dumps({**order, "flavour": flavour, "at": at}).encode() + b"\n")
        was_paused = False
        while True:
            said = json.loads(self._lines.readline() or '{"ended": 70}')
            if "ended" in said:
                break
            was_paused = True
            self._socket.sendall(when_paused().encode())
        seen = [json.loads(line) for line in Path(paths["trace"]).read_text().splitlines()]
        return Ended(
            code=said["ended"],
            stdout=Path(paths["stdout"]).read_text(),
            stderr=Path(paths["stderr"]).read_text(),
            boundaries=tuple(Boundary(**each) for each in seen if "number" in each),
            unseen=tuple(each["unseen"] for each in seen if "unseen" in each),
            was_paused=was_paused,
        )


@contextmanager
def opened_runner(folder: Path) -> Iterator[Runner]:
    """A runner, ended at the end."""
    runner = Runner(folder)
    try:
        yield runner
    finally:
        runner.close()


class Moment:
    """A state of database, chain and files, and the way back to it as often as it is wanted.

    Coming back to a moment ends all moments that were remembered after it.
    """

    def __init__(self, played: PlayedWorld) -> None:
        self._copy = PlayedWorld(played.world, played.folder)
        self._copy.env = dict(played.env)
        self._files = Path(played.env["ARTIFACTS_DIR"])
        self._copy.remember()

    def restored(self) -> PlayedWorld:
        """The world as it was then, with a database and a folder of its own."""
        self._remove_files()
        self._copy.restore()
        if self._files.exists():
            shutil.copytree(self._files, self._copy.env["ARTIFACTS_DIR"], symlinks=True)
        return self._copy

    def forget(self) -> None:
        """Remove the copies; the state that was remembered stays with whoever has it."""
        self._remove_files()
        if self._copy.env["ARTIFACTS_DIR"] != str(self._files):
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            self._copy.run_as_admin(drop.format(sql.Identifier(self._copy.database_name)))

    def _remove_files(self) -> None:
        if self._copy.env["ARTIFACTS_DIR"] != str(self._files):
            shutil.rmtree(Path(self._copy.env["ARTIFACTS_DIR"]).parent, ignore_errors=True)


#: What an undisturbed run gives, by name: digests of files and tables, the run_hash.
Truth: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """A command, and what cron, time and other people do until its work is done."""

    arguments: tuple[str, ...]
    to_the_end: Callable[[Runner, PlayedWorld], int]  # the number of ticks
    truth: Callable[[PlayedWorld], Truth]
    code: int = 0  # of the undisturbed run


class Trial:
    """One stretch of work (a moment, and the run that starts there), tried again and again."""

    def __init__(self, name: str, runner: Runner, played: PlayedWorld, course: Course) -> None:
        self.name = name
        self.runner = runner
        self.course = course
        self.moment = Moment(played)
        self.tally = Tally()
        first = self.moment.restored()
        listed = runner.run(first.env, course.arguments)
        assert listed.code == course.code, listed.told
        assert not listed.unseen, f"changes that no boundary stands for: {listed.unseen}"
        self.boundaries = listed.boundaries
        # Undisturbed, as far as this goes: each run came to its end by itself.
        course.to_the_end(runner, first)
        check_invariants(first)
        self.truth = course.truth(first)

    def kill(self, at: int, flavour: str, *, again: tuple[int, str] | None = None) -> None:
        """End the run at a boundary (and the next one at another), then let cron finish the work."""
        played = self.moment.restored()
        self._run(played, at, flavour)
        if again is not None:
            self._run(played, *again)
        self._finish(played, f"{self.name} {flavour} {at}{f' then {again}' if again else ''}")

    def ask_to_end(self, at: int, flavour: str) -> None:
        """SIGTERM at a boundary: the run ends soon, tidily, and with 75, or it was as good as done."""
        played = self.moment.restored()
        ended = self.runner.run(played.env, self.course.arguments, flavour=flavour, at=at)
        self._count(flavour, at, len(ended.boundaries) >= at)
        label = f"{self.name} {flavour} {at}"
        if ended.code not in (self.course.code, 75) or "Traceback" in ended.stderr:
            self.tally.failures.append(f"{label}: {ended.told}")
        try:
            check_at_rest(played)
        except InvariantFailed as error:
            self.tally.failures.append(f"{label}: {error}")
        self._finish(played, label)

    def crash_database(self, at: int, flavour: str, then: str) -> None:
        """PostgreSQL crashes while the run stands at a boundary; it is back before (``go``, ``die``) or after the run
        goes on (``late``)."""
        played = self.moment.restored()
        # A database that was copied from a template has its sequences on the disk only after a checkpoint: without one
        # PostgreSQL gives the same ids again after a crash, which no database of its own does.
        played.run_as_admin(sql.SQL("CHECKPOINT"))
        server = played.world.postgres

        def crash() -> str:
            server.crash()
            if then != "late":
                server.restart()
            return "die" if then == "die" else "go"

        ended = self.runner.run(played.env, self.course.arguments, flavour=flavour, at=at, when_paused=crash)
        if then == "late" and ended.was_paused:
            server.restart()
        label = f"{self.name} database crashed, {flavour} {at}, {then}"
        self._count(f"crash_{flavour.removeprefix('pause_')}_{then}", at, ended.was_paused)
        wanted = (-9,) if then == "die" else (self.course.code, 75)
        if ended.was_paused and ended.code not in wanted:
            self.tally.failures.append(f"{label}: {ended.told}")
        self._finish(played, label)

    def reorg(self, at: int, moment: str, depth: int) -> None:
        """The newest blocks are replaced by others, without any transaction, while the run stands at a boundary; it
        goes on, and so does cron. Above the final block that costs time only; a deeper one may stop the day, which a
        person then resumes."""
        played = self.moment.restored()
        # Empty blocks above the moment: the day's purchases stay where they are, and so does the way back. Each time
        # others, because anvil forgets old states by their hash, and one that came again would go with the old one.
        played.chain.call("evm_increaseTime", next(_SECONDS))
        played.chain.mine(PADDING)

        def drop() -> str:
            played.chain.call("anvil_reorg", depth, [])
            return "go"

        ended = self.runner.run(played.env, self.course.arguments, flavour=f"pause_{moment}", at=at, when_paused=drop)
        label = f"{self.name} reorg of {depth} {moment} {at}"
        self._count(f"reorg_{depth}_{moment}", at, ended.was_paused)
        is_deep = depth > BLOCKS_TO_FINAL
        if ended.was_paused and ended.code not in (self.course.code, 75, *([1] if is_deep else [])):
            self.tally.failures.append(f"{label}: {ended.told}")
        played.chain.mine(3)
        if is_deep:
            self._finish_deep(played, label)
        else:
            self._finish(played, label)

    def _finish_deep(self, played: PlayedWorld, label: str) -> None:
        """As ``_finish``, with a person who resumes; or the alarm that a day is DONE whose release the chain took back,
        which nobody can resume."""
        try:
            if settle_with_a_person(self.runner, played):
                self._finish(played, label)
            else:
                self.tally.checks += 1
        except (AssertionError, psycopg.Error) as error:
            self.tally.failures.append(f"{label}: {error}")

    def _run(self, played: PlayedWorld, at: int, flavour: str) -> None:
        ended = self.runner.run(played.env, self.course.arguments, flavour=flavour, at=at)
        self._count(flavour, at, len(ended.boundaries) >= at)
        if flavour == "lost" and ended.code not in (self.course.code, 75):
            self.tally.failures.append(f"{self.name} lost {at}: {ended.told}")

    def _count(self, flavour: str, at: int, reached: bool) -> None:
        if not reached:
            self.tally.not_reached += 1
            return
        self.tally.flavours[flavour] += 1
        self.tally.points.add(f"{self.name} {at}")

    def _finish(self, played: PlayedWorld, label: str) -> None:
        try:
            self.tally.ticks += self.course.to_the_end(self.runner, played)
            found = self.course.truth(played)
            if found != self.truth:
                names = sorted(name for name, _ in found.items() ^ self.truth.items())
                raise InvariantFailed("I2", f"other result: {names}")
            self.tally.invariants.update([*check_invariants(played), check_at_rest(played, after_kill=True)])
            self.tally.checks += 1
        except (AssertionError, psycopg.Error) as error:
            self.tally.failures.append(f"{label}: {error}")


def settle_to_the_end(runner: Runner, played: PlayedWorld) -> int:
    """Run ``settle`` as cron does until nothing is due; the number of ticks. Time passes, nobody helps."""
    for tick in range(1, MAX_TICKS + 1):
        ended = runner.run(played.env)
        if ended.code == 75:
            played.chain.mine(2)
            continue
        assert ended.code == 0, f"tick {tick}: {ended.told}"
        days: list[dict[str, Any]] = json.loads(ended.stdout)["days"]
        assert all(day["status"] in ("DONE", "WAITING") for day in days), days
        if any(day["not_before"] for day in days):
            played.pass_challenge()
        elif all(day["status"] == "DONE" for day in days):
            return tick
    raise AssertionError(f"not done after {MAX_TICKS} ticks: {ended.told}")


def settle_with_a_person(runner: Runner, played: PlayedWorld) -> bool:
    """Run ``settle`` as cron does, and resume whatever is HALTED. False when the jobs stop for good because the chain
    took back the release of a day that is DONE.

    The chain's evidence must stand in the row and in the audit log when it says that a final block changed.
    """
    for _ in range(2 * MAX_TICKS):
        ended = runner.run(played.env)
        row = _row(played)
        if ended.code == 1 and row.get("status") == "HALTED":
            if row["error_code"] == "final_block_changed":
                _require_evidence(played, str(row["reason"]))
            assert row["reason"], ended.told
            resumed = runner.run(played.env, ("resume", "--day", str(played.day), "--by", "Ada"))
            assert resumed.code == 0, resumed.told
        elif ended.code == 1 and "done_not_settled" in ended.stderr:
            assert row.get("status") == "DONE", ended.told
            return False
        elif ended.code == 75:
            played.chain.mine(3)
        else:
            assert ended.code == 0, ended.told
            if row.get("status") == "DONE":
                return True
            played.pass_challenge()
    raise AssertionError(f"not done after {2 * MAX_TICKS} ticks: {ended.told}")


def _require_evidence(played: PlayedWorld, reason: str) -> None:
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"]) as conn:
        kept = conn.execute(
            """SELECT details ->> 'was', details ->> 'is' FROM audit_log
                WHERE action = 'final_block_changed' ORDER BY audit_id DESC LIMIT 1"""
        ).fetchone()
    assert kept is not None and kept[0] != kept[1] and all(one in reason for one in kept), (kept, reason)


def _row(played: PlayedWorld) -> dict[str, Any]:
    asked = "SELECT status, error_code, reason FROM settlement_pipeline_runs WHERE day_id = %s"
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"]) as conn:
        found = conn.execute(asked, [played.day]).fetchone()
    return dict(zip(("status", "error_code", "reason"), found, strict=True)) if found else {}


def settled_truth(played: PlayedWorld, day: DayId | None = None) -> Truth:
    """The run_hash of a settled day (the world's first), and sha256 of its files that every machine writes alike."""
    day = day or played.day
    asked = "SELECT '0x' || encode(run_hash, 'hex') FROM settlement_runs WHERE day_id = %s AND status = 'settled'"
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"]) as conn:
        row = conn.execute(asked, [day]).fetchone()
    assert row is not None, f"day {day} is not settled"
    files = {name: digest for name, digest in files_on_disk(played, day).items() if name != "provenance.json"}
    return {"run_hash": str(row[0]), **files}


SETTLING = Course(SETTLE, settle_to_the_end, settled_truth)


@contextmanager
def opened_trial(name: str, runner: Runner, played: PlayedWorld, course: Course = SETTLING) -> Iterator[Trial]:
    """A trial of the world as it is now; ``second`` is the stretch from the first day's release to its stats."""
    if name == "second":
        ended = runner.run(played.env)
        assert ended.code == 0, ended.told
        played.pass_challenge()
    trial = Trial(name, runner, played, course)
    try:
        yield trial
    finally:
        trial.moment.forget()
