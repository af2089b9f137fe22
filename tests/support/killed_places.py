"""Places at which a process of the command line kills itself (SIGKILL), as power loss would.

Nothing in the engine knows of it: the place is a function that is wrapped in that process only.
"""

import importlib
import os
import signal
from collections.abc import Callable
from typing import Any

#: Place: module, function, whether the process dies before or after it, and at which call if not the first.
PLACES: dict[str, tuple[str, str, str]] = {
    "before signing": ("services.transactions.send", "allocate_nonce", "before"),
    "signed, not committed": ("services.transactions.send", "insert_attempt", "after"),
    "signed, not broadcast": ("services.transactions.send", "_broadcast", "before"),
    "intent recorded, not broadcast": ("services.transactions.send", "broadcast", "before"),
    "broadcast, not noted": ("services.transactions.send", "broadcast", "after"),
    "signed, not committed, of a bump": ("services.transactions.send", "insert_attempt", "after"),
    "signed, not broadcast, of a bump": ("services.transactions.send", "_broadcast", "before second"),
    "broadcast, not noted, of a bump": ("services.transactions.send", "broadcast", "after second"),
    "seen on the chain, not noted": ("services.lottery.settlement.steps.commit_day", "_adopt", "before"),
    "released, not noted": ("services.lottery.settlement.steps.commit_day", "_mark_settled", "before"),
    "purchases stored, cursor not moved": ("services.lottery.purchases.recover", "move_cursor", "before"),
    "recovered, not closed": ("services.lottery.purchases.recover", "_close_open_intents", "before"),
    "claims stored, cursor not moved": ("services.lottery.claims.index", "move_cursor", "before"),
    "claims stored, head not looked at": ("services.lottery.claims.index", "_follow_head", "before"),
    "creation signed, not stored": ("services.lottery.deployment.deploy", "write_record", "before"),
    "creation stored, not sent": ("services.lottery.deployment.deploy", "broadcast", "before"),
    "creation sent, not noted": ("services.lottery.deployment.deploy", "broadcast", "after"),
    "pots written, not committed": ("services.lottery.display.update_pot_sizes", "upsert_pot_sizes", "after"),
    "settled, not counted": ("services.lottery.settlement.settle_days", "finish_day", "before"),
    "set aside, not voided": ("services.lottery.settlement.voids.note_void", "void_day", "before"),
}


def make_deadly(place: str) -> None:
    """Whoever comes to this place in this process dies; with " #7" behind the place, whoever comes there seventh."""
    place, _, number = place.partition(" #")
    module_name, name, moment = PLACES[place]
    module = importlib.import_module(module_name)
    setattr(module, name, _deadly(getattr(module, name), moment, int(number or 1)))


def _deadly(function: Callable[..., Any], moment: str, number: int) -> Callable[..., Any]:
    calls, deadly_call = 0, 2 if moment.endswith("second") else number

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < deadly_call:
            return function(*arguments, **named)
        if moment.startswith("after"):
            function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    return killed
