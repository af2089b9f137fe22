"""A whole world on one machine: database, chain, second endpoint, drand beacon and contracts, in one folder.

``world.json`` in the folder holds all that was started, each process with pid and start time, and is written after each
step, so that ``World.load(folder).stop()`` ends everything, also after a crash of the starter. A world ends with the
process that started it unless it was started with ``keep``.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import rfc8785
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from bo_engine.errors import EngineError, InvalidInput, UsageError
from bo_engine.units import DayId, Wallet, day_of, day_start, parse_wallet
from core.deployment.terms import RoleWallets
from core.lottery.model import Deployment
from core.lottery.ruleset import RULESET_1, DrandNetwork, Ruleset, parse_ruleset, ruleset_document, ruleset_hash
from local_world import guard, processes
from local_world.chain import BLOCK_TIME_S, CHAIN_ID, Chain, start_chain
from local_world.databases import WorldDatabase, create_database, create_logins, drop_all
from local_world.faults.chaos import chaos_rule
from local_world.lottery.deploy import DeployedContracts, deploy_contracts, fulfil_vrf
from local_world.lottery.drand_beacon import start_drand_beacon
from local_world.postgres import PostgresServer, load_postgres, start_postgres
from local_world.processes import Started
from local_world.rpc_proxy import ENDPOINTS, RpcProxy, start_rpc_proxy

SCHEMA: Final = "bo-engine/world/1"
ROLES: Final = ("owner", "guardian", "relayer", "settler", "promotions")
_RECEIVERS: Final = ("fee_receiver", "gas_safe", "charity", "heir")
_RECORD: Final = "world.json"
_ENV_FILE: Final = "world.env"
_RULESET_FILE: Final = "ruleset.json"
_LOCAL_RULESET: Final = 0  # the version of a ruleset whose drand network is a world's own
_DEFAULT_DAYS_AGO: Final = 7  # a week can be played before the chain's clock passes the wall clock


class World:
    """A running world. Everything that it knows stands in its record, so any process can load it."""

    def __init__(self, root: Path, record: dict[str, Any]) -> None:
        self.root = root
        self.record = record

    @staticmethod
    def load(root: Path) -> "World":
        """The world in this folder. Raises: InvalidInput ``no_world``."""
        root = root.absolute()
        try:
            record = json.loads((root / _RECORD).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise InvalidInput("no_world", f"there is no local world in {root}: start one with `dev up`") from None
        if record.get("schema") != SCHEMA:
            raise InvalidInput("no_world", f"{root / _RECORD} is not the record of a local world")
        return World(root, record)

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def chain(self) -> Chain:
        """The chain and its clock."""
        return Chain(self.record["urls"]["rpc_url"], self._process("anvil"))

    @property
    def proxy(self) -> RpcProxy:
        """The second endpoint and its remote control."""
        return self._proxy("fallback")

    @property
    def primary_proxy(self) -> RpcProxy:
        """The first endpoint once more, where it can be made to fail. Unless the world has chaos, RPC_URL is the chain
        itself: who wants faults on it gives this one's URL instead."""
        return self._proxy("primary")

    @property
    def postgres(self) -> PostgresServer:
        """The embedded server. Raises: InvalidInput ``no_postgres`` when the world uses a given one."""
        if self.record["server_url"] is not None:
            raise InvalidInput("no_postgres", "this world uses the server of DATABASE_URL")
        return load_postgres(self.root / "postgres")

    @property
    def database(self) -> WorldDatabase:
        """The world's first database."""
        return WorldDatabase(**self.record["databases"][0])

    @property
    def contracts(self) -> DeployedContracts:
        """All addresses."""
        return DeployedContracts.from_dict(self.record["contracts"])

    @property
    def deployment(self) -> Deployment:
        """The contracts as core knows them."""
        at = self.contracts
        return Deployment(CHAIN_ID, at.settlement, at.game_manager, at.prize_vault, at.affiliate_vault)

    @property
    def ruleset(self) -> Ruleset:
        """The ruleset that the contracts were deployed with."""
        return parse_ruleset(json.loads((self.root / _RULESET_FILE).read_text(encoding="utf-8")))

    @property
    def first_day(self) -> DayId:
        """The first day that can be played; the chain begins with it."""
        return DayId(self.record["parameters"]["first_day"])

    @property
    def env_file(self) -> Path:
        """The settings file for the engine (BO_ENV_FILE)."""
        return self.root / _ENV_FILE

    @property
    def env(self) -> dict[str, str]:
        """The engine's settings, as in ``world.env``."""
        return dict(self.record["env"])

    def account(self, role: str) -> LocalAccount:
        """The key of owner, guardian, relayer, settler, promotions, fee_receiver, gas_safe, charity or heir."""
        account: LocalAccount = Account.from_key(self.record["accounts"][role]["private_key"])
        return account

    def web3(self) -> Web3:
        """A web3 on the chain itself, for tests and the demo; it retries nothing."""
        return Web3(HTTPProvider(self.record["urls"]["rpc_url"], exception_retry_configuration=None))

    # -- what a world can do -----------------------------------------------------------------------------------------

    def advance_to(self, timestamp_s: int) -> None:
        """Move the chain's clock forward until a final block has this timestamp or a later one."""
        self.chain.advance_to(timestamp_s)

    def mine(self, count: int = 1) -> None:
        """Mine that many blocks at once."""
        self.chain.mine(count)

    def fulfil_vrf(self, day_id: DayId, word: int | None = None) -> int:
        """Play Chainlink: answer the day's VRF request with a random word, or a given one; it is returned."""
        return fulfil_vrf(self.web3(), self.contracts, self.account("owner"), day_id, word)

    def add_database(self) -> WorldDatabase:
        """Another empty, migrated database with the same logins; it goes with the world."""
        name = f"bo_world_{self.record['id']}_{len(self.record['databases']) + 1}"
        # Written down before it exists: what stop() does not find, it passes over.
        self.record["databases"].append({"name": name})
        self._save()
        added = create_database(self._server_url(), name, self.record["id"], self.record["logins"])
        self.record["databases"][-1] = asdict(added)
        self._save()
        return added

    def is_running(self) -> bool:
        """Whether all its processes still run."""
        started = [Started(**document) for document in self.record["processes"].values()]
        if self.record["server_url"] is None:
            started += [server.process for server in self._embedded()]
        return bool(self.record["contracts"]) and all(processes.is_running(process) for process in started)

    def stop(self) -> None:
        """End everything and leave nothing behind: processes, databases, sockets, the folder. Safe to repeat.

        Raises: Unavailable ``database_unreachable`` when databases in a given server cannot be dropped now; the world's
        folder then stays, so that it can be tried again.
        """
        for document in reversed(self.record["processes"].values()):
            processes.end(Started(**document))
        if self.record["server_url"] is None:
            for server in self._embedded():
                server.stop()
        else:
            drop_all(self.record["server_url"], [each["name"] for each in self.record["databases"]], self.record["id"])
        shutil.rmtree(self.root, ignore_errors=True)
        guard.forget(str(self.root))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _proxy(self, name: str) -> RpcProxy:
        urls = self.record["urls"]
        return RpcProxy(urls[f"rpc_{name}_url"], f"{urls['rpc_control_url']}/{name}", self._process("rpc_proxy"))

    def _process(self, name: str) -> Started:
        return Started(**self.record["processes"][name])

    def _embedded(self) -> list[PostgresServer]:
        # None if the start was broken off before, or if it has been stopped already.
        with contextlib.suppress(FileNotFoundError):
            return [load_postgres(self.root / "postgres")]
        return []

    def _server_url(self) -> str:
        given: str | None = self.record["server_url"]
        return given if given is not None else self.postgres.url

    def _save(self) -> None:
        _write_private(self.root / _RECORD, json.dumps(self.record, indent=1))

    def _note(self, process: Started) -> None:
        self.record["processes"][process.name] = process.document()
        self._save()

    def let_live(self) -> None:
        """The world is to outlive this process."""
        for document in self.record["processes"].values():
            processes.let_live(Started(**document))
        for server in self._embedded():
            server.let_live()
        guard.forget(str(self.root))


