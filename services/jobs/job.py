"""What a job is. Importing this loads nothing heavy: the list of all jobs is read at every start of `bo-engine`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bo_engine.errors import EXIT_DONE, InvariantBroken, require_invariant

if TYPE_CHECKING:
    from io_layer.postgres.connection import Conn
    from services.running.context import RunContext


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did: for machines, and in numbers for the records."""

    document: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = EXIT_DONE
    counts: Mapping[str, int] = field(default_factory=dict)
    error_code: str | None = None  # why, for a run that has done its work and does not end with 0 all the same
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """A job that does its work again and again: every ``step_s`` seconds, for ``lasts_s`` seconds in one run.

    Its lease is short and renewed with each step. The next run that cron starts waits for it up to ``wait_s`` seconds
    and takes over within a quarter of a second: at once from a run that has ended or died on this machine, after
    ``ttl_s`` seconds from one that died on another. That needs cron: systemd starts no second run beside the first.
    """

    step_s: float
    lasts_s: int = 60
    ttl_s: int = 15
    wait_s: int = 59

    def __post_init__(self) -> None:
        require_invariant(self.step_s < self.ttl_s, "bad_loop", "a step begins before the lease of the one before ends")


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its name, the folder of its log, when cron starts it (five fields), what it does, and how.

    ``look_first`` asks for what must be seen in every run, idle or not; what it returns tells the alarm as the database
    stands then, and the run ends with that. ``is_idle`` may look into the database to say that there is surely nothing
    to do. ``work`` runs under the job's lease and writes in ``RunContext.transaction`` only. ``plan`` is its dry run
    and holds no lease. ``loop``: the work is one step of a run.
    """

    name: str
    area: str
    schedule: str
    does: str
    work: "Callable[[RunContext], Done]"
    look_first: "Callable[[RunContext], Callable[[], InvariantBroken | None]] | None" = None
    is_idle: "Callable[[Conn], bool] | None" = None
    plan: "Callable[[RunContext], Done] | None" = None
    loop: Loop | None = None
