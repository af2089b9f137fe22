"""The body of an HTTP answer from a server that nobody vouches for: bounded in size and time, and an object of JSON."""

import time
from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

from bo_engine.strict_json import parse_json

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
        answer = parse_json(b"".join(pieces))
    except HTTPError as error:
        raise requests.ConnectionError(f"the answer broke off: {type(error).__name__}") from error
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    return answer