def start_world(
    root: Path,
    *,
    database_url: str | None = None,
    number_max: int = 38,
    first_day: int | None = None,
    challenge_period_s: int = 600,
    block_time_s: float = BLOCK_TIME_S,
    artifacts_dir: Path | None = None,
    logs_dir: Path | None = None,
    keep: bool = False,
    chaos: tuple[int, int] | None = None,
    states_kept: int | None = None,
) -> World:
    """Start a world in a new or empty folder. The chain's clock starts with ``first_day`` (default: a week ago).

    ``database_url`` is a server (an admin's login) in which fresh databases are made and dropped again; without it the
    embedded server is used. ``chaos`` is a seed and how many of a hundred calls go wrong: both endpoints then fail from
    time to time. Artifacts and logs go into the world's folder, and with it, unless told otherwise. ``states_kept``: as
    for ``start_chain``.
    Raises: UsageError ``world_exists``; Unavailable with the part that did not start.
    """
    root = root.absolute()
    if root.exists() and any(root.iterdir()):
        raise UsageError("world_exists", f"{root} is not empty: end that world with `dev down`, or name another one")
    if first_day is None:
        first_day = day_of(int(time.time())) - _DEFAULT_DAYS_AGO
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o711)  # the server's account must pass through; keys are in files of mode 600
    parameters = {
        "chain_id": CHAIN_ID,
        "first_day": first_day,
        "number_max": number_max,
        "challenge_period_s": challenge_period_s,
        "block_time_s": block_time_s,
        "states_kept": states_kept,
        "chaos": {"seed": chaos[0], "percent": chaos[1]} if chaos else None,
    }
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "id": secrets.token_hex(4),
        "started_at": datetime.now(UTC).isoformat(),
        "kept": keep,
        "parameters": parameters,
        "processes": {},
        "urls": {},
        "server_url": database_url,
        "logins": {},
        "databases": [],
        "accounts": _new_accounts(),
        "contracts": None,
        "env": {},
    }
    world = World(root, record)
    world._save()
    guard.watch_world(str(root), __name__)
    try:
        _start_parts(world, artifacts_dir or root / "artifacts", logs_dir or root / "logs")
        if keep:
            world.let_live()
    except BaseException:
        # What cannot be ended now keeps its record; the first error is the one that tells why.
        with contextlib.suppress(EngineError):
            world.stop()
        raise
    return world


