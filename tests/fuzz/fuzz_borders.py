"""Fuzzing by coverage: bytes that the fuzzer finds, at every border where bytes are parsed. `make fuzz` runs it.

    python tests/fuzz/fuzz_borders.py TARGET [-max_total_time=SECONDS]

A target ends in a value or in one of the engine's own errors; any other exception ends the run with the bytes that did
it, which then become an example in tests/faults/test_hostile_bytes.py.
"""

import logging
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bo_engine", "core", "io_layer", "merkle", "abi"]):
    import abi
    from bo_engine.errors import EngineError
    from bo_engine.settings import load_settings
    from bo_engine.strict_json import parse_json
    from bo_engine.units import Hash32
    from core.lottery.drand import parse_signature
    from core.lottery.ruleset import parse_ruleset
    from core.lottery.tips import check_tips
    from io_layer.contracts.codec import codec
    from io_layer.rpc import wire
    from io_layer.rpc.endpoint import RpcRefused
    from io_layer.rpc.reader import block_of
    from io_layer.rpc.sender import revert_reason
    from merkle.load import load_payout_dump

_ENV_FILE = Path(tempfile.mkdtemp(prefix="bo-fuzz-")) / "some.env"


def fuzz_rpc(data: bytes) -> None:
    """An answer of a node, through every decoder."""
    answer = parse_json(data)
    for decode in (wire.number, wire.count, wire.data, wire.hash32, wire.text, wire.fields, wire.logs, block_of):
        with suppress(EngineError):
            decode(answer)
    revert_reason(RpcRefused("primary", "eth_call", 3, "reverted", answer))


def fuzz_abi(data: bytes) -> None:
    """Return data, an event and a revert."""
    abi.decode_error(data)
    for function in ("dayRecord", "openingState", "contracts", "winningNumbers"):
        with suppress(EngineError):
            codec("SettlementV4").result(function, data)
    log = {"data": "0x" + data.hex(), "topics": ["0x" + "11" * 32] * 4}
    codec("GameManager").event("TicketPurchased", log)


def fuzz_dump(data: bytes) -> None:
    """A standard-v1 dump."""
    load_payout_dump(data, Hash32(b"\x11" * 32), 1)


def fuzz_ruleset(data: bytes) -> None:
    """A ruleset file."""
    parse_ruleset(parse_json(data))


def fuzz_drand(data: bytes) -> None:
    """A relay's answer."""
    answer = parse_json(data)
    parse_signature(answer.get("signature") if isinstance(answer, dict) else answer)


def fuzz_tips(data: bytes) -> None:
    """Packed tips."""
    check_tips(data, 38)


def fuzz_env(data: bytes) -> None:
    """A settings file."""
    _ENV_FILE.write_bytes(data)
    load_settings({}, _ENV_FILE)


TARGETS: dict[str, Callable[[bytes], None]] = {
    name.removeprefix("fuzz_"): target for name, target in sorted(globals().items()) if name.startswith("fuzz_")
}


def main() -> None:
    """Fuzz one target until the time given is over; without a name, list them."""
    if len(sys.argv) < 2:
        sys.stdout.write("\n".join(TARGETS) + "\n")
        return
    target = TARGETS[sys.argv.pop(1)]
    logging.disable()  # python-dotenv tells every line that it cannot read

    def one_input(data: bytes) -> None:
        with suppress(EngineError, ValueError):
            target(data)

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
