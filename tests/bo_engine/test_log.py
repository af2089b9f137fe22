"""Logs are JSON lines that no hostile text can break out of and no secret can pass."""

import io
import json
import logging

import pytest

from bo_engine.log import JsonLines, get_logger, start_logging

KEY = "0x" + "5a" * 32
DATABASE = "postgresql://bo_settle:p%40ss-word-1@localhost:5432/bo_engine"
RPC = "https://arb.example/v2/key-0123456789?token=token-abcdef"


@pytest.mark.parametrize(
    "leak", [KEY, KEY[2:], DATABASE, "p%40ss-word-1", "p@ss-word-1", RPC, "/v2/key-0123456789", "key-0123456789"]
)
def test_a_secret_is_blotted_whole_and_in_its_parts(leak: str) -> None:
    blotted = JsonLines((KEY, DATABASE, RPC)).blot(f"before {leak} after")
    assert blotted == "before *** after"


def test_a_query_of_an_endpoint_is_blotted() -> None:
    assert "token-abcdef" not in JsonLines((RPC,)).blot("?token=token-abcdef and token-abcdef")


def test_the_name_of_a_database_is_no_secret() -> None:
    path = "/var/lib/bo_engine/artifacts/dayId=20000"
    assert JsonLines((DATABASE,)).blot(path) == path


def test_a_log_line_is_one_json_object_whatever_stands_in_it() -> None:
    stream = io.StringIO()
    kept = logging.getLogger().handlers[:]
    try:
        start_logging((KEY,), stream=stream, verbose=True)
        hostile = 'x"}\n{"level": "fatal"}\x1b[31m'
        get_logger("test").info("step_done", extra={"facts": {"name": hostile, "key": KEY}})
    finally:
        logging.getLogger().handlers[:] = kept
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["facts"] == {"name": hostile, "key": "***"}
    assert line.isascii()
    assert line.isprintable()


def test_a_trace_is_blotted_too() -> None:
    try:
        raise ValueError(f"cannot reach {RPC}")
    except ValueError as error:
        record = logging.LogRecord("bo", logging.ERROR, "", 0, "failed", None, (ValueError, error, error.__traceback__))
    line = JsonLines((RPC,)).format(record)
    assert "key-0123456789" not in line
    assert "ValueError: cannot reach ***" in json.loads(line)["trace"]


def test_a_line_that_cannot_be_made_or_written_stops_nothing_and_leaves_no_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("a trace")

    class FullDisk(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    stream = io.StringIO()
    kept = logging.getLogger().handlers[:]
    try:
        start_logging((), stream=stream)
        get_logger("test").error("step_failed", extra={"what": Hostile()})
        start_logging((), stream=FullDisk())
        get_logger("test").error("step_failed")
    finally:
        logging.getLogger().handlers[:] = kept
    assert json.loads(stream.getvalue()) == {"level": "error", "event": "log_line_lost"}
    assert capsys.readouterr() == ("", "")