def _start_parts(world: World, artifacts_dir: Path, logs_dir: Path) -> None:
    root, record = world.root, world.record
    parameters = record["parameters"]
    first_day = DayId(parameters["first_day"])

    if record["server_url"] is None:
        start_postgres(root / "postgres")
    record["logins"] = create_logins(world._server_url(), record["id"])
    database = world.add_database()

    chain = start_chain(
        root / "chain",
        genesis_s=day_start(first_day),
        block_time_s=parameters["block_time_s"],
        states_kept=parameters["states_kept"],
    )
    world._note(chain.process)
    record["urls"]["rpc_url"] = chain.url
    primary, fallback = start_rpc_proxy(root / "chain", chain.url)
    world._note(fallback.process)
    record["urls"] |= {
        "rpc_primary_url": primary.url,
        "rpc_fallback_url": fallback.url,
        "rpc_control_url": fallback.control_url.rpartition("/")[0],
    }
    beacon = start_drand_beacon(root / "drand", chain.url, genesis_s=day_start(first_day))
    world._note(beacon.process)
    record["urls"]["drand_url"] = beacon.url

    ruleset = local_ruleset(parameters["number_max"], beacon.network)
    # As canonical JSON, so that `sha256sum ruleset.json` prints the hash that the chain names.
    (root / _RULESET_FILE).write_bytes(rfc8785.dumps(ruleset_document(ruleset)))  # type: ignore[arg-type]
    record["contracts"] = _deploy(world, chain, ruleset).as_dict()
    record["env"] = {
        "BO_PROFILE": "local",
        "DATABASE_URL": database.engine_url,
        "MIGRATION_DATABASE_URL": database.owner_url,
        # A way round through another process would slow every run, and only who wants faults needs it.
        "RPC_URL": primary.url if parameters["chaos"] else chain.url,
        "RPC_FALLBACK_URL": fallback.url,
        "CHAIN_ID": str(CHAIN_ID),
        "SETTLEMENT_ADDRESS": record["contracts"]["settlement"],
        "FIRST_BLOCK": str(record["contracts"]["from_block"]),
        "SETTLER_PRIVATE_KEY": record["accounts"]["settler"]["private_key"],
        "DRAND_URLS": beacon.url,
        "RULESET_FILES": str(root / _RULESET_FILE),
        "APPROVAL_MODE": "auto",
        "ARTIFACTS_DIR": str(artifacts_dir.absolute()),
        "LOGS_DIR": str(logs_dir.absolute()),
    }
    if parameters["chaos"]:
        for name in ENDPOINTS:
            world._proxy(name).set_rules(chaos_rule(**parameters["chaos"], endpoint=name))
    _write_private(world.env_file, "".join(f"{name}={_quoted(value)}\n" for name, value in record["env"].items()))
    world._save()


def local_ruleset(number_max: int, network: DrandNetwork) -> Ruleset:
    """Ruleset 1 for a world: its own range of numbers, and a beacon of its own."""
    return replace(RULESET_1, version=_LOCAL_RULESET, number_max=number_max, drand=network)


def _deploy(world: World, chain: Chain, ruleset: Ruleset) -> DeployedContracts:
    wallets = {name: parse_wallet(each["address"]) for name, each in world.record["accounts"].items()}
    for role in ROLES:
        chain.fund(wallets[role])
    parameters = world.record["parameters"]
    return deploy_contracts(
        world.web3(),
        world.account("owner"),
        roles=RoleWallets(*(wallets[role] for role in ROLES)),
        number_max=parameters["number_max"],
        first_day=world.first_day,
        ruleset_hash=ruleset_hash(ruleset),
        challenge_period_s=parameters["challenge_period_s"],
        **{name: wallets[name] for name in _RECEIVERS},
    )


def stop_world(root: Path) -> None:
    """What the guard calls when the owner of a world has died. Raises: as ``World.load`` and ``World.stop``."""
    World.load(root).stop()


def _new_accounts() -> dict[str, dict[str, str]]:
    accounts = {}
    for name in (*ROLES, *_RECEIVERS):
        key = "0x" + secrets.token_bytes(32).hex()
        accounts[name] = {"address": Wallet(Account.from_key(key).address.lower()), "private_key": key}
    return accounts


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _write_private(path: Path, text: str) -> None:
    # Whole or not at all, and never readable by others, not even for a moment.
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as sink:
        sink.write(text)
    temporary.replace(path)
