"""Policy: what the shared folders must know of a product. Each product has one; its context hands it out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bo_engine.units import DayId, Wallet

if TYPE_CHECKING:
    from io_layer.rpc.reader import Block
    from io_layer.stores.journal import JournalTx


class Function(NamedTuple):
    """A contract's function, as abi/ names them."""

    contract: str
    name: str


class Events(NamedTuple):
    """Events of a contract that explain a transaction of ours, and what their first topic counts (`day`)."""

    contract: str
    names: tuple[str, ...]
    counts: str


class Wording(Protocol):
    """How a product's transactions are named; needs neither database nor chain."""

    @property
    def functions(self) -> Sequence[Function]:
        """All that the product's keys ever sign."""

    def purpose_in_words(self, function: Function | None, stored: "JournalTx") -> str:
        """As ``commit of day 20778, round 0``; ``function`` is None for one that this engine does not send."""

    def day_of(self, subject: str) -> DayId | None:
        """The day of a subject, for the audit log; None if it has none."""


class Policy(Protocol):
    """What a product decides for the journal and the reorg guard, on the context of one run."""

    @property
    def job(self) -> str:
        """The job under whose lease its transactions are signed and resumed."""

    @property
    def signed(self) -> Sequence[Function]:
        """What its key signs in the daily run."""

    @property
    def titles(self) -> Sequence[bytes]:
        """How the messages begin that its key signs."""

    @property
    def explaining(self) -> Sequence[Events]:
        """Events that each explain a transaction of our key which the journal does not know."""

    @property
    def scans(self) -> Sequence[str]:
        """The names of its cursors over events."""

    @property
    def wording(self) -> Wording:
        """How its transactions are named."""

    def address_of(self, contract: str) -> Wallet:
        """The address of a contract by its name in abi/."""

    def read_sender(self, block: "Block") -> Wallet:
        """Whose transactions ours are, at a final block."""

    def require_sender(self, address: Wallet) -> None:
        """Raises: UsageError ``wrong_key``, InvalidInput ``settler_suspended`` unless this key may act now."""

    def is_done(self, stored: "JournalTx", final: "Block") -> bool:
        """Whether nothing is left to do for a purpose, by the contracts' state at a final block."""

    def closed_because(self, stored: "JournalTx") -> str | None:
        """Why a purpose whose transactions are spent is not tried again, by the database; None if it may be."""

    def read_again(self) -> None:
        """A person has taken the chain as it is now: what rested on blocks that are gone is doubted. In the transaction
        that forgets the cursors."""
