"""Places at which a process of the command line kills itself (SIGKILL), as power loss would.

Nothing in the engine knows of it: the place is a function that is wrapped in that process only.
"""

import importlib
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

#: Place: module, function, whether the process dies before or after it.
PLACES: dict[str, tuple[str, str, str]] = {
    "before signing": ("services.send_transaction", "allocate_nonce", "before"),
    "signed, not committed": ("services.send_transaction", "insert_attempt", "after"),
    "signed, not broadcast": ("services.send_transaction", "_broadcast", "before"),
    "intent recorded, not broadcast": ("services.send_transaction", "broadcast", "before"),
    "broadcast, not noted": ("services.send_transaction", "broadcast", "after"),
    "seen on the chain, not noted": ("services.commit_day", "_adopt", "before"),
    "released, not noted": ("services.commit_day", "_mark_settled", "before"),
    "settled, not counted": ("services.settle_days", "finish_day", "before"),
}


def make_deadly(place: str) -> None:
    """Whoever comes to this place in this process dies."""
    module_name, name, moment = PLACES[place]
    module = importlib.import_module(module_name)
    setattr(module, name, _deadly(getattr(module, name), moment))


def _deadly(function: Callable[..., Any], moment: str) -> Callable[..., Any]:
    def killed(*arguments: Any, **named: Any) -> NoReturn:
        if moment == "after":
            function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    return killed
