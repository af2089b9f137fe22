"""Reads Arbitrum through two endpoints.

Display reads fall back when the first endpoint fails. Money reads ask both at one final block, by its hash, and must
agree value by value: a node that lies or lags alone can delay a day but never change it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bo_engine.errors import InvariantBroken, Unavailable, UsageError
from bo_engine.units import Wallet, hex_of
from io_layer import multicall, wire
from io_layer.contract_codec import codec
from io_layer.rpc import RpcEndpoint, RpcRefused

_LOG_PAGE_BLOCKS: Final = 5_000
_SILENT_PAGES: Final = 2
_HEAD_MOVES_S: Final = 3
T = TypeVar("T")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block as both endpoints see it. ``timestamp_s`` is unix time, UTC."""

    number: int
    block_hash: str
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class Call:
    """One contract call to be read."""

    contract: str
    address: Wallet
    function: str
    arguments: tuple[object, ...] = ()

    @property
    def data(self) -> bytes:
        """Selector and arguments, encoded."""
        return codec(self.contract).call_data(self.function, self.arguments)

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}"


class ChainReader:
    """Both endpoints of one chain. Opened by ``open_chain``, which has checked the chain id."""

    def __init__(self, primary: RpcEndpoint, fallback: RpcEndpoint, *, chain_id: int, is_local: bool) -> None:
        self.primary = primary
        self.fallback = fallback
        self.chain_id = chain_id
        self.is_local = is_local
        self._has_multicall: bool | None = None

    @property
    def endpoints(self) -> tuple[RpcEndpoint, RpcEndpoint]:
        """Primary, fallback."""
        return (self.primary, self.fallback)

    def request_any(self, method: str, params: Sequence[object], decode: Callable[[Any], T]) -> T:
        """A display read, decoded: the fallback answers when the primary does not, or not with what was asked."""
        try:
            return self.request_one(self.primary, method, params, decode)
        except Unavailable:
            return self.request_one(self.fallback, method, params, decode)

    def request_both(self, method: str, params: Sequence[object], decode: Callable[[Any], T]) -> T:
        """A money read: both endpoints answer, each answer decodes, and both are the same value.

        Raises: Unavailable when one does not answer or not with what was asked; InvariantBroken ``rpc_disagreement``
        when they differ; RpcRefused when for both the contract refuses the call.
        """
        first, second = (self._value_or_revert(endpoint, method, params, decode) for endpoint in self.endpoints)
        if isinstance(first, RpcRefused) and isinstance(second, RpcRefused):
            raise first
        if isinstance(first, RpcRefused) or isinstance(second, RpcRefused) or first != second:
            raise _disagreement(method, _short(first), _short(second))
        return first

    def request_one(
        self,
        endpoint: RpcEndpoint,
        method: str,
        params: Sequence[object],
        decode: Callable[[Any], T],
        *,
        may_be_null: bool = False,
    ) -> T:
        """One endpoint's own answer, decoded. Raises: Unavailable, also for a refusal that is no revert."""
        try:
            return decode(endpoint.request(method, params, may_be_null=may_be_null))
        except RpcRefused as refusal:
            # A revert is the contract's answer; every other refusal (a rate limit, say) is the endpoint's own.
            if refusal.is_revert:
                raise
            raise Unavailable("rpc_refused", refusal.message) from refusal
        except Unavailable as error:
            if error.code != "rpc_unusable":
                raise
            message = f"the {endpoint.name} RPC endpoint's answer to {method} is of no use: {error.message}"
            raise Unavailable(error.code, message) from error

    def _value_or_revert(
        self, endpoint: RpcEndpoint, method: str, params: Sequence[object], decode: Callable[[Any], T]
    ) -> T | RpcRefused:
        try:
            return self.request_one(endpoint, method, params, decode)
        except RpcRefused as refusal:
            return refusal

    def read_final_block(self) -> Block:
        """The newest block that both endpoints report as ``finalized``, on the chain that the settings name.

        Raises: InvariantBroken ``chain_changed``; UsageError ``no_finality`` when an endpoint calls its head final
        (refused outside local chains); Unavailable ``rpc_out_of_step`` when the two do not know the same block.
        """
        self.require_chain()
        # The head first: asked in the other order, a head that moves in between would make itself look final.
        heads = [] if self.is_local else [self._numbered(endpoint, "latest") for endpoint in self.endpoints]
        finals = [self._numbered(endpoint, "finalized") for endpoint in self.endpoints]
        for endpoint, head, final in zip(self.endpoints, heads, finals, strict=False):
            self._require_finality(endpoint, head, final)
        number = min(final.number for final in finals)
        first, second = (
            final if final.number == number else self._numbered(endpoint, hex(number))
            for endpoint, final in zip(self.endpoints, finals, strict=True)
        )
        if first != second:
            raise Unavailable("rpc_out_of_step", f"the two RPC endpoints know different blocks at height {number}")
        return first

    def require_chain(self) -> None:
        """Check that both endpoints are still on the chain on which the command began: a name may lead elsewhere since.

        Raises: InvariantBroken ``chain_changed``; Unavailable.
        """
        for endpoint in self.endpoints:
            found = self.request_one(endpoint, "eth_chainId", [], wire.number)
            if found != self.chain_id:
                raise InvariantBroken(
                    "chain_changed",
                    f"the {endpoint.name} RPC endpoint was on chain {self.chain_id} and is on chain {found} now; "
                    "nothing more is read or signed: find out where its name leads before `bo-engine resume`",
                )

    def read_block(self, number: int) -> Block:
        """The block at a height at or below the final one, as both endpoints know it."""
        return self.request_both("eth_getBlockByNumber", [hex(number), False], partial(block_of, number=number))

    def read_final_block_of(self, endpoint: RpcEndpoint) -> Block:
        """The newest block that one endpoint reports as ``finalized``, for display."""
        return self._numbered(endpoint, "finalized")

    def read(self, block: Block, calls: Iterable[Call]) -> list[Any]:
        """Money reads at one block, pinned by its hash: the decoded value of each call, in order.

        A function with one return value gives that value, else a tuple.
        Raises: UsageError ``contract_unexpected``; InvariantBroken ``rpc_disagreement``; Unavailable.
        """
        asked = list(calls)
        answers = self._read_together(block, asked) if len(asked) > 1 else None
        if answers is None:
            answers = [self._read_alone(block, call) for call in asked]
        return [self._decoded(call, answer) for call, answer in zip(asked, answers, strict=True)]

    def _read_alone(self, block: Block, call: Call) -> bytes:
        question = [{"to": call.address, "data": hex_of(call.data)}, {"blockHash": block.block_hash}]
        first, second = (self._value_or_revert(one, "eth_call", question, wire.data) for one in self.endpoints)
        return _agreed(call, *(None if isinstance(one, RpcRefused) else one for one in (first, second)))

    def _read_together(self, block: Block, calls: Sequence[Call]) -> list[bytes] | None:
        """All calls in one request to each endpoint; None where that does not work, as on a chain without Multicall3
        or when all of them together need more gas than a node gives to one."""
        if self._has_multicall is None:
            self._has_multicall = multicall.is_multicall3(self.read_code(multicall.ADDRESS, block))
        if not self._has_multicall:
            return None
        data = multicall.aggregate_data([(call.address, call.data) for call in calls])
        question = [{"to": multicall.ADDRESS, "data": hex_of(data)}, {"blockHash": block.block_hash}]
        decode = multicall.outcomes(len(calls))
        first, second = (self._value_or_revert(one, "eth_call", question, decode) for one in self.endpoints)
        if isinstance(first, RpcRefused) or isinstance(second, RpcRefused):
            return None
        return [_agreed(call, *pair) for call, *pair in zip(calls, first, second, strict=True)]

    def read_at_head(self, call: Call) -> Any:
        """A display read of one call at the head: what is under way, never what counts."""
        question = [{"to": call.address, "data": hex_of(call.data)}, "latest"]
        try:
            return self._decoded(call, self.request_any("eth_call", question, wire.data))
        except RpcRefused as refusal:
            raise _reverts(call) from refusal

    def read_at_head_of(self, endpoint: RpcEndpoint, call: Call) -> Any:
        """The same as one endpoint sees it. Raises: Unavailable."""
        question = [{"to": call.address, "data": hex_of(call.data)}, "latest"]
        return self._decoded(call, self.request_one(endpoint, "eth_call", question, wire.data))

    def read_log_pages(
        self, address: Wallet, topics: Sequence[object], first: int, last: int
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Money read of logs in blocks first..last (both at or below the final block): pages of (last block of the
        page, its logs), oldest first, each log once.

        A page that a provider refuses (its range or result limit) or that is too large is halved; success grows it.
        An empty answer proves nothing: the caller compares with the contract's counters.
        """
        start, size, silent = first, _LOG_PAGE_BLOCKS, 0
        while start <= last:
            stop = min(start + size - 1, last)
            query = {"address": address, "topics": list(topics), "fromBlock": hex(start), "toBlock": hex(stop)}
            try:
                page = self.request_both("eth_getLogs", [query], wire.logs)
            except Unavailable as error:
                # A long page may also be answered too late; an endpoint that is gone is not asked ten times.
                silent += error.code == "rpc_unreachable"
                if stop == start or silent > _SILENT_PAGES:
                    raise
                size = max((stop - start + 1) // 2, 1)
                continue
            logs = {(log["transactionHash"], log["logIndex"]): log for log in page}
            yield stop, sorted(logs.values(), key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
            start, size, silent = stop + 1, min(size * 2, _LOG_PAGE_BLOCKS), 0

    def read_head_number(self, endpoint: RpcEndpoint) -> int:
        """The number of one endpoint's newest block."""
        return self._numbered(endpoint, "latest").number

    def read_code(self, address: Wallet, block: Block) -> bytes:
        """The bytecode at an address."""
        return self.request_both("eth_getCode", [address, {"blockHash": block.block_hash}], wire.data)

    def read_final_nonce(self, block: Block, wallet: Wallet) -> int:
        """How many transactions of the wallet stand at or below a final block."""
        return self.request_both("eth_getTransactionCount", [wallet, {"blockHash": block.block_hash}], wire.count)

    def _require_finality(self, endpoint: RpcEndpoint, head: Block, final: Block) -> None:
        if final.number < head.number:
            return
        # A chain that stands still lets finality catch up with its head; one that moves and stays final is a lie.
        time.sleep(_HEAD_MOVES_S)
        head_again, final_again = self._numbered(endpoint, "latest"), self._numbered(endpoint, "finalized")
        if head_again.number == final.number:
            raise Unavailable("chain_stands_still", f"no new block at the {endpoint.name} RPC endpoint")
        if final_again.number >= head_again.number:
            raise UsageError(
                "no_finality", f"the {endpoint.name} RPC endpoint calls its newest block final: use another one"
            )

    def _numbered(self, endpoint: RpcEndpoint, tag: str) -> Block:
        return self.request_one(endpoint, "eth_getBlockByNumber", [tag, False], block_of)

    def _decoded(self, call: Call, data: bytes) -> Any:
        values = codec(call.contract).result(call.function, data)
        return values[0] if len(values) == 1 else values


def open_chain(
    rpc_url: str, fallback_url: str, *, chain_id: int, says_local: bool, wait: Callable[..., None] = time.sleep
) -> ChainReader:
    """Connect to both endpoints and check that they are on the chain that the settings name.

    ``wait`` is how time passes between two tries; it may end the run.

    Raises: UsageError ``wrong_chain``; UsageError ``not_local`` when BO_PROFILE=local but the chain is none.
    """
    if rpc_url == fallback_url and not says_local:
        raise UsageError(
            "bad_setting", "RPC_FALLBACK_URL is the same endpoint as RPC_URL; name one of another provider"
        )
    endpoints = (
        RpcEndpoint("primary", rpc_url, wait=wait),
        RpcEndpoint("fallback", fallback_url, wait=wait),
    )
    chain = ChainReader(*endpoints, chain_id=chain_id, is_local=says_local)
    for endpoint in endpoints:
        found = chain.request_one(endpoint, "eth_chainId", [], wire.number)
        if found != chain_id:
            raise UsageError(
                "wrong_chain", f"the {endpoint.name} RPC endpoint is on chain {found}, but CHAIN_ID is {chain_id}"
            )
    if says_local:
        _check_local(chain, (rpc_url, fallback_url))
    return chain


def _check_local(chain: ChainReader, urls: Sequence[str]) -> None:
    # The chain id cannot tell: 421614 is also the real Arbitrum Sepolia.
    for endpoint, url in zip(chain.endpoints, urls, strict=True):
        is_loopback = urlsplit(url).hostname in _LOOPBACK
        version = chain.request_one(endpoint, "web3_clientVersion", [], wire.text) if is_loopback else ""
        if "anvil" not in version.lower():
            raise UsageError(
                "not_local", f"BO_PROFILE is local, but the {endpoint.name} RPC endpoint is no anvil on this machine"
            )


def block_of(answer: object, *, number: int | None = None) -> Block:
    """A block as a node tells it, of that height if one is given. Raises: Unavailable ``rpc_unusable``."""
    block = wire.fields(answer)
    found = Block(
        number=wire.count(block.get("number")),
        block_hash=hex_of(wire.hash32(block.get("hash"))),
        timestamp_s=wire.count(block.get("timestamp")),
    )
    if number is not None and found.number != number:
        raise wire.unusable("the block that was asked for")
    return found


def _agreed(call: Call, first: bytes | None, second: bytes | None) -> bytes:
    """What both endpoints say the call returns; None stands for a revert."""
    if first != second:
        # Of long answers the first word that differs: their beginnings may be the same.
        pairs = zip(_words(first), _words(second), strict=False)
        word = next((pair for pair in pairs if pair[0] != pair[1]), (first or b"", second or b""))
        shown = ("a revert" if whole is None else _short(one) for whole, one in zip((first, second), word, strict=True))
        raise _disagreement(str(call), *shown)
    if first is None:
        raise _reverts(call)
    return first


def _words(value: bytes | None) -> list[bytes]:
    return [value[place : place + 32] for place in range(0, len(value), 32)] if value else []


def _disagreement(what: str, first: str, second: str) -> InvariantBroken:
    return InvariantBroken(
        "rpc_disagreement",
        f"the two RPC endpoints answer {what} differently at the same block: primary {first}, fallback {second}; "
        "find out which one lies before `bo-engine resume`",
    )


def _reverts(call: Call) -> UsageError:
    return UsageError("contract_unexpected", f"{call} reverts: check SETTLEMENT_ADDRESS and CHAIN_ID")


def _short(value: object) -> str:
    text = value.message if isinstance(value, RpcRefused) else hex_of(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
