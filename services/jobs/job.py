"""What a job is. Importing this loads nothing heavy: the list of all jobs is read at every start of `bo-engine`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bo_engine.errors import EXIT_DONE, InvariantBroken

if TYPE_CHECKING:
    from bo_engine.settings import Settings
    from io_layer.postgres.connection import Conn
    from services.lottery.engine import Engine
    from services.running.cancel import Stop
    from services.running.lease import Lease


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did: for machines, and in numbers for the records."""

    document: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = EXIT_DONE
    counts: Mapping[str, int] = field(default_factory=dict)
    error_code: str | None = None  # why, for a run that has done its work and does not end with 0 all the same
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a dry run works with. The chain is opened when it is asked for: its libraries take most of a start."""

    settings: "Settings"
    conn: "Conn"
    stop: "Stop"
    tell: Callable[[str], None]

    @contextmanager
    def engine(self) -> Iterator["Engine"]:
        """The engine on this run's connection."""
        from services.lottery.engine import open_engine

        with open_engine(self.settings, tell=self.tell, stop=self.stop, conn=self.conn) as engine:
            yield engine


@dataclass(frozen=True, slots=True)
class Run(Look):
    """What a job works with: it holds the lease, and writes in ``lease.transaction()`` only."""

    lease: "Lease"

    @contextmanager
    def engine(self) -> Iterator["Engine"]:
        """The engine on this run's connection; from the first job on, the database belongs to this installation."""
        from services.lottery.engine import open_engine
        from services.running.installation import claim_database

        with open_engine(self.settings, tell=self.tell, stop=self.stop, conn=self.conn) as engine:
            claim_database(self.lease, self.settings)
            yield engine


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its name, the folder of its log, when cron starts it (five fields), what it does, and how.

    ``look_first`` asks for what must be seen in every run, idle or not; what it returns tells the alarm as the database
    stands then, and the run ends with that. ``is_idle`` may look into the database to say that there is surely nothing
    to do. ``plan`` is its dry run.
    """

    name: str
    area: str
    schedule: str
    does: str
    work: Callable[[Run], Done]
    look_first: "Callable[[Look], Callable[[], InvariantBroken | None]] | None" = None
    is_idle: "Callable[[Conn], bool] | None" = None
    plan: Callable[[Look], Done] | None = None
