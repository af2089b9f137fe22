"""A local drand network of one node, with a BLS key of its own, speaking drand's HTTP API.

It signs as quicknet does (``bls-unchained-g1-rfc9380``: key on G2, signatures on G1), so the engine verifies its
beacons with the very code that verifies the real ones. A round is published only when its time has come by the
world's clock, the timestamp of the chain's latest block; before that the answer is 404, whoever asks.
Run as ``python -m local_world.lottery.drand_beacon FOLDER CHAIN_URL``.
"""

import hashlib
import json
import os
import re
import secrets
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2
from py_ecc.optimized_bls12_381.optimized_curve import G2, curve_order, multiply

from bo_engine.errors import EngineError
from bo_engine.units import Hash32
from core.lottery.drand import HASH_TO_CURVE_TAG
from core.lottery.ruleset import QUICKNET, SCHEME_G1_RFC9380, DrandNetwork
from io_layer.rpc.endpoint import RpcEndpoint
from local_world import processes
from local_world.http_server import JsonHandler, LocalServer
from local_world.processes import Started

BEACON_ID: Final = "bo-engine-local"
_KEY_FILE: Final = "drand_key.json"
_LISTENING: Final = re.compile(r"Listening on (\S+:\d+)\n")
_START_WAIT_S: Final = 60.0
_ROUTE: Final = re.compile(r"/(?P<chain>[0-9a-f]{64})/(?:(?P<info>info)|public/(?P<round>latest|[0-9]{1,18}))")


class DrandBeacon:
    """The starter's side: the network's parameters, pinned in the world's ruleset, and the address."""

    def __init__(self, url: str, network: DrandNetwork, process: Started) -> None:
        self.url = url
        self.network = network
        self.process = process


def start_drand_beacon(folder: Path, chain_url: str, *, genesis_s: int) -> DrandBeacon:
    """Draw a key and start the beacon; round 1 is due at ``genesis_s``. Raises: Unavailable ``start_failed``."""
    folder.mkdir(parents=True, exist_ok=True)
    key_file = folder / _KEY_FILE
    secret_key = 1 + secrets.randbelow(curve_order - 1)
    seed = secrets.token_bytes(32)
    network = make_network(secret_key, genesis_s=genesis_s, genesis_seed=seed)
    key = {"secret_key": hex(secret_key), "genesis_seed": seed.hex(), "genesis_s": genesis_s}
    # In a file that nobody else can read: the arguments of a process can be read by all.
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        json.dump(key, sink)
    log = folder / "drand_beacon.log"
    argv = [sys.executable, "-m", "local_world.lottery.drand_beacon", str(folder), chain_url]
    process = processes.start("drand_beacon", argv, log=log)
    try:
        address = processes.wait_for_line(process, log, _LISTENING, _START_WAIT_S)
    except BaseException:
        processes.end(process)
        raise
    return DrandBeacon(f"http://{address}", network, process)


def make_network(secret_key: int, *, genesis_s: int, genesis_seed: bytes) -> DrandNetwork:
    """Public parameters of the network that signs with this key."""
    halves = compress_G2(multiply(G2, secret_key))
    public_key = b"".join(int(half).to_bytes(48, "big") for half in halves)
    period_s = QUICKNET.period_s
    return DrandNetwork(
        chain_hash=chain_hash_of(period_s, genesis_s, public_key, genesis_seed, BEACON_ID),
        public_key=public_key,
        genesis_s=genesis_s,
        period_s=period_s,
        scheme=SCHEME_G1_RFC9380,
        delay_s=QUICKNET.delay_s,
    )


def chain_hash_of(period_s: int, genesis_s: int, public_key: bytes, genesis_seed: bytes, beacon_id: str) -> Hash32:
    """The hash by which drand names a network: sha256 over period, genesis, key, seed and (if not default) its id."""
    data = period_s.to_bytes(4, "big") + genesis_s.to_bytes(8, "big") + public_key + genesis_seed
    return Hash32(hashlib.sha256(data + (b"" if beacon_id == "default" else beacon_id.encode())).digest())


def sign_round(secret_key: int, drand_round: int) -> bytes:
    """The network's signature of a round, 48 bytes. Takes some hundredths of a second."""
    message = hashlib.sha256(drand_round.to_bytes(8, "big")).digest()
    # py_ecc annotates the hash object where it takes its constructor.
    hashed = hash_to_G1(message, HASH_TO_CURVE_TAG, hashlib.sha256)  # type: ignore[arg-type]
    return int(compress_G1(multiply(hashed, secret_key))).to_bytes(48, "big")


class _Node:
    """Key, clock and cache of the running process."""

    def __init__(self, folder: Path, chain_url: str) -> None:
        key = json.loads((folder / _KEY_FILE).read_text(encoding="utf-8"))
        self._secret_key = int(key["secret_key"], 16)
        self._seed = bytes.fromhex(key["genesis_seed"])
        self.network = make_network(self._secret_key, genesis_s=key["genesis_s"], genesis_seed=self._seed)
        self._clock = RpcEndpoint("local chain", chain_url)
        self._lock = threading.Lock()
        self._sign = lru_cache(maxsize=4096)(lambda drand_round: sign_round(self._secret_key, drand_round))

    def latest_round(self) -> int:
        """The last round whose time has come; 0 before genesis."""
        block: dict[str, Any] = self._clock.request("eth_getBlockByNumber", ["latest", False])
        waited_s = int(block["timestamp"], 16) - self.network.genesis_s
        return 0 if waited_s < 0 else 1 + waited_s // self.network.period_s

    def beacon(self, drand_round: int) -> dict[str, Any]:
        with self._lock:  # asked twice at once, it is signed once
            signature = self._sign(drand_round)
        return {
            "round": drand_round,
            "randomness": hashlib.sha256(signature).hexdigest(),
            "signature": signature.hex(),
        }

    def info(self) -> dict[str, Any]:
        network = self.network
        return {
            "public_key": network.public_key.hex(),
            "period": network.period_s,
            "genesis_time": network.genesis_s,
            "hash": network.chain_hash.hex(),
            "groupHash": self._seed.hex(),
            "schemeID": network.scheme,
            "metadata": {"beaconID": BEACON_ID},
        }


def _handler_of(node: _Node) -> type[JsonHandler]:
    class Handler(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class names it
            if self.path == "/chains":
                self.answer([node.network.chain_hash.hex()])
                return
            route = _ROUTE.fullmatch(self.path)
            if route is None or route["chain"] != node.network.chain_hash.hex():
                self.answer({"error": "not found"}, 404)
                return
            if route["info"]:
                self.answer(node.info())
                return
            try:
                latest = node.latest_round()
            except EngineError:
                self.answer({"error": "the world's clock does not answer"}, 503)
                return
            # drand gives the latest round for round 0 as well.
            asked = latest if route["round"] in ("latest", "0") else int(route["round"])
            if not 1 <= asked <= latest:
                self.answer({"error": "not found"}, 404)
                return
            self.answer(node.beacon(asked))

    return Handler


def main() -> None:
    """Serve until the process is ended."""
    server = LocalServer(_handler_of(_Node(Path(sys.argv[1]), sys.argv[2])))
    sys.stdout.write(f"Listening on 127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
