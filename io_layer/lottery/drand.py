"""Fetches beacons from drand relays over HTTP. What it returns is unverified: core.lottery.drand decides."""

import time
from typing import Any, Final

import requests

from bo_engine.errors import InvalidInput, Unavailable
from bo_engine.units import Hash32
from core.lottery.drand import parse_signature, verify_beacon
from core.lottery.ruleset import DrandNetwork
from io_layer.rpc.http_body import read_object

TIMEOUT_S = 8.0
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


def require_relay(url: str, network: DrandNetwork) -> None:
    """Ask one relay whether it serves this network; what it says of itself proves nothing, each beacon is verified.

    Raises: Unavailable ``drand_unavailable`` without the address, in which a key may stand.
    """
    try:
        info = _get(f"{url.rstrip('/')}/{network.chain_hash.hex()}/info")
    except (requests.RequestException, ValueError) as error:
        raise Unavailable("drand_unavailable", f"the relay does not serve the network: {_reason(error)}") from error
    if (info.get("hash"), info.get("public_key")) != (network.chain_hash.hex(), network.public_key.hex()):
        raise Unavailable("drand_unavailable", "the relay serves another network than the ruleset's")


def _get(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT_S
    with requests.get(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as response:
        return read_object(response, max_bytes=_MAX_BYTES, deadline=deadline)


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return type(error).__name__
