"""The draw: nobody can choose it, everybody can check it (rules 3.2, 3.4, 3.5)."""

from collections.abc import Iterable, Iterator
from typing import Final

from bo_engine.errors import InvalidInput, require_input
from bo_engine.keccak import keccak256
from bo_engine.units import MAX_UINT256, DayId, Hash32, PoolId, day_end
from core.lottery.model import Deployment, Seeds
from core.lottery.ruleset import MAX_NUMBER_MAX, MIN_NUMBER_MAX, NUMBERS_PER_TIP, DrandNetwork
from merkle.words import text_word, uint_word, wallet_word

DRAW_TAG: Final = "BO-ENGINE/DRAW/1"


def draw_due_s(network: DrandNetwork, day_id: DayId, requested_at_s: int) -> int:
    """Unix seconds from which a day may be drawn: the draw delay after its close and after its VRF request.

    ``requested_at_s`` is the block time of that request. By then tickets and request are final, so that not even a
    sequencer can still change the tickets once both seeds are known.
    """
    return max(day_end(day_id), requested_at_s) + network.delay_s


def drand_round_of(network: DrandNetwork, day_id: DayId, requested_at_s: int) -> int:
    """The drand round of a day: the first that is published at ``draw_due_s`` or later. Computed, never chosen."""
    return first_round_at(network, draw_due_s(network, day_id, requested_at_s))


def first_round_at(network: DrandNetwork, time_s: int) -> int:
    """The first round published at the given unix time or later; round 1 is published at genesis."""
    waited_s = max(time_s - network.genesis_s, 0)
    return 1 + (waited_s + network.period_s - 1) // network.period_s


def round_time(network: DrandNetwork, drand_round: int) -> int:
    """The unix time at which a round is published."""
    return network.genesis_s + (drand_round - 1) * network.period_s


def draw_seed(deployment: Deployment, day_id: DayId, pool_id: PoolId, seeds: Seeds) -> Hash32:
    """The seed of one pool's draw: both seeds, bound to chain, contract, day and pool."""
    return Hash32(
        keccak256(
            text_word(DRAW_TAG)
            + uint_word(deployment.chain_id)
            + wallet_word(deployment.settlement)
            + uint_word(day_id)
            + uint_word(pool_id)
            + uint_word(seeds.vrf_word)
            + uint_word(seeds.drand_round)
            + seeds.drand_randomness
        )
    )


def draw_numbers(seed: Hash32, number_max: int) -> tuple[int, ...]:
    """Draw six of 1..number_max, in the order drawn, each order equally likely.

    Fisher-Yates over six places; the contract draws the same. Raises: InvalidInput ``bad_range`` outside 6..49.
    """
    fits = MIN_NUMBER_MAX <= number_max <= MAX_NUMBER_MAX
    require_input(fits, "bad_range", f"number_max is {MIN_NUMBER_MAX} to {MAX_NUMBER_MAX}, got {number_max}")
    return shuffle_six(number_max, random_words(seed))


def random_words(seed: Hash32) -> Iterator[int]:
    """Endless uint256 words of a seed: keccak256(abi.encode(seed, counter)), counter from 0."""
    counter = 0
    while True:
        yield int.from_bytes(keccak256(seed + counter.to_bytes(32, "big")), "big")
        counter += 1


def shuffle_six(number_max: int, words: Iterable[int]) -> tuple[int, ...]:
    """The first six places of a Fisher-Yates shuffle of 1..number_max, fed by random uint256 words."""
    stream = iter(words)
    numbers = list(range(1, number_max + 1))
    for place in range(NUMBERS_PER_TIP):
        other = place + uniform_below(number_max - place, stream)
        numbers[place], numbers[other] = numbers[other], numbers[place]
    return tuple(numbers[:NUMBERS_PER_TIP])


def uniform_below(count: int, words: Iterator[int]) -> int:
    """A number in 0..count-1, each equally likely: words from the incomplete last block are drawn again.

    Raises: InvalidInput ``no_word`` when the words run out, which those of a seed never do.
    """
    limit = MAX_UINT256 - (MAX_UINT256 % count + 1) % count
    for word in words:
        if word <= limit:
            return word % count
    raise InvalidInput("no_word", "the random words ran out")
