"""What the contract stores of a day: two hashes over rows of words (rule 4.5)."""

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.folder import Day
from verifier.hashing import keccak256, number_word


def state_hash(states: Sequence[dict[str, int]]) -> bytes:
    """Rule 4.5."""
    names = ("carry", "reserve", "last_rollover", "streak")
    return keccak256(b"".join(number_word(state[name]) for state in states for name in names))


def settlement_hash(day: Day) -> bytes:
    """Rule 4.5, of the day's bundle."""
    return settlement_hash_of(day.doc("commit_bundle"), day.sha256s["commit_bundle.json"], day.day_id)


def settlement_hash_of(bundle: Mapping[str, Any], run_hash: bytes, day_id: int) -> bytes:
    """The contract's struct, word by word."""
    return keccak256(
        b"".join(
            (
                number_word(day_id),
                *map(number_word, bundle["pool_payout"]),
                *map(number_word, bundle["pool_jackpot_payout"]),
                number_word(bundle["total_payout"]),
                bundle["winner_root"],
                *(number_word(int(hit)) for hit in bundle["jackpot_hit"]),
                number_word(bundle["affiliate_total"]),
                bundle["affiliate_root"],
                number_word(bundle["charity_total"]),
                run_hash,
            )
        )
    )
