"""A real deployment in a test's hands: onto the played world's chain, whose token and VRF mock stand there already."""

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from bo_engine.units import DayId, Wallet, day_of, hex_of, parse_wallet
from core.deployment.creations import CREATIONS, create_address
from core.lottery.ruleset import ruleset_hash
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.notices import charity_word
from local_world.chain_account import ChainAccount
from local_world.databases import WorldDatabase
from local_world.lottery.deploy import (
    VOUCHER_CAP,
    VRF_CALLBACK_GAS,
    VRF_CONFIRMATIONS,
    VRF_FUNDS,
    VRF_KEY_HASH,
    VRF_LINK_PER_REQUEST,
    DeployedContracts,
)
from tests.support.offices import NOTICE_S
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished

_ROLES = ("owner", "guardian", "relayer", "promotions")


class Deploying:
    """A deployment file, a fresh deployer and a fresh SETTLER, and the commands."""

    def __init__(self, played: PlayedWorld, folder: Path) -> None:
        self.played = played
        self.file = folder / "deployment.toml"
        self.key_file = folder / "deployer.key"
        self.deployer: LocalAccount = Account.from_key(secrets.token_bytes(32))
        self.settler: LocalAccount = Account.from_key(secrets.token_bytes(32))
        for account in (self.deployer, self.settler):
            played.chain.fund(account.address)
        self.key_file.write_text(hex_of(bytes(self.deployer.key)))
        self.key_file.chmod(0o600)
        world, wallets = played.world, {role: played.world.account(role).address for role in _ROLES}
        self.terms: dict[str, Any] = {
            "chain_id": world.deployment.chain_id,
            "roles": {**wallets, "settler": self.settler.address},
            "game": {
                "first_day": day_of(played.chain.now()),
                "number_max": world.ruleset.number_max,
                "ruleset_hash": hex_of(ruleset_hash(world.ruleset)),
                "challenge_period_s": 600,
            },
            "money": {
                "usdt": world.contracts.usdt,
                "fee_receiver": world.contracts.fee_receiver,
                "gas_safe": world.contracts.gas_safe,
                "charity": world.contracts.charity,
                "charity_name": "Charity of the test",
                "heir": world.contracts.heir,
                "voucher_cap": str(VOUCHER_CAP),
            },
            "vrf": {
                "coordinator": world.contracts.vrf_coordinator,
                "key_hash": hex_of(VRF_KEY_HASH),
                "callback_gas_limit": VRF_CALLBACK_GAS,
                "confirmations": VRF_CONFIRMATIONS,
                "link_per_request": str(VRF_LINK_PER_REQUEST),
            },
        }
        self.write()

    def write(self, **changed: dict[str, Any]) -> None:
        """Write the file, with some entries of its tables changed; None leaves one out."""
        tables = {name: {**self.terms[name], **changed.get(name, {})} for name in ("roles", "game", "money", "vrf")}
        lines = [f"chain_id = {self.terms['chain_id']}"]
        for name, table in tables.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
        self.file.write_text("\n".join(lines) + "\n")

    @property
    def record_file(self) -> Path:
        """Where the record stands."""
        return self.file.with_name(self.file.name + ".record.json")

    @property
    def record(self) -> dict[str, Any]:
        """The record."""
        found: dict[str, Any] = json.loads(self.record_file.read_text())
        return found

    def at(self, key: str, first_nonce: int = 0) -> Wallet:
        """The computed address of a contract."""
        place = [each for each, _ in CREATIONS].index(key)
        return create_address(parse_wallet(self.deployer.address), first_nonce + place)

    def deploy(self, *more: str, killed_at: str | None = None, **changed: str) -> Finished:
        """`contracts deploy --yes` with the key file."""
        return self.played.cli(
            "contracts", "deploy", "--file", str(self.file), "--key-file", str(self.key_file), "--yes", "--json", *more,
            killed_at=killed_at, **changed,
        )  # fmt: skip

    def check(self, *more: str, **changed: str) -> tuple[int, dict[str, str]]:
        """`contracts check` of what was deployed: exit code, verdict by line."""
        done = self.played.cli("contracts", "check", *more, "--json", **{**self.env, **changed})
        document = json.loads(done.stdout)
        assert "checks" in document, document
        return done.code, {line["name"]: line["verdict"] for line in document["checks"]}

    @property
    def env(self) -> dict[str, str]:
        """The settings of the new installation."""
        return {**self.record["finished"]["env"], "SETTLER_PRIVATE_KEY": hex_of(bytes(self.settler.key))}

    def nonce(self) -> int:
        """How many transactions the deployer has sent."""
        return int(self.played.chain.call("eth_getTransactionCount", self.deployer.address, "latest"), 16)

    def ask(self, contract: str, key: str, function: str, *arguments: object) -> Any:
        """What a new contract answers at the head."""
        data = codec(contract).call_data(function, arguments)
        answer = self.played.chain.call("eth_call", {"to": self.at(key), "data": hex_of(data)}, "latest")
        return codec(contract).result(function, bytes.fromhex(answer[2:]))[0]

    def act(self, role: str, contract: str, key_or_address: str, function: str, *arguments: object) -> None:
        """Somebody calls a contract, and it succeeds."""
        target = self.at(key_or_address) if not key_or_address.startswith("0x") else parse_wallet(key_or_address)
        account = ChainAccount(self.played.chain, self.played.world.account(role))
        account.execute(target, codec(contract).call_data(function, arguments))
        self.played.chain.finalize()

    def do_what_is_left(self) -> None:
        """Whoever has LINK, OWNER and promotions do what the checklist says; the charity's two days pass."""
        contracts = self.played.world.contracts
        self.fund_subscription()
        self.act("owner", "CharityVault", "charity_vault", "announceCharity", contracts.charity, "Charity of the test")
        self.give_promotions_money(self.at("reserve_vault"))
        self.pass_notice()
        self.act("relayer", "CharityVault", "charity_vault", "execute", charity_word(contracts.charity))

    def fund_subscription(self) -> None:
        """Somebody gives the receiver's subscription LINK."""
        number = self.ask("VRFReceiver", "vrf_receiver", "subscriptionId")
        coordinator = self.played.world.contracts.vrf_coordinator
        self.act("relayer", "TestCoordinator", coordinator, "fundSubscription", number, VRF_FUNDS)

    def pass_notice(self) -> None:
        """The 48 hours of an announcement or a naming pass."""
        self.played.chain.advance_to(self.played.chain.now() + NOTICE_S + 1)
        self.played.chain.finalize()

    def give_promotions_money(self, vault: Wallet) -> None:
        """The promotions account has USDT and lets a ReserveVault take it."""
        usdt, promotions = self.played.world.contracts.usdt, self.terms["roles"]["promotions"]
        self.act("promotions", "IERC20", usdt, "approve", vault, 10**12)
        self.act("promotions", "TestUSDT", usdt, "mint", promotions.lower(), 10**12)

    def deployed(self) -> DeployedContracts:
        """The new contracts as the local world's helpers want them."""
        addresses = {key: parse_wallet(each) for key, each in self.record["finished"]["addresses"].items()}
        return replace(self.played.world.contracts, **addresses)

    @property
    def first_day(self) -> DayId:
        """The first day of the new installation."""
        return DayId(self.terms["game"]["first_day"])

    def add_database(self) -> WorldDatabase:
        """An empty, migrated database for it."""
        return self.played.world.add_database()
