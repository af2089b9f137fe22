"""The body of an HTTP answer from a server that nobody vouches for: bounded in size and time, and an object of JSON."""

import json
import time
from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

_PIECE_BYTES: Final = 65_536


def read_object(response: requests.Response, *, max_bytes: int, deadline: float) -> dict[str, Any]:
    """The JSON object in a streamed answer (``stream=True``), unpacked.

    ``deadline`` is a moment of ``time.monotonic()``: a server that sends byte by byte does not get more time than one
    that sends nothing. Redirects are refused: our keys are in the URL, and the answer would be somebody else's.
    Raises: requests.RequestException, ValueError.
    """
    response.raise_for_status()
    if response.status_code != requests.codes.ok:
        raise ValueError(f"HTTP {response.status_code}")
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            size += len(piece)
            if size > max_bytes:
                raise ValueError("the answer is too large")
            if time.monotonic() > deadline:
                raise requests.Timeout("the answer came too slowly")
            pieces.append(piece)
        answer = json.loads(b"".join(pieces), object_pairs_hook=_strict_object, parse_constant=_refuse_constant)
    except HTTPError as error:
        raise requests.ConnectionError(f"the answer broke off: {type(error).__name__}") from error
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    return answer


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two values under one name: another reader would have taken the other one.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
