"""Tips: six distinct numbers, written as a 64-bit mask with bit n-1 for number n (rule 2.2)."""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from bo_engine.errors import InvalidInput, require_input
from core.lottery.ruleset import NUMBERS_PER_TIP

Masks = npt.NDArray[np.uint64]


def mask_of(numbers: Sequence[int], number_max: int) -> int:
    """The mask of a tip. Raises: InvalidInput ``bad_tip`` unless there are six distinct numbers from 1..number_max."""
    shown = ", ".join(str(number) for number in numbers)
    require_input(len(numbers) == NUMBERS_PER_TIP, "bad_tip", f"a tip has {NUMBERS_PER_TIP} numbers, got {shown}")
    in_range = all(1 <= number <= number_max for number in numbers)
    require_input(in_range, "bad_tip", f"numbers are 1 to {number_max}, got {shown}")
    require_input(len(set(numbers)) == len(numbers), "bad_tip", f"a number stands twice in {shown}")
    return sum(1 << (number - 1) for number in numbers)


def numbers_of(mask: int) -> tuple[int, ...]:
    """The numbers of a mask, ascending."""
    return tuple(number for number in range(1, 65) if mask >> (number - 1) & 1)


def pack_masks(masks: Iterable[int]) -> bytes:
    """Masks as the chain stores them: big-endian uint64s, one after another. Raises: InvalidInput ``bad_tip``."""
    listed = list(masks)
    try:
        return struct.pack(f">{len(listed)}Q", *listed)
    except struct.error as error:
        raise InvalidInput("bad_tip", f"a mask is a uint64: {error}") from error


def unpack_masks(tips: bytes) -> tuple[int, ...]:
    """The masks of packed tips. Raises: InvalidInput ``bad_tip`` unless they fill whole 8 bytes."""
    require_input(len(tips) % 8 == 0, "bad_tip", f"tips are 8 bytes each, got {len(tips)} bytes")
    return struct.unpack(f">{len(tips) // 8}Q", tips)


def check_tips(tips: bytes, number_max: int) -> None:
    """Check packed tips one by one. Raises: InvalidInput ``bad_tip`` naming the first that is no tip."""
    for position, mask in enumerate(unpack_masks(tips)):
        numbers = numbers_of(mask)
        is_tip = len(numbers) == NUMBERS_PER_TIP and numbers[-1] <= number_max
        require_input(
            is_tip,
            "bad_tip",
            f"tip {position} has the numbers {numbers}; a tip has {NUMBERS_PER_TIP} distinct ones, 1 to {number_max}",
        )


def masks_array(tips: bytes) -> Masks:
    """Packed tips as an array, for millions at once. Raises: InvalidInput ``bad_tip``."""
    require_input(len(tips) % 8 == 0, "bad_tip", f"tips are 8 bytes each, got {len(tips)} bytes")
    return np.frombuffer(tips, dtype=">u8").astype(np.uint64)


def are_tips(masks: Masks, number_max: int) -> bool:
    """Whether every mask is a tip; the fast form of :func:`check_tips`."""
    highest = int(masks.max(initial=np.uint64(0)))
    return highest < 1 << number_max and bool((np.bitwise_count(masks) == NUMBERS_PER_TIP).all())
