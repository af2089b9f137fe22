"""When what OWNER names or announces can come into force, and how that is said (rules 7.1 and 7.3)."""

from pathlib import Path

import pytest

from bo_engine.errors import UsageError
from core.lottery.notices import KEY_OFFICES, OFFICES, Window, duration, office_number, sales_on, utc

SOURCES = Path(__file__).resolve().parents[3] / "contracts" / "src" / "lottery"
NAMED_S = 1_795_305_600  # 2026-11-22 00:00 UTC
WINDOW = Window(NAMED_S + 48 * 3_600, NAMED_S + 14 * 86_400)


@pytest.mark.parametrize(
    ("now_s", "state", "words"),
    [
        (NAMED_S, "waits", "from 2026-11-24 00:00 UTC, in 2 d 0 h, to 2026-12-06 00:00 UTC"),
        (WINDOW.not_before_s - 1, "waits", "from 2026-11-24 00:00 UTC, in 0 min, to 2026-12-06 00:00 UTC"),
        (WINDOW.not_before_s, "due", "now, for 12 d 0 h, to 2026-12-06 00:00 UTC"),
        (WINDOW.not_after_s, "due", "now, for 0 min, to 2026-12-06 00:00 UTC"),
        (WINDOW.not_after_s + 1, "expired", "never: expired at 2026-12-06 00:00 UTC"),
    ],
)
def test_both_ends_of_a_window_belong_to_it_as_in_the_contracts(now_s: int, state: str, words: str) -> None:
    assert (WINDOW.state_at(now_s), WINDOW.in_words(now_s)) == (state, words)


def test_a_duration_is_told_in_its_two_largest_units_rounded_down() -> None:
    told = {59: "0 min", 60: "1 min", 3_599: "59 min", 3_600: "1 h 0 min", 172_799: "47 h 59 min", 172_800: "2 d 0 h"}
    assert {seconds: duration(seconds) for seconds in told} == told
    assert utc(0) == "1970-01-01 00:00 UTC"


def test_the_offices_stand_in_the_order_of_the_contracts() -> None:
    enum = (SOURCES / "Types.sol").read_text(encoding="utf-8").split("enum Office {")[1].split("}")[0]
    assert [name.strip().lower() for name in enum.split(",")] == list(OFFICES)
    assert [office_number(name) for name in OFFICES] == [0, 1, 2, 3, 4]
    assert set(KEY_OFFICES) == {"relayer", "settler"}
    for name in ("", "Owner", "king", "3"):
        with pytest.raises(UsageError) as refusal:
            office_number(name)
        assert refusal.value.code == "bad_role"


@pytest.mark.parametrize(
    ("today", "is_paused", "state"),
    [
        (9, False, "not begun"),
        (10, False, "open"),
        (15, False, "open"),
        (16, False, "stopped"),
        (21, False, "ended"),
        (10, True, "paused"),
    ],
)
def test_sales_are_open_to_the_day_that_the_contract_says(today: int, is_paused: bool, state: str) -> None:
    found = sales_on(today, first=10, oldest_open=10, last=20, is_paused=is_paused)
    assert (found.state, found.oldest_open, found.stops) == (state, 10, 15)
