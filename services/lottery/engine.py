"""What a command works with: the database, the chain, the rulesets, the folder of the day's files."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bo_engine.errors import InvalidInput, InvariantBroken, UsageError, require_input
from bo_engine.settings import Settings
from bo_engine.units import Atoms, DayId, Hash32, day_end, day_of, hex_of
from core.lottery.bundle import state_hash
from core.lottery.model import PoolState
from core.lottery.ruleset import Ruleset
from core.lottery.void import closing_of_void
from io_layer.lottery.artifact_files import day_folder
from io_layer.lottery.contracts.game import DayOnChain, GameChain, open_game
from io_layer.lottery.stores.pipeline import select_day
from io_layer.lottery.stores.runs import select_closing_state
from io_layer.postgres.connection import Conn, connect
from io_layer.rpc.connect import open_chain
from services.lottery.backends import check_backends
from services.lottery.rulesets import load_rulesets, require_ruleset
from services.running.cancel import Stop
from services.running.installation import require_own_database

EMPTY_STATE = PoolState(Atoms(0), Atoms(0), Atoms(0), 0)


@dataclass(frozen=True, slots=True)
class Engine:
    """One command's connections. ``tell`` takes a line of the story for the person who watches; ``stop`` knows whether
    somebody has asked the command to end."""

    settings: Settings
    conn: Conn
    game: GameChain
    rulesets: Mapping[Hash32, Ruleset]
    artifacts_dir: Path
    tell: Callable[[str], None]
    stop: Stop = field(default_factory=Stop)

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
        while (row := select_day(self.conn, before)) is not None and row.status == "VOIDED":
            before = DayId(before - 1)
        if before < self.game.first_day:
            states: tuple[PoolState, ...] | None = (EMPTY_STATE,) * 5
        else:
            states = select_closing_state(self.conn, before)
        return states if states is None or before == day_id else closing_of_void(states)


@contextmanager
def open_engine(
    settings: Settings,
    *,
    tell: Callable[[str], None],
    name: str = "bo-engine",
    stop: Stop | None = None,
    for_display: bool = False,
    conn: Conn | None = None,
) -> Iterator[Engine]:
    """Connect to the database and to both RPC endpoints, and check each. ``for_display``: for a command that only
    shows, one endpoint that answers is enough. ``conn``: a connection that is open already, and stays so.

    Raises: InvariantBroken ``wrong_backend``; UsageError for anything that the settings get wrong; Unavailable for what
    does not answer.
    """
    check_backends()
    stop = stop or Stop()
    rulesets = load_rulesets(settings.ruleset_files)
    chain = open_chain(
        settings.rpc_url,
        settings.rpc_fallback_url,
        chain_id=settings.chain_id,
        says_local=settings.is_local,
        for_display=for_display,
        wait=stop.wait,
    )
    game = open_game(chain, settings.settlement_address)
    _require_present_ruleset(game, rulesets)
    with nullcontext(conn) if conn else connect(settings.database_url, application_name=name) as opened:
        require_own_database(opened, settings)
        yield Engine(settings, opened, game, rulesets, settings.artifacts_dir, tell, stop)


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
