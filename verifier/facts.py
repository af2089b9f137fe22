"""What a chain tells of a day: read by ``read_facts``, or recorded with the self-test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NONE, COMMITTED, RELEASED, VOIDED = range(4)


@dataclass(frozen=True)
class Vault:
    """A claim vault's account of one day and of all days. Its money lies in ReserveVault."""

    root: bytes
    total: int
    claimed: int
    claimed_by: Mapping[str, bool] | None  # by listed wallet; None where too many were listed to ask for each
    released: int  # of all days
    taken: int  # likewise

    @property
    def owed(self) -> int:
        """What is released and not claimed."""
        return self.released - self.taken


@dataclass(frozen=True)
class Purchases:
    """Events of tickets, as receipts show them: looked at, and those that are not what the files say."""

    asked: int
    listed: int
    wrong: tuple[str, ...]
    unseen: int = 0  # receipts that the node does not have


@dataclass(frozen=True)
class Facts:
    """A day at one final block."""

    block: int
    chain_id: int
    contracts: Mapping[str, str]
    ruleset_hash: bytes
    pools: tuple[Mapping[str, Any], ...]  # ticket_count, tip_count, stake, digest
    word: int | None
    requested_at: int  # unix seconds; 0: no VRF request
    opening_hash: bytes
    closing_hash: bytes  # the opening of the day after; zero while this day is open
    rates: Mapping[str, int]
    settler: str
    past_settlers: frozenset[str] | None  # everybody who ever was; None where no node shows it
    committer: str | None  # who sent the day's commit, if its receipt shows it
    status: int
    run_hash: bytes
    settlement_hash: bytes
    committed_at_s: int
    released_at_s: int
    takebacks: int
    prize_vault: Vault
    affiliate_vault: Vault
    held: int  # ReserveVault's own word on all that is owed
    balance: int  # what it has
    purchases: Purchases | None  # None: the files name none
