"""Two hosts with one database for two hundred ticks of cron: runs are killed and paused at random boundaries, the
hosts' clocks jump, a lease ends while its holder sleeps. Every day is settled, once (faults H01, H02, P02)."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bo_engine.units import DayId, day_end
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.kill_world import Ended, Runner, opened_runner
from tests.support.observed import event_count, rows
from tests.support.played_world import PlayedWorld

pytestmark = [pytest.mark.world, pytest.mark.slow]

TICKS, DAYS, SEED = 200, 4, 6
JOBS = ("settle", "settle", "settle", "refresh-seeds", "recover-intents", "prune")
#: Up to where in a run it happens: a run with nothing to do is short, and when it is over nothing happens to it.
LENGTHS = (6, 20, 150)
JUMPING = """
import os, time
_real, _real_ns = time.time, time.time_ns
def _shift():
    return int(os.environ.get("HOST_CLOCK_OFF_S", "0"))
time.time = lambda: _real() + _shift()
time.time_ns = lambda: _real_ns() + _shift() * 10**9
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Runner]]:
    """Two warm processes that start jobs, with clocks that can be set."""
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with ExitStack() as stack:
        yield [stack.enter_context(opened_runner(tmp_path / name)) for name in ("one", "two")]


class Night:
    """The ticks, and what happened in them."""

    def __init__(self, played: PlayedWorld, hosts: list[Runner]) -> None:
        self.played = played
        self.hosts = hosts
        self.rng = random.Random(SEED)
        self.days = [DayId(played.day + n) for n in range(DAYS)]
        self.count: Counter[str] = Counter()

    def run(self, host: int, job: str, flavour: str = "none", meanwhile: Callable[[], str] = lambda: "go") -> Ended:
        """A host's cron starts a job."""
        off_s = self.rng.choice((0, 0, 3600, -3600, 10**6))
        ended = self.hosts[host].run(
            {**self.played.env, "HOST_CLOCK_OFF_S": str(off_s)},
            (job, "--json"),
            flavour=flavour,
            at=self.rng.randrange(self.rng.choice(LENGTHS)),
            when_paused=meanwhile,
        )
        assert ended.code in (0, 75, -signal.SIGKILL), ended
        self.count[f"exit {ended.code}"] += 1
        if ended.code == -signal.SIGKILL:
            # To the other host, a process of this one is not seen to be dead.
            self.played.tamper("UPDATE job_leases SET host = 'far-host' WHERE holder IS NOT NULL")
        return ended

    def tick(self) -> None:
        """Both hosts' cron starts the same job in the same minute; something befalls one of them, or not."""
        first = self.rng.randrange(2)
        job = self.rng.choice(JOBS)
        fate = self.rng.choice(("none", "none", "kill_before", "kill_after", "pause_before", "pause_after"))

        def meanwhile() -> str:
            # It sleeps until its lease is over; the other host takes the job, and then it wakes, or never does.
            self.played.tamper(
                "UPDATE job_leases SET host = 'far-host', expires_at = clock_timestamp() - interval '1 s'"
                " WHERE holder IS NOT NULL"
            )
            self.count["slept"] += 1
            self.run(1 - first, job)
            return self.rng.choice(("go", "go", "die"))

        self.run(first, job, fate, meanwhile)
        self.run(1 - first, job)
        if self.rng.random() < 0.5:
            self.played.tamper("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 s'")
        self.let_time_pass()

    def let_time_pass(self) -> None:
        """Chainlink answers, the time of the drand round passes, and now and then a challenge period is over."""
        for day in self.days:
            is_asked = event_count(self.played, "SeedRequested", day, contract="VRFReceiver") == 1
            if is_asked and event_count(self.played, "SeedFulfilled", day, contract="VRFReceiver") == 0:
                self.played.world.fulfil_vrf(day)
                drand, chain = self.played.world.ruleset.drand, self.played.chain
                chain.advance_to(chain.now() + drand.delay_s + 2 * drand.period_s)
        self.played.chain.mine(2)
        if self.rng.random() < 0.2:
            self.played.pass_challenge()

    def begin(self, day: DayId) -> None:
        """A day is sold and over."""
        self.played.sell(day, buyers=3, min_tips=10, seed=day)
        self.played.chain.advance_to(day_end(day))
        self.played.chain.mine(2)

    def all_done(self) -> bool:
        """Whether every day is settled."""
        done = rows(self.played, "SELECT day_id FROM settlement_pipeline_runs WHERE status = 'DONE' ORDER BY day_id")
        return done == [(day,) for day in self.days]


def test_two_hosts_under_fire_settle_every_day_once(played: PlayedWorld, hosts: list[Runner]) -> None:
    night = Night(played, hosts)
    for number in range(TICKS):
        if number and number % (TICKS // DAYS) == 0:
            night.begin(night.days[number * DAYS // TICKS])
        night.tick()
    # The faults are over: a few quiet ticks are enough.
    played.tamper("UPDATE job_leases SET expires_at = clock_timestamp() - interval '1 s'")
    for _ in range(12):
        for job in ("recover-intents", "refresh-seeds", "settle"):
            night.run(0, job)
        night.let_time_pass()
        played.pass_challenge()
        if night.all_done():
            break
    assert night.all_done(), rows(played, "SELECT day_id, status, reason FROM settlement_pipeline_runs")
    for day in night.days:
        assert (event_count(played, "DayCommitted", day), event_count(played, "DayReleased", day)) == (1, 1)
    # It was a fight: runs were killed, were told to wait, and slept past their lease.
    assert min(night.count["exit -9"], night.count["exit 75"], night.count["slept"]) >= 10, night.count
    assert rows(played, "SELECT count(*) > 0 FROM job_runs WHERE error_code = 'lease_lost'") == [(True,)]
    assert rows(played, "SELECT count(*) > 0 FROM job_runs WHERE error_code = 'run_lost'") == [(True,)]
    check_at_rest(played, *night.days, after_kill=True)
    check_invariants(played)
