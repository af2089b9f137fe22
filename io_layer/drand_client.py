"""Fetches beacons from drand relays over HTTP. What it returns is unverified: core.drand decides."""

import json
import time
from typing import Any, Final

import requests

from bo_engine.errors import InvalidInput, Unavailable
from bo_engine.units import Hash32
from core.drand import parse_signature, verify_beacon
from core.ruleset import DrandNetwork

_TIMEOUT_S: Final = 8.0
_MAX_BYTES: Final = 65_536


def fetch_beacon(urls: tuple[str, ...], network: DrandNetwork, drand_round: int) -> tuple[bytes, Hash32]:
    """Signature and randomness of exactly that round, from the first relay whose beacon verifies.

    Raises: Unavailable ``drand_unavailable`` naming what each relay did; never another round.
    """
    failures = []
    for number, url in enumerate(urls, start=1):
        try:
            answer = _get(f"{url.rstrip('/')}/{network.chain_hash.hex()}/public/{drand_round}")
            if answer.get("round") != drand_round:
                raise InvalidInput("forged_beacon", "it names another round")
            signature = parse_signature(answer.get("signature"))
            randomness = verify_beacon(network, drand_round, signature)
        except InvalidInput as error:
            failures.append(f"relay {number}: {error.message}")
        except (requests.RequestException, ValueError) as error:
            failures.append(f"relay {number}: {_reason(error)}")
        else:
            return signature, randomness
    raise Unavailable(
        "drand_unavailable",
        f"no relay has a valid beacon of drand round {drand_round} yet ({'; '.join(failures)}); it is asked again",
    )


def _get(url: str) -> dict[str, Any]:
    with requests.get(url, timeout=_TIMEOUT_S, allow_redirects=False, stream=True) as response:
        response.raise_for_status()
        deadline = time.monotonic() + _TIMEOUT_S
        body = b""
        for chunk in response.iter_content(4096):
            body += chunk
            if len(body) > _MAX_BYTES or time.monotonic() > deadline:
                raise ValueError("too large or too slow")
        answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return type(error).__name__
