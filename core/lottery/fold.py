"""What a day's tickets add up to: count, tips, stake, digest and split per pool (rules 2.4 and 3.1), in one pass."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

import numpy as np

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import POOL_COUNT, POOL_IDS, ZERO_HASH, Atoms, DayId, Hash32
from core.lottery.model import PoolDay, StakeSplit, Ticket
from core.lottery.ruleset import Ruleset
from core.lottery.tickets import check_contents, check_owner, check_terms, next_digest, split_stake, stake_of
from core.lottery.tips import Masks, are_tips, check_tips, masks_array

BATCH_TICKETS: Final = 8192


def batches(tickets: Iterable[Ticket]) -> Iterator[list[Ticket]]:
    """Tickets in lists of some thousand: large enough for numpy, small enough for any memory."""
    stream = iter(tickets)
    while batch := list(islice(stream, BATCH_TICKETS)):
        yield batch


@contextmanager
def named(ticket: Ticket) -> Iterator[None]:
    """Put the ticket's id in front of an error about its contents."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(error.code, f"ticket {ticket.ticket_id}: {error.message}") from error


def splits_of(ruleset: Ruleset, sold: Iterable[PoolDay]) -> tuple[StakeSplit, ...]:
    """Where the stake of each pool's day goes, pool by pool (rule 2.4)."""
    return tuple(split_stake(ruleset, pool.stake_atoms) for pool in sold)


class DayFold:
    """Checks the tickets of a day and folds them, batch by batch. Memory does not grow with their number."""

    def __init__(self, day_id: DayId, ruleset: Ruleset) -> None:
        self._day_id = day_id
        self._ruleset = ruleset
        self._last_ticket_id = 0
        self._digests: list[Hash32] = [ZERO_HASH] * POOL_COUNT
        self._tip_counts = [0] * POOL_COUNT
        self._ticket_counts = [0] * POOL_COUNT
        self._stakes = [0] * POOL_COUNT
        self._terms: dict[tuple[int, int, int], tuple[int, int]] = {}

    def add(self, batch: Sequence[Ticket]) -> Masks:
        """Check and fold tickets in ascending id; return all their tips as one array of masks.

        Raises: InvalidInput ``tickets_unordered``, ``wrong_day``, ``bad_ticket``, ``bad_tip``.
        """
        digests, ticket_counts = self._digests, self._ticket_counts
        tip_counts, stakes = self._tip_counts, self._stakes
        for ticket in batch:
            if ticket.ticket_id <= self._last_ticket_id:
                message = f"ticket {ticket.ticket_id} comes after ticket {self._last_ticket_id}"
                require_input(False, "tickets_unordered", message)
            if ticket.day_id != self._day_id:
                message = f"ticket {ticket.ticket_id} is of day {ticket.day_id}, not {self._day_id}"
                require_input(False, "wrong_day", message)
            tips, stake = self._terms_of(ticket)
            if ticket.stake_atoms != stake or len(ticket.tips) != 8 * tips:
                check_contents(ticket, tips, stake)
            check_owner(ticket)
            pool = ticket.pool_id
            digests[pool] = next_digest(digests[pool], ticket)
            tip_counts[pool] += tips
            ticket_counts[pool] += 1
            stakes[pool] += stake
            self._last_ticket_id = ticket.ticket_id
        return self._masks_of(batch)

    def _terms_of(self, ticket: Ticket) -> tuple[int, int]:
        key = (ticket.pool_id, ticket.paid_tips, ticket.voucher_tips)
        terms = self._terms.get(key)
        if terms is None:
            with named(ticket):
                terms = (check_terms(self._ruleset, *key), stake_of(self._ruleset, *key))
            self._terms[key] = terms
        return terms

    def _masks_of(self, batch: Sequence[Ticket]) -> Masks:
        masks = masks_array(b"".join([ticket.tips for ticket in batch]))
        if not are_tips(masks, self._ruleset.number_max):
            for ticket in batch:
                with named(ticket):
                    check_tips(ticket.tips, self._ruleset.number_max)
        return masks

    def sold(self) -> tuple[PoolDay, ...]:
        """What each pool sold, as the chain counts it."""
        return tuple(
            PoolDay(
                ticket_count=self._ticket_counts[pool],
                tip_count=self._tip_counts[pool],
                stake_atoms=Atoms(self._stakes[pool]),
                digest=self._digests[pool],
            )
            for pool in POOL_IDS
        )

    def splits(self) -> tuple[StakeSplit, ...]:
        """Where each pool's stake of the day goes."""
        return splits_of(self._ruleset, self.sold())


def fold_day(day_id: DayId, ruleset: Ruleset, tickets: Iterable[Ticket]) -> DayFold:
    """Check and fold all tickets of a day, streamed in ascending id. Raises: as :meth:`DayFold.add`."""
    fold = DayFold(day_id, ruleset)
    for batch in batches(tickets):
        fold.add(batch)
    return fold


def tip_counts_of(batch: Sequence[Ticket]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """How many tips each ticket of a batch has."""
    return np.fromiter((len(ticket.tips) // 8 for ticket in batch), dtype=np.intp, count=len(batch))
