"""Reads Arbitrum through two endpoints.

Display reads fall back when the first endpoint fails. Money reads ask both at one final block, by its hash, and must
agree value by value: a node that lies or lags alone can delay a day but never change it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from bo_engine.errors import InvariantBroken, Unavailable, UsageError, require_invariant
from bo_engine.units import Hash32, Wallet, hex_of
from io_layer.contracts.codec import codec
from io_layer.rpc import multicall, wire
from io_layer.rpc.agreement import agreed
from io_layer.rpc.endpoint import RpcEndpoint, RpcRefused

_LOG_PAGE_BLOCKS: Final = 5_000
_SILENT_PAGES: Final = 2
_HEAD_MOVES_S: Final = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """A block as both endpoints see it. ``timestamp_s`` is unix time, UTC."""

    number: int
    block_hash: Hash32
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
    """Both endpoints of one chain. ``open_chain`` makes it, having checked the chain id."""

    def __init__(
        self,
        primary: RpcEndpoint,
        fallback: RpcEndpoint,
        *,
        chain_id: int,
        is_local: bool,
        wait: Callable[..., None] = time.sleep,
    ) -> None:
        self.primary = primary
        self.fallback = fallback
        self.chain_id = chain_id
        self.is_local = is_local
        self._wait = wait
        self._has_multicall: bool | None = None
        self._asked = [primary, fallback]
        self._for_display = False
        self.warnings: list[str] = []
        self.newest_final: Block | None = None  # of those that read_final_block gave

    @property
    def endpoints(self) -> tuple[RpcEndpoint, RpcEndpoint]:
        """Primary, fallback."""
        return (self.primary, self.fallback)

    def count_calls(self) -> dict[str, dict[str, int]]:
        """How many requests each endpoint was sent so far, by method; retries count, too."""
        return {one.name: dict(sorted(one.calls.items())) for one in self.endpoints}

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
        found = agreed(method, self.ask_each(lambda one: self._value_or_revert(one, method, params, decode)))
        if isinstance(found, RpcRefused):
            raise found
        return found

    def for_display(self) -> None:
        """From here on one endpoint is enough: one that does not answer is set aside, and a warning tells so.

        Such a reader is for commands that only show; nothing may be signed after it: see ``require_both``.
        """
        self._for_display = True

    def require_both(self) -> None:
        """Asked before a key is loaded. Raises: InvariantBroken ``display_only`` for a reader that may do with one."""
        require_invariant(not self._for_display, "display_only", "this command only shows; it signs nothing")

    def ask_each(self, ask: Callable[[RpcEndpoint], T]) -> list[T]:
        """The answers of all endpoints that are asked: both, or at least one for display."""
        answers = []
        for endpoint in tuple(self._asked):
            try:
                answers.append(ask(endpoint))
            except Unavailable as error:
                if not self._for_display or len(self._asked) == 1:
                    raise
                self._asked.remove(endpoint)
                self.warnings.append(f"{error.message}; what is shown is what the other endpoint says alone")
        return answers

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
        finals = dict(self.ask_each(lambda one: (one, self._final_of(one))))
        number = min(final.number for final in finals.values())

        def block_at(endpoint: RpcEndpoint) -> Block:
            final = finals[endpoint]
            return final if final.number == number else self._numbered(endpoint, hex(number))

        blocks = self.ask_each(block_at)
        if blocks[0] != blocks[-1]:
            raise Unavailable("rpc_out_of_step", f"the two RPC endpoints know different blocks at height {number}")
        final = blocks[0]
        if self.newest_final is None or final.number >= self.newest_final.number:
            self.newest_final = final
        return final

    def _final_of(self, endpoint: RpcEndpoint) -> Block:
        # The head first: asked in the other order, a head that moves in between would make itself look final.
        head = None if self.is_local else self._numbered(endpoint, "latest")
        final = self._numbered(endpoint, "finalized")
        if head is not None:
            self._require_finality(endpoint, head, final)
        return final

    def require_chain(self) -> None:
        """Check that both endpoints are still on the chain on which the command began: a name may lead elsewhere since.

        Raises: InvariantBroken ``chain_changed``; Unavailable.
        """

        def check(endpoint: RpcEndpoint) -> None:
            found = self.request_one(endpoint, "eth_chainId", [], wire.number)
            if found != self.chain_id:
                raise InvariantBroken(
                    "chain_changed",
                    f"the {endpoint.name} RPC endpoint was on chain {self.chain_id} and is on chain {found} now; "
                    "nothing more is read or signed: find out where its name leads before `bo-engine resume`",
                )

        self.ask_each(check)

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
        question = [{"to": call.address, "data": hex_of(call.data)}, {"blockHash": hex_of(block.block_hash)}]
        found = agreed(call, self.ask_each(lambda one: self._value_or_revert(one, "eth_call", question, wire.data)))
        if isinstance(found, RpcRefused):
            raise _reverts(call)
        return found

    def _read_together(self, block: Block, calls: Sequence[Call]) -> list[bytes] | None:
        """All calls in one request to each endpoint; None where that does not work, as on a chain without Multicall3
        or when all of them together need more gas than a node gives to one."""
        if self._has_multicall is None:
            self._has_multicall = multicall.is_multicall3(self.read_code(multicall.ADDRESS, block))
        if not self._has_multicall:
            return None
        data = multicall.aggregate_data([(call.address, call.data) for call in calls])
        question = [{"to": multicall.ADDRESS, "data": hex_of(data)}, {"blockHash": hex_of(block.block_hash)}]
        decode = multicall.outcomes(len(calls))

        def ask(endpoint: RpcEndpoint) -> tuple[bytes | None, ...]:
            try:
                return self.request_one(endpoint, "eth_call", question, decode)
            except RpcRefused:
                return ()
            except Unavailable as error:
                # Nodes say in many words that a call is too much for them; only some of them speak of a revert.
                if error.code != "rpc_refused":
                    raise
                return ()

        answers = self.ask_each(ask)
        if () in answers:
            return None
        found = []
        for call, said in zip(calls, zip(*answers, strict=True), strict=True):
            # Alone it reverts again, or had too little gas among the others: how much there is, each node decides.
            value = None if None in said else agreed(call, said)
            found.append(value if isinstance(value, bytes) else self._read_alone(block, call))
        return found

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
        self, address: Wallet | list[Wallet], topics: Sequence[object], first: int, last: int
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Money read of logs in blocks first..last (both at or below the final block), of one contract or of several:
        pages of (last block of the page, its logs), oldest first, each log once.

        A page that a provider refuses (its range or result limit) or that is too large is halved; success grows it.
        An empty answer proves nothing: the caller compares with the contract's counters.
        """
        start, size, silent = first, _LOG_PAGE_BLOCKS, 0
        while start <= last:
            stop = min(start + size - 1, last)
            query = {"address": address, "topics": list(topics), "fromBlock": hex(start), "toBlock": hex(stop)}
            try:
                page = self.request_both("eth_getLogs", [query], _each_once)
            except Unavailable as error:
                # A long page may also be answered too late; an endpoint that is gone is not asked ten times.
                silent += error.code == "rpc_unreachable"
                if stop == start or silent > _SILENT_PAGES:
                    raise
                size = max((stop - start + 1) // 2, 1)
                continue
            yield stop, page
            start, size, silent = stop + 1, min(size * 2, _LOG_PAGE_BLOCKS), 0

    def read_head_number(self, endpoint: RpcEndpoint) -> int:
        """The number of one endpoint's newest block."""
        return self._numbered(endpoint, "latest").number

    def read_common_head(self) -> Block | None:
        """The newest block that both endpoints have, if it is the same one. Not final: for display only."""
        number = min(self.ask_each(self.read_head_number))
        blocks = self.ask_each(lambda one: self._numbered(one, hex(number)))
        return blocks[0] if blocks[0] == blocks[-1] else None

    def read_newest_time_s(self) -> int:
        """Timestamp of the newest block that any endpoint knows. Not final: for comparing clocks only."""
        return max(self.ask_each(lambda one: self._numbered(one, "latest").timestamp_s))

    def read_code(self, address: Wallet, block: Block) -> bytes:
        """The bytecode at an address."""
        return self.request_both("eth_getCode", [address, {"blockHash": hex_of(block.block_hash)}], wire.data)

    def read_final_nonce(self, block: Block, wallet: Wallet) -> int:
        """How many transactions of the wallet stand at or below a final block."""
        return self.request_both(
            "eth_getTransactionCount", [wallet, {"blockHash": hex_of(block.block_hash)}], wire.count
        )

    def _require_finality(self, endpoint: RpcEndpoint, head: Block, final: Block) -> None:
        if final.number < head.number:
            return
        # A chain that stands still lets finality catch up with its head; one that moves and stays final is a lie.
        self._wait(_HEAD_MOVES_S)
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


def block_of(answer: object, *, number: int | None = None) -> Block:
    """A block as a node tells it, of that height if one is given. Raises: Unavailable ``rpc_unusable``."""
    block = wire.fields(answer)
    found = Block(
        number=wire.count(block.get("number")),
        block_hash=wire.hash32(block.get("hash")),
        timestamp_s=wire.count(block.get("timestamp")),
    )
    if number is not None and found.number != number:
        raise wire.unusable("the block that was asked for")
    return found


def _each_once(answer: object) -> list[dict[str, Any]]:
    """An endpoint's logs in the chain's order; one that it tells twice in the same words counts once."""
    logs: dict[tuple[str, str], dict[str, Any]] = {}
    for log in wire.logs(answer):
        if logs.setdefault((log["transactionHash"], log["logIndex"]), log) != log:
            raise wire.unusable("logs: one event is told in two ways")
    return sorted(logs.values(), key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))


def _reverts(call: Call) -> UsageError:
    return UsageError("contract_unexpected", f"{call} reverts: check SETTLEMENT_ADDRESS and CHAIN_ID")
