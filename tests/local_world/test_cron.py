"""Cron's lines in a world: what is due at a minute is started by the shell, and settles a day alone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId
from local_world.cron import Cron
from local_world.lottery.chain_view import ChainView
from local_world.lottery.night import Night
from local_world.story import Story
from tests.invariants.checker import check_invariants
from tests.support.observed import event_count, rows
from tests.support.played_world import PlayedWorld
from workers.all_jobs import all_jobs

pytestmark = pytest.mark.world


def cron_of(played: PlayedWorld, folder: Path) -> Cron:
    """Cron with the settings of the test's own database."""
    settings = folder / "settings.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in played.env.items()))
    settings.chmod(0o600)
    return Cron(settings, Path(played.env["LOGS_DIR"]))


def minute(text: str) -> int:
    """A minute of some day."""
    return int(datetime.fromisoformat(f"2026-11-22T{text}:00").replace(tzinfo=UTC).timestamp())


def test_at_a_minute_cron_starts_exactly_the_jobs_whose_lines_match(
    played: PlayedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Cron's jobs see nothing of the shell that a person works in.
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@127.0.0.1:9/else")
    cron = cron_of(played, tmp_path)
    runs = cron.tick(minute("04:17"))
    assert [(run.at, run.job, run.exit_code, run.error) for run in runs] == [
        ("2026-11-22T04:17", "refresh-seeds", 0, None),
        ("2026-11-22T04:17", "prune", 0, None),
    ]
    assert all(run.took_ms > 0 for run in runs)
    assert rows(played, "SELECT job FROM job_runs ORDER BY job") == [("prune",), ("refresh-seeds",)]
    assert (Path(played.env["LOGS_DIR"]) / "cron").is_dir()
    assert cron.runs == runs


def test_a_job_that_fails_is_told_as_cron_would_mail_it(played: PlayedWorld, tmp_path: Path) -> None:
    assert played.cli("halt", "--job", "prune", "--reason", "look first", "--by", "Ann").code == 0
    log = Path(played.env["LOGS_DIR"]) / "cron" / f"prune-{datetime.now(UTC):%Y-%m-%d}.log"
    log.parent.mkdir(parents=True)
    log.write_text("what earlier runs said\n")
    with pytest.raises(InvariantBroken, match="cron's prune ended with 1") as caught:
        cron_of(played, tmp_path).tick(minute("04:17"))
    head, said = caught.value.findings
    assert head.endswith(f", from {log}:")
    assert "job_halted: job prune is halted: look first" in said


@pytest.mark.slow
def test_a_day_is_settled_by_cron_alone_and_every_job_is_seen(played: PlayedWorld, tmp_path: Path) -> None:
    second = DayId(played.day + 1)
    played.settle_through()
    played.sell(second)
    cron = cron_of(played, tmp_path)
    story = Story(1, Console(stderr=True), None, None)
    night = Night(played.world, ChainView(played.chain, played.world.contracts), story, cron)
    night.settle(second)
    assert rows(played, f"SELECT status FROM settlement_pipeline_runs WHERE day_id = {second}") == [("DONE",)]  # noqa: S608
    assert [event_count(played, name, second) for name in ("DayCommitted", "DayReleased")] == [1, 1]
    night.finish(second)
    assert {run.job for run in cron.runs} == set(all_jobs())
    assert {run.exit_code for run in cron.runs} <= {0, 75}
    check_invariants(played)
