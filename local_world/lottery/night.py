"""A night in which only cron starts anything: the clock moves on, Chainlink answers, the jobs settle the day."""

from typing import Any, Final

from bo_engine.errors import require_invariant
from bo_engine.units import DayId, day_end, hex_of
from io_layer.lottery.contracts.day_record import COMMITTED
from local_world.cron import Cron, JobRun
from local_world.lottery.chain_view import ChainView
from local_world.lottery.world import World
from local_world.story import Story

# Starts cost seconds, so minutes are chosen at which few jobs are due, or nearly all.
_TENTH_MINUTE_S: Final = 600
_FIFTH_MINUTE_S: Final = 300
_PATIENCE_S: Final = 3 * 3600
_PRUNE_S: Final = 4 * 3600 + 17 * 60


class Night:
    """The minutes of a night in which something can have changed; each start of a job takes its second."""

    def __init__(self, world: World, view: ChainView, story: Story, cron: Cron) -> None:
        self._world = world
        self._view = view
        self._story = story
        self._cron = cron
        self._now_s = 0

    def settle(self, day_id: DayId) -> None:
        """From midnight until the job settle says that the day is done. Raises: InvariantBroken ``not_settled``."""
        self._now_s = day_end(day_id)
        while not any(run.job == "settle" and run.counts.get("done") for run in self._tick(day_id)):
            self._now_s = self._next_minute(day_id)
            require_invariant(
                self._now_s < day_end(day_id) + _PATIENCE_S, "not_settled", f"cron has not settled day {day_id}"
            )

    def finish(self, day_id: DayId) -> None:
        """What is left to do in a night when the winners have claimed: look once more, and prune."""
        for minute_s in (self._now_s + _FIFTH_MINUTE_S, day_end(day_id) + _PRUNE_S):
            self._now_s = minute_s
            self._tick(day_id)

    def outcome(self, day_id: DayId) -> dict[str, Any]:
        """What `settle --json` would have said of the day; cron throws that away, so the chain is asked."""
        _, _, run_hash, *_ = self._view.ask("SettlementV4", "dayRecord", day_id)
        return {"day_id": day_id, "run_hash": hex_of(run_hash)}

    def _tick(self, day_id: DayId) -> list[JobRun]:
        minute = f"{self._now_s % 86_400 // 3600:02d}:{self._now_s % 3600 // 60:02d}"
        with self._story.step(f"the night after day {day_id}, {minute}: cron starts what is due") as facts:
            self._world.advance_to(self._now_s)
            runs = self._cron.tick(self._now_s)
            facts += [f"{run.job} {run.exit_code}" for run in runs]
            self._answer_vrf(day_id)
        return runs

    def _answer_vrf(self, day_id: DayId) -> None:
        request_id, *_ = self._view.ask("VRFReceiver", "requestOf", day_id)
        has_word, _ = self._view.ask("VRFReceiver", "wordOf", day_id)
        if request_id and not has_word:
            self._world.fulfil_vrf(day_id)

    def _next_minute(self, day_id: DayId) -> int:
        if self._now_s == day_end(day_id):
            return self._now_s + self._world.ruleset.drand.delay_s + 180  # 01:03
        status, _, _, committed_at_s, *_ = self._view.ask("SettlementV4", "dayRecord", day_id)
        until_s = committed_at_s + self._view.ask("SettlementV4", "challengePeriod") if status == COMMITTED else 0
        after_s = max(self._now_s, until_s)
        return after_s - after_s % _TENTH_MINUTE_S + _TENTH_MINUTE_S
