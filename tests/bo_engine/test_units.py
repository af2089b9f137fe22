import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import (
    MAX_UINT256,
    day_end,
    day_of,
    day_start,
    hex_of,
    parse_atoms,
    parse_day,
    parse_hash32,
    parse_wallet,
    usdt,
    wallet_bytes,
)


@pytest.mark.parametrize("text", ["0x" + "aB" * 20, "0x" + "00" * 20, "0x" + "ff" * 20])
def test_a_wallet_is_kept_in_lower_case(text: str) -> None:
    assert parse_wallet(text) == text.lower()
    assert wallet_bytes(parse_wallet(text)).hex() == text[2:].lower()


@pytest.mark.parametrize(
    "value",
    [
        *("", "0x", "ab" * 20, "0x" + "a" * 39, "0x" + "a" * 41, "0x" + "g" * 40, "0X" + "a" * 40, None, 7, b"0x"),
        *("0x" + "a" * 40 + "\n", " 0x" + "a" * 40, "0x" + "a" * 38 + "  ", "0x" + "٣" * 40, ["0x" + "a" * 40]),
    ],
)
def test_what_is_no_wallet_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_wallet(value)
    assert caught.value.code == "bad_wallet"


@given(st.integers(0, MAX_UINT256))
def test_an_amount_survives_its_decimal_string(amount: int) -> None:
    assert parse_atoms(str(amount)) == parse_atoms(amount) == amount


@pytest.mark.parametrize(
    "value",
    [-1, MAX_UINT256 + 1, str(MAX_UINT256 + 1), 1.0, "1.0", "1e3", "01", "+1", "-1", "", " 1", "1\n", True, None, "٣"],
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_atoms(value)
    assert caught.value.code == "bad_amount"


@given(st.binary(min_size=32, max_size=32))
def test_a_hash_survives_its_hex(value: bytes) -> None:
    assert parse_hash32(hex_of(value)) == parse_hash32(value) == value


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33), "0x", "00" * 32, "0x" + "0" * 63, "0x" + "z" * 64, 0])
def test_what_is_no_hash_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_hash32(value)
    assert caught.value.code == "bad_hash"


@pytest.mark.parametrize("value", [-1, 2**31])
def test_what_is_no_day_is_refused(value: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_day(value)
    assert caught.value.code == "bad_day"


@given(st.integers(0, 2**31 - 1))
def test_a_day_holds_its_first_and_last_second_and_no_other(number: int) -> None:
    day = parse_day(number)
    assert day_of(day_start(day)) == day_of(day_end(day) - 1) == day
    assert day_of(day_end(day)) == day + 1


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.00 USDT"), (1, "0.000001 USDT"), (1_500_000, "1.50 USDT"), (1_234_567_890_000, "1,234,567.89 USDT")],
)
def test_amounts_are_shown_as_people_read_them(amount: int, shown: str) -> None:
    assert usdt(amount) == shown


def test_a_refused_value_is_shown_shortened() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_wallet("x" * 10_000)
    assert len(caught.value.message) < 130
