"""JSON from outside: read once, to one meaning, in bounded time."""

import time

import pytest

from bo_engine.strict_json import parse_json


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "NaN", "[" * 200 + "]" * 200, '{"a": }', ""])
def test_what_two_readers_could_take_for_two_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_brackets_inside_strings_are_no_depth() -> None:
    text = '["' + "[{" * 200 + '\\""]'
    assert parse_json(text) == ["[{" * 200 + '"']


def test_a_text_that_never_ends_its_string_takes_time_in_proportion_to_its_length() -> None:
    """One hostile answer of a few hundred kilobytes must not hold a job for an hour."""

    def took_s(marks: int) -> float:
        started = time.process_time()
        with pytest.raises(ValueError):
            parse_json("[" * 101 + '"' + '\\"' * marks + "\\")
        return time.process_time() - started

    # The same marks in forty short texts and in a long one: what grows with the square would take forty times as long.
    short_s = sum(took_s(2_000) for _ in range(40))
    assert took_s(80_000) < 15 * short_s
