"""A local EVM chain: anvil from npm, with Arbitrum's pace and the real finality tags.

Blocks come by themselves (four a second, as on Arbitrum) and at once for each transaction. `finalized` follows two
blocks behind. The chain's clock runs on from the genesis timestamp and can be moved forward.
"""

import platform
import re
import time
from pathlib import Path
from typing import Any, Final

from abi import load
from bo_engine.errors import InvalidInput, Unavailable
from io_layer.rpc import multicall
from io_layer.rpc.endpoint import RpcEndpoint, RpcRefused
from local_world import processes
from local_world.processes import Started

CHAIN_ID: Final = 421_614  # Arbitrum Sepolia's: anvil then gives blocks an l1BlockNumber
BLOCK_TIME_S: Final = 0.25
_BLOCKS_TO_FINAL: Final = 2  # with one slot in an epoch
_START_WAIT_S: Final = 30.0
_NODE_MODULES: Final = Path(__file__).resolve().parent.parent / "contracts" / "node_modules"
_LISTENING: Final = re.compile(r"Listening on \S+?:(\d+)\s")


class Chain:
    """A running chain and its clock."""

    def __init__(self, url: str, process: Started) -> None:
        self.url = url
        self.process = process
        self._endpoint = RpcEndpoint("local chain", url)

    def call(self, method: str, *params: object) -> Any:
        """The result of one JSON-RPC call, None included. Raises: Unavailable, RpcRefused."""
        return self._endpoint.request(method, params, may_be_null=True)

    def now(self, tag: str = "latest") -> int:
        """Timestamp of the latest (or safe, or finalized) block: the only clock that the world has."""
        return int(self.call("eth_getBlockByNumber", tag, False)["timestamp"], 16)

    def height(self, tag: str = "latest") -> int:
        """Number of the latest (or safe, or finalized) block."""
        return int(self.call("eth_getBlockByNumber", tag, False)["number"], 16)

    def advance_to(self, timestamp_s: int) -> None:
        """Move the clock forward until a *final* block has this timestamp or a later one; never backwards."""
        if self.now() < timestamp_s:
            try:
                self.call("evm_setNextBlockTimestamp", timestamp_s)
            except RpcRefused as error:
                # A block that came by itself in between may have reached that second already.
                if self.now() < timestamp_s:
                    raise InvalidInput("bad_timestamp", f"the chain refuses {timestamp_s}: {error.message}") from error
            self.mine(1)
        if self.now("finalized") < timestamp_s:
            self.mine(_BLOCKS_TO_FINAL)

    def mine(self, count: int = 1) -> None:
        """Mine that many blocks at once, all with about the same timestamp."""
        self.call("anvil_mine", hex(count), "0x0")

    def finalize(self) -> int:
        """Make the latest block final; returns its number."""
        height = self.height()
        self.mine(_BLOCKS_TO_FINAL)
        return height

    def snapshot(self) -> str:
        """Remember the whole state; the name is good for one ``revert``."""
        return str(self.call("evm_snapshot"))

    def revert(self, name: str) -> None:
        """Go back to a snapshot, clock included. Raises: InvalidInput ``no_snapshot``."""
        if self.call("evm_revert", name) is not True:
            raise InvalidInput("no_snapshot", f"the chain has no snapshot {name}")

    def is_whole_since(self, height: int) -> bool:
        """Whether every block from a height to the latest is there: one that was made during a revert leaves a gap."""
        numbers = range(height, self.height() + 1)
        return all(self.call("eth_getBlockByNumber", hex(number), False) is not None for number in numbers)

    def fund(self, address: str, wei: int = 10**21) -> None:
        """Set an address' gas money."""
        self.call("anvil_setBalance", address, hex(wei))


def start_chain(
    folder: Path, *, genesis_s: int, block_time_s: float = BLOCK_TIME_S, states_kept: int | None = None
) -> Chain:
    """Start anvil; log and old states go to ``folder``. The kernel chooses the port, so nothing can race for it.

    ``states_kept``: so many blocks' states and no more, unless blocks come by themselves every few seconds. For a chain
    of tens of thousands of blocks: each state is half a megabyte.

    Raises: Unavailable ``no_anvil``, ``anvil_failed``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "anvil.log"
    argv = [
        str(find_anvil()),
        "--host=127.0.0.1",
        "--port=0",
        f"--chain-id={CHAIN_ID}",
        "--slots-in-an-epoch=1",
        f"--timestamp={genesis_s}",
        f"--block-time={block_time_s}",
        "--mixed-mining",
        "--order=fifo",
        f"--cache-path={folder / 'states'}",
        *([] if states_kept is None else [f"--prune-history={states_kept}"]),
    ]
    # anvil keeps old states in HOME unless told otherwise, and would leave them there.
    process = processes.start("anvil", argv, log=log, env={"HOME": str(folder), "NO_COLOR": "1"})
    try:
        port = processes.wait_for_line(process, log, _LISTENING, _START_WAIT_S)
        chain = Chain(f"http://127.0.0.1:{port}", process)
        # Each call would be a line; a world that stays up for days would fill the disk.
        chain.call("anvil_setLoggingEnabled", False)
        # Public chains have it; anvil does not.
        chain.call("anvil_setCode", multicall.ADDRESS, chain.call("eth_call", {"data": load("Multicall3").bytecode}))
    except BaseException:
        processes.end(process)
        raise
    return chain


def wait_for_finality(chain: Chain, block_number: int, wait_s: float = 30.0) -> None:
    """Wait, without mining, until the block is final. Raises: Unavailable ``not_final``."""
    deadline = time.monotonic() + wait_s
    while chain.height("finalized") < block_number:
        if time.monotonic() > deadline:
            raise Unavailable("not_final", f"block {block_number} is not final after {wait_s:.0f} s")
        time.sleep(0.05)


def find_anvil() -> Path:
    """The binary that npm brought. Raises: Unavailable ``no_anvil`` with the way out."""
    system = platform.system().lower()
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    path = _NODE_MODULES / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    if not path.is_file():
        raise Unavailable("no_anvil", f"the local chain (anvil for {system}-{machine}) is missing: run `make setup`")
    return path
