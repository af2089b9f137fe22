"""What the shared folders must know of the lottery (``services/running/policy.py``)."""

from typing import TYPE_CHECKING, Final

from bo_engine.errors import require_invariant
from bo_engine.units import DayId, Wallet
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED, VOIDED
from io_layer.lottery.manifest_signature import TITLES
from io_layer.lottery.stores.payments.claims import reopen_claims
from io_layer.lottery.stores.pipeline import DayStatus, select_day
from io_layer.rpc.reader import Block
from io_layer.stores.journal import JournalTx
from services.lottery.wording import RELEASE, REQUEST_SEED, SIGNED, WORDING, LotteryWording
from services.running.policy import Events, Function
from services.transactions.show import function_of

if TYPE_CHECKING:
    from services.lottery.context import LotteryContext

#: The job that settles; whoever touches a day or a transaction of the lottery holds its lease.
JOB: Final = "settle"
TICKETS: Final = "tickets"  # the cursor up to where purchases were read
CLAIMS: Final = "claims"  # up to where claims and refunds were read


class LotteryPolicy:
    """On one context. What stands on the chain as a commit, a release, a seed request or the taking of office is ours:
    the contracts take each only once, and the steps compare its contents."""

    job = JOB
    signed: tuple[Function, ...] = SIGNED
    titles = TITLES
    explaining = (
        Events("SettlementV4", ("DayCommitted", "DayReleased"), "day"),
        Events("VRFReceiver", ("SeedRequested",), "day"),
        # A key takes office by its own call, which any wallet may have sent with it.
        Events("Roles", ("HolderSet",), "office"),
    )
    scans = (TICKETS, CLAIMS)
    wording: LotteryWording = WORDING

    def __init__(self, context: "LotteryContext") -> None:
        self._context = context

    def address_of(self, contract: str) -> Wallet:
        """The address of one of our contracts."""
        return self._context.game.contracts.of(contract)

    def read_sender(self, block: Block) -> Wallet:
        """The holder of the office of SETTLER."""
        return self._context.game.read_settlers(block)[1]

    def require_sender(self, address: Wallet) -> None:
        """Raises: UsageError ``wrong_key``; InvalidInput ``settler_suspended``."""
        self._context.game.require_settler(address)

    def is_done(self, stored: JournalTx, final: Block) -> bool:
        """Done by another sender, vetoed, or voided with its day."""
        function = function_of(self.wording, stored)
        if function is None:
            return False
        game, day_id = self._context.game, _day_of(stored)
        if function == REQUEST_SEED:
            facts = game.read_day(final, day_id)
            return bool(facts.vrf_requested_block) or facts.record.status == VOIDED
        record = game.read_record(final, day_id)
        ends = (RELEASED, VOIDED) if function == RELEASE else (COMMITTED, RELEASED, VOIDED)
        return record.takebacks > stored.round or record.status in ends

    def closed_because(self, stored: JournalTx) -> str | None:
        """That of a voided day is closed."""
        day = select_day(self._context.conn, _day_of(stored))
        return "its day is voided" if day is not None and day.status == DayStatus.VOIDED else None

    def read_again(self) -> None:
        """The vaults may have paid a claim in a block that is gone, before the event was read."""
        reopen_claims(self._context.conn)


def _day_of(stored: JournalTx) -> DayId:
    day_id = WORDING.day_of(stored.subject)
    require_invariant(
        day_id is not None, "journal_damaged", f"transaction {stored.tx_id} names no day: {stored.subject}"
    )
    return day_id  # type: ignore[return-value]
