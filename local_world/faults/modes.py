"""The table of all that an RPC endpoint can be made to do wrong: a name, the rule behind it, one line on it.

Tests take their cases from here, `bo-engine dev up --chaos` its troubles: a mode that is added is covered by itself.
"""

from dataclasses import dataclass
from typing import Final

from local_world.faults.rules import PASS, Rule


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to fail. ``is_lie``: the endpoint says what is not so; the engine then stops a day rather than guess, and
    a person must look. All others pass by themselves, and so must what they do to the engine."""

    name: str
    rule: Rule
    what: str
    is_lie: bool = False


def _mode(name: str, what: str, fault: str, method: str = "*", *, is_lie: bool = False, **args: object) -> Mode:
    return Mode(name, Rule(fault, method, args=args), what, is_lie)


MODES: Final = (
    _mode("pass", "every call passes unchanged", PASS),
    # the line
    _mode("delay", "each answer comes 30 ms late", "delay", seconds=0.03),
    _mode("hang", "no answer for longer than anybody waits", "hang", seconds=15),
    _mode("reset", "the connection is reset without an answer", "down"),
    _mode("cut", "the answer breaks off in the middle", "cut"),
    _mode("lost", "the call arrives, its answer does not", "lost"),
    _mode("lost_sends", "transactions arrive, the answers to them do not", "lost", "eth_sendRawTransaction"),
    _mode("rate_limit", "HTTP 429, and to come back in a second", "http", status=429, retry_after=1),
    _mode("unavailable", "HTTP 503", "http", status=503),
    _mode("html_page", "a page of HTML with HTTP 200 instead of JSON", "html", status=200),
    _mode("bad_gateway", "a page of HTML with HTTP 502", "html", status=502),
    _mode("truncated_json", "half of the JSON, as if it were whole", "truncated"),
    _mode("huge_answer", "an answer of 200 MB", "huge", megabytes=200),
    _mode("gzip_bomb", "an answer of 200 KB that unpacks to 200 MB", "gzip_bomb", megabytes=200),
    # the answer
    _mode("foreign_id", "the answer to somebody else's request", "foreign_id"),
    _mode("null_result", "null instead of a result", "null_result"),
    _mode("busy", "every call is refused in JSON: a limit of the provider", "says", refusal="rate limit", code=-32005),
    _mode("no_receipts", "no receipt is ever known", "null_result", "eth_getTransactionReceipt"),
    _mode("swallowed", "transactions are accepted and go nowhere", "swallowed"),
    _mode("replacement_rule", "a replacement must raise both fees by a tenth", "replacement_rule"),
    # the head
    _mode("stale_head", "it lags 40 blocks behind, in all its answers", "stale_head", blocks=40),
    _mode("moving_backwards", "two nodes in turn, one of them 6 blocks behind", "moving_backwards", blocks=6),
    _mode("frozen_head", "no block comes any more", "frozen_head"),
    _mode("frozen_finality", "blocks come, and none becomes final", "frozen_finality"),
    _mode("no_finalized", "the tag `finalized` is not supported", "no_finalized"),
    _mode("head_is_final", "it calls its newest block final", "head_is_final", is_lie=True),
    # logs
    _mode("log_range_limit", "logs of at most 50 blocks at once", "log_range_limit", blocks=50),
    _mode("log_result_limit", "at most 3 logs at once", "log_result_limit", results=3),
    _mode("duplicate_logs", "each log twice", "duplicate_logs"),
    _mode("empty_logs", "there are no logs", "empty_logs", is_lie=True),
    _mode("truncated_logs", "each third log is left out", "truncated_logs", is_lie=True),
    # values
    _mode("foreign_chain", "it is on chain 1", "wrong_chain_id", chain_id=1, is_lie=True),
    _mode("wrong_values", "each value of a contract has another last digit", "wrong_call", is_lie=True),
    _mode("reverts", "every contract call is said to revert", "says", "eth_call", refusal="execution reverted",
          is_lie=True),
    _mode("wrong_receipts", "success is told as failure, and the reverse", "wrong_receipt", is_lie=True),
    _mode("wrong_blocks", "each block has another hash", "wrong_block", is_lie=True),
    _mode("wrong_times", "each block is told to be a day younger", "wrong_time", is_lie=True),
)  # fmt: skip


def mode(name: str) -> Mode:
    """The mode of that name. Raises: KeyError."""
    return next(each for each in MODES if each.name == name)
