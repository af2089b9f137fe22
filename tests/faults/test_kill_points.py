"""A settle run may be ended between any two of its steps; cron's next ticks finish the day as if nothing had been.

Faults P01 (every boundary), P02 (twice), P03 and P04 (around the broadcast), P05 (around finality), P06 (SIGTERM),
D01 (PostgreSQL crashed) and D02 (answer lost after COMMIT). The boundaries are found by watching a run
(tests/support/boundaries.py).
After each: the same run_hash, the same bytes, one commit, one release, all invariants (tests/invariants), and no manual
step. KILL_SEED chooses another sample.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.boundaries import Boundary
from tests.support.kill_summary import PROPERTY
from tests.support.kill_world import SETTLE, Runner, Trial, opened_trial
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

SEED = os.environ.get("KILL_SEED", "1")
STRETCHES = ("first", "second")
KILLS = ("kill_before", "kill_after")
ENDINGS = ("term_before", "term_after")
CRASHES = [(f"pause_{moment}", then) for moment in ("before", "after") for then in ("go", "late", "die")]
_REPOSITORY = Path(__file__).resolve().parents[2]

Record = Callable[[str, object], None]


def told(record: Record, trial: Trial) -> None:
    """Put the numbers into the report, then fail if anything failed."""
    record(PROPERTY, trial.tally.document())
    assert not trial.tally.failures, "\n".join(trial.tally.failures)


def losable(trial: Trial) -> list[Boundary]:
    """Boundaries whose answer means something: commits, statements that stand alone, sends."""
    return [one for one in trial.boundaries if one.is_durable and one.kind != "file"]


@pytest.mark.parametrize("stretch", STRETCHES)
@pytest.mark.sampled(1)
def test_a_run_killed_at_sampled_boundaries_is_finished_by_the_next_ticks(
    stretch: str, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    rng = random.Random(f"{SEED} {stretch}")
    with opened_trial(stretch, runner, played) as trial:
        # Of each kind one, wherever the dice fall; the sends are where money moves.
        for kind in ("sql", "commit", "file", "send"):
            found = [one for one in trial.boundaries if one.kind == kind]
            assert found, f"a settle run without any {kind}"
            trial.kill(rng.choice(found).number, rng.choice(KILLS))
        numbers = [one.number for one in trial.boundaries]
        trial.kill(rng.choice(numbers), rng.choice(KILLS), again=(rng.choice(numbers), rng.choice(KILLS)))
        trial.kill(rng.choice(losable(trial)).number, "lost")
        trial.ask_to_end(rng.choice(numbers), rng.choice(ENDINGS))
        trial.crash_database(rng.choice(numbers), *rng.choice(CRASHES))
        told(record_property, trial)


def test_the_harness_kills_the_command_as_cron_would_start_it(played: PlayedWorld, runner: Runner) -> None:
    """The forked processes of the other tests meet the same boundaries as a process of its own."""
    environment = {**os.environ, **played.env}
    command = [sys.executable, "-m", "tests.support.kill_runner"]
    forked = runner.run(played.env, flavour="kill_before", at=40)
    assert forked.code == -9
    played.restore()
    done = subprocess.run(
        [*command, "--list", "--kill-before", "40", "--", *SETTLE],
        env={**environment, **played.env},
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr[-500:]
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"number"')]
    assert [line["label"] for line in lines] == [one.label for one in forked.boundaries]
    assert len(lines) == 40


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(4))
@pytest.mark.parametrize("flavour", KILLS)
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_run_killed_at_every_boundary_is_finished_by_the_next_ticks(
    stretch: str, flavour: str, shard: int, *, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played) as trial:
        for boundary in trial.boundaries[shard::4]:
            trial.kill(boundary.number, flavour)
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(4))
@pytest.mark.parametrize("flavour", ENDINGS)
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_run_asked_to_end_at_every_boundary_ends_tidily_and_is_finished_by_the_next_ticks(
    stretch: str, flavour: str, shard: int, *, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played) as trial:
        for boundary in trial.boundaries[shard::4]:
            trial.ask_to_end(boundary.number, flavour)
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(2))
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_run_killed_twice_is_finished_by_the_next_ticks(
    stretch: str, shard: int, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    rng = random.Random(f"{SEED} pairs {stretch} {shard}")
    with opened_trial(stretch, runner, played) as trial:
        numbers = [one.number for one in trial.boundaries]
        for _ in range(10):
            trial.kill(rng.choice(numbers), rng.choice(KILLS), again=(rng.choice(numbers), rng.choice(KILLS)))
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(4))
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_database_crashed_at_every_boundary_costs_a_tick_and_nothing_else(
    stretch: str, shard: int, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    rng = random.Random(f"{SEED} crash {stretch} {shard}")
    with opened_trial(stretch, runner, played) as trial:
        for boundary in trial.boundaries[shard::4]:
            trial.crash_database(boundary.number, *rng.choice(CRASHES))
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("stretch", STRETCHES)
def test_every_answer_lost_after_a_commit_or_a_broadcast_is_made_up_for(
    stretch: str, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played) as trial:
        for boundary in losable(trial):
            trial.kill(boundary.number, "lost")
        told(record_property, trial)
