"""Connects to both endpoints, and refuses one that is on another chain than the settings name."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from bo_engine.errors import UsageError
from io_layer.rpc import wire
from io_layer.rpc.endpoint import RpcEndpoint
from io_layer.rpc.reader import ChainReader

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def open_chain(
    rpc_url: str,
    fallback_url: str,
    *,
    chain_id: int,
    says_local: bool,
    for_display: bool = False,
    wait: Callable[..., None] = time.sleep,
) -> ChainReader:
    """Connect to both endpoints and check that they are on the chain that the settings name.

    ``wait`` is how time passes between two tries; it may end the run. ``for_display``: one that answers is enough.

    Raises: UsageError ``wrong_chain``; UsageError ``not_local`` when BO_PROFILE=local but the chain is none.
    """
    if rpc_url == fallback_url and not says_local:
        raise UsageError(
            "bad_setting", "RPC_FALLBACK_URL is the same endpoint as RPC_URL; name one of another provider"
        )
    endpoints = (
        RpcEndpoint("primary", rpc_url, chain_id=chain_id, wait=wait),
        RpcEndpoint("fallback", fallback_url, chain_id=chain_id, wait=wait),
    )
    chain = ChainReader(*endpoints, chain_id=chain_id, is_local=says_local, wait=wait)
    if for_display:
        chain.for_display()
    chain.ask_each(partial(_check_endpoint, chain, {"primary": rpc_url, "fallback": fallback_url}))
    return chain


def _check_endpoint(chain: ChainReader, urls: Mapping[str, str], endpoint: RpcEndpoint) -> None:
    found = chain.request_one(endpoint, "eth_chainId", [], wire.number)
    if found != chain.chain_id:
        raise UsageError(
            "wrong_chain", f"the {endpoint.name} RPC endpoint is on chain {found}, but CHAIN_ID is {chain.chain_id}"
        )
    if chain.is_local:
        # The chain id cannot tell: 421614 is also the real Arbitrum Sepolia.
        is_loopback = urlsplit(urls[endpoint.name]).hostname in _LOOPBACK
        version = chain.request_one(endpoint, "web3_clientVersion", [], wire.text) if is_loopback else ""
        if "anvil" not in version.lower():
            raise UsageError(
                "not_local", f"BO_PROFILE is local, but the {endpoint.name} RPC endpoint is no anvil on this machine"
            )
