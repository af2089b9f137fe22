"""RunContext: what one run of a command works with. A product extends it (``services/lottery/context.py``).

Importing this loads no chain library: they take most of a start, and an idle run needs none.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from bo_engine.errors import InvariantBroken
from bo_engine.settings import Settings
from io_layer.postgres.connection import Conn
from io_layer.stores.leases import guard_lease, renew_lease
from services.running.cancel import Stop
from services.running.halted import job_halted

if TYPE_CHECKING:
    from io_layer.rpc.reader import ChainReader
    from services.running.policy import Policy


class HeldLease(NamedTuple):
    """The lease of a job that this run holds, until the database's clock is ``ttl_s`` seconds further."""

    job: str
    token: int
    ttl_s: int


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Settings, connection, chain, reporter, cancellation, and the lease, if this run holds one.

    ``report`` takes one line of progress for a person who watches. ``open_chain`` connects to both endpoints at its
    first call and returns the same reader from then on.
    """

    settings: Settings
    conn: Conn
    report: Callable[[str], None]
    cancel: Stop
    open_chain: "Callable[[], ChainReader]"
    lease: HeldLease | None = None

    @property
    def chain(self) -> "ChainReader":
        """Both endpoints. Raises: UsageError and Unavailable as ``io_layer.rpc.connect.open_chain``, at first use."""
        return self.open_chain()

    @property
    def policy(self) -> "Policy":
        """What the shared folders must know of the product that runs. Raises: InvariantBroken ``no_product``."""
        raise InvariantBroken("no_product", "a job of no product wanted to send a transaction, a bug of the engine")

    @property
    def held(self) -> HeldLease:
        """The lease. Raises: InvariantBroken ``no_lease``: what writes for a job runs under its lease only."""
        if self.lease is None:
            raise InvariantBroken("no_lease", "a job wanted to write without its lease, a bug of the engine")
        return self.lease

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A fenced transaction: it commits only while the lease is ours, and begins only while nothing cancels the run.

        Raises: Unavailable ``lease_lost``; Stopped; Halted ``job_halted``.
        """
        lease = self.held
        self.cancel.check()
        with self.conn.transaction():
            halted = guard_lease(self.conn, lease.job, lease.token)
            # A halt is heard where a signal is: what must go to its end does.
            if halted is not None and self.cancel.is_heard:
                raise job_halted(lease.job, halted)
            yield

    def renew_lease(self) -> None:
        """Hold it longer; called between steps. Raises: Unavailable ``lease_lost``; Stopped."""
        self.cancel.check()
        renew_lease(self.conn, *self.held)


def chain_opener(settings: Settings, cancel: Stop, *, for_display: bool = False) -> "Callable[[], ChainReader]":
    """Connects at its first call. ``for_display``: for a command that only shows, one endpoint is enough."""

    @cache
    def opened() -> "ChainReader":
        from io_layer.rpc.connect import open_chain

        return open_chain(
            settings.rpc_url,
            settings.rpc_fallback_url,
            chain_id=settings.chain_id,
            says_local=settings.is_local,
            for_display=for_display,
            wait=cancel.wait,
        )

    return opened


def run_context(
    settings: Settings, conn: Conn, *, report: Callable[[str], None], cancel: Stop, for_display: bool = False
) -> RunContext:
    """The context of a run that holds no lease yet and has not opened the chain."""
    open_chain = chain_opener(settings, cancel, for_display=for_display)
    return RunContext(settings=settings, conn=conn, report=report, cancel=cancel, open_chain=open_chain)
