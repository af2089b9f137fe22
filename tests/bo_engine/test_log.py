"""Logs are JSON lines that no hostile text can break out of and no secret can pass."""

import io
import json
import logging

import pytest

from bo_engine.log import JsonLines, get_logger, start_logging
from bo_engine.redaction import know_secrets

KEY = "0x" + "5a" * 32
RPC = "https://arb.example/v2/key-0123456789?token=token-abcdef"


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
    know_secrets((RPC,))
    try:
        raise ValueError(f"cannot reach {RPC}")
    except ValueError as error:
        record = logging.LogRecord("bo", logging.ERROR, "", 0, "failed", None, (ValueError, error, error.__traceback__))
    line = JsonLines().format(record)
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
