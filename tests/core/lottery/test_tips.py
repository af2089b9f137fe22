"""Rule 2.2."""

import struct
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from core.lottery.tips import are_tips, check_tips, mask_of, masks_array, numbers_of, pack_masks, unpack_masks
from tests.support.days import quick

tips = st.sets(st.integers(1, 38), min_size=6, max_size=6)
masks = st.integers(0, 2**64 - 1)


def test_number_n_is_bit_n_minus_1() -> None:
    assert mask_of((1, 2, 3, 4, 5, 6), 38) == 0b111111
    assert mask_of((38, 1, 2, 3, 4, 5), 38) == 0b11111 | 1 << 37


@quick
@given(tips, st.randoms(use_true_random=False))
def test_the_order_of_a_tips_numbers_is_irrelevant(numbers: set[int], rng: object) -> None:
    shuffled = sorted(numbers)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert numbers_of(mask_of(shuffled, 38)) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    "numbers",
    [
        *((), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 5)),
        *((0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 39), (-1, 1, 2, 3, 4, 5)),
    ],
)
def test_what_is_no_tip_has_no_mask(numbers: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="bad_tip"):
        mask_of(numbers, 38)


@quick
@given(st.lists(masks, max_size=255))
def test_packing_loses_nothing(listed: list[int]) -> None:
    packed = pack_masks(listed)
    assert packed == b"".join(mask.to_bytes(8, "big") for mask in listed)
    assert list(unpack_masks(packed)) == listed
    assert masks_array(packed).tolist() == listed


@pytest.mark.parametrize("mask", [-1, 2**64])
def test_a_mask_that_is_no_uint64_is_refused(mask: int) -> None:
    with pytest.raises(InvalidInput, match="bad_tip"):
        pack_masks([mask])


@pytest.mark.parametrize("length", [1, 7, 9, 15])
def test_bytes_that_are_no_whole_tips_are_refused(length: int) -> None:
    for read in (unpack_masks, masks_array, lambda data: check_tips(data, 38)):
        with pytest.raises(InvalidInput, match="bad_tip"):
            read(bytes(length))


@quick
@given(st.lists(st.one_of(masks, tips.map(lambda numbers: mask_of(tuple(numbers), 38))), max_size=5))
def test_the_fast_check_and_the_naming_check_agree(listed: list[int]) -> None:
    packed = pack_masks(listed)
    try:
        check_tips(packed, 38)
    except InvalidInput as error:
        assert error.code == "bad_tip"
        assert not are_tips(masks_array(packed), 38)
    else:
        assert are_tips(masks_array(packed), 38)


@pytest.mark.parametrize("number_max", [6, 7, 9])
def test_the_tips_of_a_small_range_are_exactly_its_combinations(number_max: int) -> None:
    valid = {mask_of(numbers, number_max) for numbers in combinations(range(1, number_max + 1), 6)}
    for mask in range(2 ** (number_max + 1)):
        assert are_tips(np.array([mask], dtype=np.uint64), number_max) == (mask in valid)


def test_the_first_bad_tip_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"tip 1 has the numbers \(1, 2\)"):
        check_tips(struct.pack(">3Q", 0b111111, 0b11, 0), 38)
