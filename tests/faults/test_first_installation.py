"""From an empty server and an empty chain to the first settled day, by the commands of docs/operations.md in their
order; people and other companies (Chainlink, the faucet, the App) are played."""

import json
import os
import random
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER
from bo_engine.units import DayId, Wallet, day_end, day_start, hex_of, parse_wallet
from core.lottery.ruleset import Ruleset, ruleset_document, ruleset_hash
from io_layer.contracts.codec import codec
from io_layer.postgres.connection import connect
from local_world import processes
from local_world.chain import CHAIN_ID, Chain, start_chain
from local_world.chain_account import ChainAccount
from local_world.databases import with_database
from local_world.lottery.app import App
from local_world.lottery.bank import Bank
from local_world.lottery.deploy import (
    VRF_BASE_FEE,
    VRF_FUNDS,
    VRF_GAS_PRICE,
    VRF_KEY_HASH,
    VRF_WEI_PER_UNIT_LINK,
    DeployedContracts,
    LocalSender,
    contract_at,
    fulfil_vrf,
)
from local_world.lottery.drand_beacon import DrandBeacon, start_drand_beacon
from local_world.lottery.players import make_affiliates, make_orders, make_players
from local_world.lottery.world import local_ruleset
from local_world.postgres import PostgresServer, start_postgres
from local_world.rpc_proxy import RpcProxy, start_rpc_proxy
from services.lottery.deployment.checks.surroundings import DAILY_GAS
from tests.support.doc_commands import documented

pytestmark = [pytest.mark.world, pytest.mark.slow]
DAY = DayId(20_600)
SECTION = "From an empty host to the first settled day"
ROLES = ("owner", "guardian", "relayer", "promotions")


