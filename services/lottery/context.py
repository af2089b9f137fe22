"""LotteryContext: a RunContext with the lottery's contracts, its rulesets and the folder of the day's files."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from bo_engine.errors import InvalidInput, InvariantBroken, UsageError, require_input
from bo_engine.settings import Settings
from bo_engine.units import Atoms, DayId, Hash32, day_end, day_of, hex_of
from core.lottery.bundle import state_hash
from core.lottery.model import PoolState
from core.lottery.ruleset import Ruleset
from core.lottery.void import closing_of_void
from io_layer.lottery.artifact_files import day_folder
from io_layer.lottery.contracts.game import DayOnChain, GameChain, open_game
from io_layer.lottery.stores.pipeline import DayStatus, select_day
from io_layer.lottery.stores.runs import select_closing_state
from io_layer.postgres.connection import connect
from io_layer.rpc.reader import ChainReader
from services.lottery.backends import check_backends
from services.lottery.policy import LotteryPolicy
from services.lottery.rulesets import load_rulesets, require_ruleset
from services.running.cancel import Stop
from services.running.context import RunContext, chain_opener
from services.running.installation import claim_database, require_own_database

EMPTY_STATE = PoolState(Atoms(0), Atoms(0), Atoms(0), 0)


@dataclass(frozen=True, kw_only=True)
class LotteryContext(RunContext):
    """What a run of the lottery works with. ``game`` is what its contracts say, read through ``chain``."""

    game: GameChain
    rulesets: Mapping[Hash32, Ruleset]

    @property
    def policy(self) -> LotteryPolicy:
        """What the shared folders must know of the lottery."""
        return LotteryPolicy(self)

    @property
    def artifacts_dir(self) -> Path:
        """Where the copies of the day's files lie."""
        return self.settings.artifacts_dir

    def read_closed_day(self, day_id: DayId) -> DayOnChain:
        """The day's facts at a final block.

        Raises: InvalidInput ``day_not_closed``, ``day_before_first``.
        """
        block = self.game.chain.read_final_block()
        first = self.game.first_day
        require_input(day_id >= first, "day_before_first", f"day {day_id} lies before the contract's first day {first}")
        require_input(
            block.timestamp_s >= day_end(day_id),
            "day_not_closed",
            f"day {day_id} is not closed: the newest final block lies {day_end(day_id) - block.timestamp_s} s before "
            "its end; wait until a final block lies after it",
        )
        return self.game.read_day(block, day_id)

    def ruleset_of(self, facts: DayOnChain) -> Ruleset:
        """The ruleset that the chain names for the day. Raises: UsageError ``unknown_ruleset``, ``ruleset_differs``."""
        ruleset = self.rulesets.get(facts.ruleset_hash)
        if ruleset is None:
            raise UsageError(
                "unknown_ruleset",
                f"day {facts.day_id} is played under ruleset {hex_of(facts.ruleset_hash)}, which is neither built in "
                "nor in RULESET_FILES; add its file",
            )
        require_ruleset(ruleset, self.game.constants, f"the ruleset of day {facts.day_id}")
        return ruleset

    def opening_state(self, facts: DayOnChain) -> tuple[PoolState, ...]:
        """The five pools' states that the day meets, checked against the chain's hash of them.

        Raises: InvalidInput ``day_out_of_order`` while the day before has not ended here; InvariantBroken
        ``state_differs`` when our closing state of the day before is not the chain's.
        """
        day_id = facts.day_id
        states = self._state_after(DayId(day_id - 1))
        if states is None:
            raise InvalidInput(
                "day_out_of_order", f"day {day_id - 1} is not settled yet; settle it first: days go in order"
            )
        if state_hash(states) != facts.opening_state_hash:
            raise InvariantBroken(
                "state_differs", f"our closing state of day {day_id - 1} is not what the chain opens day {day_id} with"
            )
        return states

    def _state_after(self, day_id: DayId) -> tuple[PoolState, ...] | None:
        """The state that a day left; None if it has not ended here. Voided days in a row leave what one does."""
        before = day_id
        while (row := select_day(self.conn, before)) is not None and row.status == DayStatus.VOIDED:
            before = DayId(before - 1)
        if before < self.game.first_day:
            states: tuple[PoolState, ...] | None = (EMPTY_STATE,) * 5
        else:
            states = select_closing_state(self.conn, before)
        return states if states is None or before == day_id else closing_of_void(states)


def lottery_of(run: RunContext) -> LotteryContext:
    """The lottery on a run's connection; under a lease the database belongs to this installation from here on.

    Raises: as ``open_lottery``.
    """
    context = LotteryContext(**vars(run), **_opened(run.settings, run.open_chain))
    require_own_database(run.conn, run.settings)
    if context.lease is not None:
        claim_database(context)
    return context


@contextmanager
def open_lottery(
    settings: Settings,
    *,
    report: Callable[[str], None],
    name: str = "bo-engine",
    cancel: Stop | None = None,
    for_display: bool = False,
) -> Iterator[LotteryContext]:
    """Connect to both RPC endpoints and to the database, and check each. ``for_display``: for a command that only
    shows, one endpoint that answers is enough.

    Raises: InvariantBroken ``wrong_backend``; UsageError for anything that the settings get wrong; Unavailable for what
    does not answer.
    """
    cancel = cancel or Stop()
    open_chain = chain_opener(settings, cancel, for_display=for_display)
    parts = _opened(settings, open_chain)
    with connect(settings.database_url, application_name=name) as conn:
        require_own_database(conn, settings)
        yield LotteryContext(settings=settings, conn=conn, report=report, cancel=cancel, open_chain=open_chain, **parts)


class _Parts(TypedDict):
    game: GameChain
    rulesets: Mapping[Hash32, Ruleset]


def _opened(settings: Settings, open_chain: Callable[[], ChainReader]) -> _Parts:
    check_backends()
    rulesets = load_rulesets(settings.ruleset_files)
    game = open_game(open_chain(), settings.settlement_address)
    _require_present_ruleset(game, rulesets)
    return {"game": game, "rulesets": rulesets}


def _require_present_ruleset(game: GameChain, rulesets: Mapping[Hash32, Ruleset]) -> None:
    """Refuse the ruleset in force today, if it is known here, unless its numbers are the contracts'."""
    block = game.chain.newest_final or game.chain.read_final_block()
    today = max(game.first_day, day_of(block.timestamp_s))
    ruleset = rulesets.get(game.read_ruleset_hash(block, today))
    if ruleset is not None:
        require_ruleset(ruleset, game.constants, f"the ruleset of day {today}")


def require_writable(artifacts_dir: Path, *days: DayId) -> None:
    """Refuse a folder that cannot take the files of these days, before anything is written anywhere.

    Raises: UsageError ``artifacts_not_writable``.
    """
    for folder in (artifacts_dir, *(day_folder(artifacts_dir, day) for day in days)):
        existing = folder
        try:
            while not existing.exists() and not existing.is_symlink() and existing != existing.parent:
                existing = existing.parent
        except OSError as error:  # a name that is too long, say
            raise UsageError("artifacts_not_writable", f"ARTIFACTS_DIR cannot be used: {error.strerror}") from error
        # Root may write anywhere, but a folder without any write bit was meant to be read-only.
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK) or not existing.stat().st_mode & 0o222:
            raise UsageError(
                "artifacts_not_writable", f"{existing} cannot be written: change its owner or mode, or ARTIFACTS_DIR"
            )