@dataclass
class Host:
    """An empty host, and the outside world that it will meet: a server, a chain with a token and a coordinator."""

    folder: Path
    postgres: PostgresServer
    chain: Chain
    proxy: RpcProxy
    beacon: DrandBeacon
    ruleset: Ruleset
    accounts: dict[str, LocalAccount]
    env: dict[str, str]

    def run(self, line: str, *, codes: tuple[int, ...] = (EXIT_DONE,)) -> str:
        """A line of the page, as a shell runs it; its standard output."""
        paths = (str(Path(sys.executable).parent), str(self.postgres.binaries), os.environ.get("PATH", os.defpath))
        done = subprocess.run(
            ["sh", "-euc", line],
            env={"PATH": os.pathsep.join(paths), "LC_ALL": "C", **self.env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, f"{line}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def address(self, role: str) -> str:
        """An account's address in lower case."""
        return parse_wallet(self.accounts[role].address)

    def act(self, role: str, target: str, contract: str, function: str, *arguments: object) -> None:
        """Somebody's transaction, which succeeds."""
        account = ChainAccount(self.chain, self.accounts[role])
        account.execute(parse_wallet(target), codec(contract).call_data(function, arguments))

    def write_settings(self, **settings: str) -> None:
        """`.env` in the engine's folder."""
        path = self.folder / ".env"
        path.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
        path.chmod(0o600)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "keys").mkdir(mode=0o700)
    postgres = start_postgres(tmp_path / "postgres")
    chain = start_chain(tmp_path / "chain", genesis_s=day_start(DAY) - 7_200)
    _, proxy = start_rpc_proxy(tmp_path / "chain", chain.url)
    beacon = start_drand_beacon(tmp_path / "drand", chain.url, genesis_s=day_start(DAY))
    names = (*ROLES, "fees", "gas", "charity", "heir", "link")
    accounts = {name: Account.from_key(secrets.token_bytes(32)) for name in names}
    for role in (*ROLES, "link"):
        chain.fund(accounts[role].address)
    ruleset = local_ruleset(9, beacon.network)
    passwords = {"OWNER_PASSWORD": secrets.token_hex(8), "ENGINE_PASSWORD": secrets.token_hex(8)}
    env = {"SERVER_URL": postgres.url, "KEYS": str(folder / "keys"), "DAY": str(DAY), "RPC_URL": chain.url, **passwords}
    try:
        yield Host(folder, postgres, chain, proxy, beacon, ruleset, accounts, env)
    finally:
        for process in (beacon.process, proxy.process, chain.process):
            processes.end(process)
        postgres.stop()


def outside_world(host: Host) -> dict[str, Any]:
    """What stands on the chain before us: a token, and Chainlink's coordinator, which knows the key hash."""
    w3 = Web3(HTTPProvider(host.chain.url, exception_retry_configuration=None))
    sender = LocalSender(w3, host.accounts["link"])
    token = sender.wait(sender.send_creation("TestUSDT", ()))["contractAddress"]
    prices = (VRF_BASE_FEE, VRF_GAS_PRICE, VRF_WEI_PER_UNIT_LINK)
    at = sender.wait(sender.send_creation("TestCoordinator", prices))["contractAddress"]
    coordinator = contract_at(w3, "TestCoordinator", parse_wallet(str(at)))
    sender.wait(sender.send_call(coordinator.functions.setProvingKey(VRF_KEY_HASH, True)))
    return {"usdt": str(token), "coordinator": str(at)}


def write_deployment_file(host: Host, outside: dict[str, Any], settler: str) -> None:
    """The example of the page, filled in by a person: each value replaced, the rest as it stands."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "deployment.example.toml").read_text(encoding="utf-8")
    filled = {
        **{role: host.address(role) for role in ROLES},
        "settler": settler,
        "first_day": DAY,
        "number_max": host.ruleset.number_max,
        "ruleset_hash": hex_of(ruleset_hash(host.ruleset)),
        "usdt": outside["usdt"],
        "fee_receiver": host.address("fees"),
        "gas_safe": host.address("gas"),
        "charity": host.address("charity"),
        "heir": host.address("heir"),
        "coordinator": outside["coordinator"],
        "key_hash": hex_of(VRF_KEY_HASH),
    }
    lines = []
    for line in text.splitlines():
        name = line.partition(" = ")[0]
        lines.append(f"{name} = {json.dumps(filled.pop(name))}" if name in filled else line)
    assert not filled
    (host.folder / "deployment.toml").write_text("\n".join(lines) + "\n")


def look_at_the_plan(host: Host, line: str, made: dict[str, str]) -> None:
    """Without ether the plan says so; then the faucet comes."""
    refused = json.loads(host.run(f"{line} --json", codes=(EXIT_FAILED,)))
    assert {one["name"] for one in refused["checks"] if one["verdict"] == "wrong"} == {"deployer's ether"}
    for address in made.values():
        host.chain.fund(parse_wallet(address))
    host.run(line)


def contracts_of(host: Host, outside: dict[str, Any], done: dict[str, Any]) -> DeployedContracts:
    """What was deployed, as the played App and bank want it."""
    return DeployedContracts(
        **{key: parse_wallet(address) for key, address in done["addresses"].items()},
        vrf_coordinator=parse_wallet(outside["coordinator"]),
        vrf_subscription_id=_subscription(host, parse_wallet(done["addresses"]["vrf_receiver"])),
        heir=parse_wallet(host.address("heir")),
        fee_receiver=parse_wallet(host.address("fees")),
        gas_safe=parse_wallet(host.address("gas")),
        charity=parse_wallet(host.address("charity")),
        from_block=int(done["env"]["FIRST_BLOCK"]),
    )


def _subscription(host: Host, receiver: Wallet) -> int:
    """The number of the subscription that the receiver has made."""
    data = hex_of(codec("VRFReceiver").call_data("subscriptionId", ()))
    return int(host.chain.call("eth_call", {"to": receiver, "data": data}, "latest"), 16)


def do_what_is_left(host: Host, contracts: DeployedContracts, done: dict[str, Any]) -> None:
    """Step 8: what others do, with the calldata of the list."""
    unfinished = host.run("bo-engine contracts check --file deployment.toml --json", codes=(EXIT_FAILED,))
    wrong = {one["name"] for one in json.loads(unfinished)["checks"] if one["verdict"] == "wrong"}
    assert wrong == {"VRF balance", "charity"}
    # The mock has no LINK: what LINK's transferAndCall would bring there is given without it.
    fund = (contracts.vrf_subscription_id, VRF_FUNDS)
    host.act("link", contracts.vrf_coordinator, "TestCoordinator", "fundSubscription", *fund)
    (charity,) = (one["todo"] for one in done["todo"] if one["name"] == "charity")
    owner = ChainAccount(host.chain, host.accounts["owner"])
    owner.execute(contracts.charity_vault, bytes.fromhex(re.findall("0x([0-9a-f]{16,})", charity)[-1]))
    host.chain.finalize()


def sell_the_first_day(host: Host, contracts: DeployedContracts, owner_url: str) -> None:
    """The App with a login of its own, and the players, at noon; then the day closes."""
    host.run(f'psql "{host.postgres.url}" -c "CREATE ROLE app LOGIN PASSWORD \'app\'"')
    host.run(f'psql "{owner_url}" -c "GRANT bo_app TO app"')
    host.chain.advance_to(day_start(DAY) + 43_200)
    people = make_players(4, make_affiliates(1))
    orders = make_orders(random.Random(0), people, number_max=host.ruleset.number_max, min_tips=40)
    bank = Bank(host.chain, contracts, ChainAccount(host.chain, host.accounts["promotions"]))
    bank.give_gas([person.wallet for person in people])
    bank.equip(orders, host.ruleset.prices_atoms)
    relayer = ChainAccount(host.chain, host.accounts["relayer"])
    app_url = with_database(host.postgres.url, "bo_engine", user="app", password="app")
    with connect(app_url, application_name="app", check_version=False) as conn:
        App(conn, host.chain, contracts, relayer).sell(orders)
    host.chain.advance_to(day_end(DAY) + 60)
    host.chain.mine(3)


def bring_the_seeds(host: Host, contracts: DeployedContracts, line: str) -> None:
    """The word is requested; Chainlink answers; it is collected, with the beacon that is due an hour later."""
    host.run(line, codes=(EXIT_LATER,))
    host.chain.mine(3)
    w3 = Web3(HTTPProvider(host.chain.url, exception_retry_configuration=None))
    fulfil_vrf(w3, contracts, host.accounts["link"], DAY)
    host.chain.advance_to(host.chain.now() + host.ruleset.drand.delay_s + 60)
    host.chain.finalize()
    host.run(line)


def gas_used(host: Host, sender: str) -> int:
    """Gas of all transactions of an account."""
    used = 0
    for number in range(host.chain.height() + 1):
        for one in host.chain.call("eth_getBlockByNumber", hex(number), True)["transactions"]:
            if one["from"] == sender:
                used += int(host.chain.call("eth_getTransactionReceipt", one["hash"])["gasUsed"], 16)
    return used


def test_the_page_leads_from_an_empty_host_to_the_first_settled_day(host: Host) -> None:
    lines = documented("operations.md", "psql ", "bo-engine ", section=SECTION)
    outside = outside_world(host)
    owner_url = with_database(host.postgres.url, "bo_engine", user="bo_owner", password=host.env["OWNER_PASSWORD"])
    engine_url = with_database(host.postgres.url, "bo_engine", user="bo_settle", password=host.env["ENGINE_PASSWORD"])
    (host.folder / "ruleset.json").write_bytes(rfc8785.dumps(ruleset_document(host.ruleset)))  # type: ignore[arg-type]
    settings = {
        "BO_PROFILE": "local",
        "DATABASE_URL": engine_url,
        "MIGRATION_DATABASE_URL": owner_url,
        "RPC_URL": host.chain.url,
        "RPC_FALLBACK_URL": host.proxy.url,
        "CHAIN_ID": str(CHAIN_ID),
        "SETTLER_KEYSTORE_FILE": "keys/settler.json",
        "SETTLER_PASSWORD_FILE": "keys/settler.password",
        "DRAND_URLS": host.beacon.url,
        "RULESET_FILES": "ruleset.json",
    }
    host.write_settings(**settings)
    host.env["MIGRATION_DATABASE_URL"] = owner_url
    for name in ("settler", "deployer"):
        (host.folder / "keys" / f"{name}.password").write_text(secrets.token_urlsafe(24))
        (host.folder / "keys" / f"{name}.password").chmod(0o600)

    made: dict[str, str] = {}
    for line in lines:
        command = " ".join(line.split()[:3])
        if command == "bo-engine key new":
            name = "settler" if "settler.json" in line else "deployer"
            made[name] = json.loads(host.run(f"{line} --json"))["address"].lower()
        elif command == "bo-engine contracts deploy" and "--dry-run" in line:
            write_deployment_file(host, outside, made["settler"])
            look_at_the_plan(host, line, made)
        elif command == "bo-engine contracts deploy":
            done = json.loads(host.run(f"{line} --json"))
            host.write_settings(**{**settings, **done["env"]})
            contracts = contracts_of(host, outside, done)
            do_what_is_left(host, contracts, done)
        elif command == "bo-engine recover-intents":
            sell_the_first_day(host, contracts, owner_url)
            host.run(line)
        elif command == "bo-engine refresh-seeds":
            bring_the_seeds(host, contracts, line)
        elif command == "bo-engine settle":
            assert json.loads(host.run(f"{line} --json"))["days"][0]["run_status"] == "committed"
            host.chain.advance_to(host.chain.now() + 7_201)
            (day,) = json.loads(host.run(f"{line} --json"))["days"]
            assert (day["day_id"], day["status"], day["run_status"]) == (DAY, "DONE", "settled")
        elif command == "bo-engine verify --day":
            assert "anchored" in host.run(line).replace("not anchored", "")
        else:
            host.run(line)
    # What the checklist promises of the SETTLER's ether is not too much.
    assert 0 < gas_used(host, made["settler"]) <= DAILY_GAS
