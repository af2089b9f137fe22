"""Measures the gas of each kind of call: ``gasUsed`` of whole transactions, as their receipts on an anvil have it.

That includes the 21000 of a transaction and its calldata, and is what the chain charges for execution; a rollup's fee
for posting the data comes on top and is not in here. What is measured is the code in abi/. Keys, nonces, numbers and
VRF words are fixed, so two runs give the same gas to the unit.

Each row starts from a chain with a past: a day is settled with payouts, the buyer has a ticket and an affiliate, the
vaults and the gas safe hold money. So a row shows what a usual call costs and not the first call ever.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from bo_engine.keccak import keccak256
from bo_engine.units import POOL_IDS, DayId, Wallet, day_end, day_start, parse_wallet
from core.deployment.terms import RoleWallets
from core.lottery.ruleset import RULESET_1, ruleset_hash
from core.lottery.tickets import bonus_tips
from core.lottery.tips import mask_of, pack_masks
from local_world import processes
from local_world.chain import CHAIN_ID, Chain, start_chain
from local_world.lottery.deploy import DeployedContracts, LocalSender, contract_at, deploy_contracts, fulfil_vrf

FIRST_DAY = DayId(20_500)
CHALLENGE_S = 600
NUMBER_MAX = 38
PAID_TIPS = (1, 10, 144)
GAS_COST_ATOMS = 40_000
MONEY_ATOMS = 10**12
PROOF_LENGTH = 10  # about a thousand winners
VOIDABLE_DAYS = 7  # a day without a VRF word can be voided by anyone so many days after its close
AFFILIATE = "0x" + keccak256(b"affiliate").hex()[:40]
# Longer than a measurement: blocks come with transactions only, so none is made while a snapshot is taken back.
BLOCK_TIME_S = 3_600

PERMIT_FIELDS = (
    ("buyer", "address"),
    ("dayId", "uint256"),
    ("poolId", "uint8"),
    ("tipsHash", "bytes32"),
    ("paidTips", "uint8"),
    ("voucherTips", "uint8"),
    ("affiliate", "address"),
    ("gasCostUsdt", "uint256"),
    ("deadline", "uint64"),
    ("nonce", "bytes16"),
)


def account(name: str) -> LocalAccount:
    """The account of that name, the same each time."""
    found: LocalAccount = Account.from_key(keccak256(f"bo-engine gas table: {name}".encode()))
    return found


def wallet(name: str) -> Wallet:
    return parse_wallet(account(name).address)


@dataclass(frozen=True)
class Ticket:
    """What a purchase asks for."""

    pool: int = 0
    paid: int = 1
    vouchers: int = 0


@dataclass
class World:
    """A deployment on a chain of its own."""

    chain: Chain
    w3: Web3
    deployed: DeployedContracts
    day: DayId = FIRST_DAY
    tickets: int = 0
    nonce: bytes = b""  # of the last ticket's permit
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def game(self) -> Any:
        return contract_at(self.w3, "GameManager", self.deployed.game_manager)

    @property
    def reserve(self) -> Any:
        return contract_at(self.w3, "ReserveVault", self.deployed.reserve_vault)

    @property
    def prizes(self) -> Any:
        return contract_at(self.w3, "PrizeVault", self.deployed.prize_vault)

    @property
    def settlement(self) -> Any:
        return contract_at(self.w3, "SettlementV4", self.deployed.settlement)

    def send(self, sender: str, call: Any) -> int:
        """Send as that account; returns the gas used. Raises: InvariantBroken if it is reverted."""
        local = LocalSender(self.w3, account(sender))
        return int(local.wait(local.send_call(call))["gasUsed"])

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back what happens inside, so that rows do not depend on each other."""
        name, tickets = self.chain.snapshot(), self.tickets
        yield
        self.chain.revert(name)
        self.tickets = tickets

    # ------------------------------------------------------------------------------------------------------- buying

    def buy_direct(self, buyer: str, ticket: Ticket) -> int:
        permit, tips = self._permit(buyer, ticket, gas_cost_atoms=0)
        return self.send(buyer, self.game.functions.buyTicket(tuple(permit.values()), tips))

    def buy_relayed(self, buyer: str, ticket: Ticket) -> int:
        permit, tips = self._permit(buyer, ticket, gas_cost_atoms=GAS_COST_ATOMS)
        domain = {
            "name": "BO-Engine",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": self.game.address,
        }
        types = {"BuyPermit": [{"name": name, "type": kind} for name, kind in PERMIT_FIELDS]}
        signed = account(buyer).sign_typed_data(domain_data=domain, message_types=types, message_data=permit)
        call = self.game.functions.buyTicketFor(tuple(permit.values()), tips, bytes(signed.signature))
        return self.send("relayer", call)

    def _permit(self, buyer: str, ticket: Ticket, *, gas_cost_atoms: int) -> tuple[dict[str, Any], bytes]:
        self.tickets += 1
        # Numbers as players choose them: a mask of small numbers only would be cheaper calldata.
        dice = random.Random(self.tickets)
        count = ticket.paid + bonus_tips(ticket.paid) + ticket.vouchers
        tips = pack_masks([mask_of(dice.sample(range(1, NUMBER_MAX + 1), 6), NUMBER_MAX) for _ in range(count)])
        self.nonce = dice.randbytes(16)
        values = (
            account(buyer).address,
            self.day,
            ticket.pool,
            keccak256(tips),
            ticket.paid,
            ticket.vouchers,
            Web3.to_checksum_address(AFFILIATE),
            gas_cost_atoms,
            day_end(self.day),
            self.nonce,
        )
        names = (name for name, _ in PERMIT_FIELDS)
        return dict(zip(names, values, strict=True)), tips

    # ------------------------------------------------------------------------------------------------------ settling

    def close(self) -> None:
        """Let the day end and bring its VRF word."""
        self.chain.advance_to(day_end(self.day))
        receiver = contract_at(self.w3, "VRFReceiver", self.deployed.vrf_receiver)
        self.send("anyone", receiver.functions.requestSeed(self.day))
        word = int.from_bytes(keccak256(f"word of day {self.day}".encode()))
        fulfil_vrf(self.w3, self.deployed, account("anyone"), self.day, word)
        self.chain.advance_to(self.settlement.functions.earliestCommit(self.day).call())

    def result(self, *, jackpot: bool, roots: Sequence[bytes]) -> tuple[Any, ...]:
        """A result that pays in each pool about half of the day's pot, and of one pool's reserve on a jackpot."""
        sold = [pool_day[2] for pool_day in self.game.functions.poolDays(self.day).call()]
        treasury = contract_at(self.w3, "GameTreasury", self.deployed.game_treasury)
        splits = treasury.functions.splitStakes(sold).call()
        payouts = [pot // 2 + 7 for *_, pot in splits]
        jackpots = [0] * len(POOL_IDS)
        if jackpot:
            jackpots[1] = splits[1][2] // 2 + 7
        fee = sum(split[0] for split in splits)
        return (
            self.day,
            payouts,
            jackpots,
            sum(payouts) + sum(jackpots),
            roots[0],
            [amount > 0 for amount in jackpots],
            fee // 5 + 7,
            roots[1],
            fee // 10 + 7,
            keccak256(f"run of day {self.day}".encode()),
        )

    def commit(self, result: tuple[Any, ...]) -> int:
        return self.send("settler", self.settlement.functions.commitMerkleSettlement(result))

    def release(self, result: tuple[Any, ...]) -> int:
        self.chain.advance_to(self.chain.now() + CHALLENGE_S)
        return self.send("anyone", self.settlement.functions.release(result))

    def next_day(self) -> None:
        self.day = DayId(self.day + 1)
        self.chain.advance_to(day_start(self.day))


@contextmanager
def started(folder: Path) -> Iterator[World]:
    """A fresh deployment whose buyers hold money and have approved it."""
    chain = start_chain(folder, genesis_s=day_start(FIRST_DAY), block_time_s=BLOCK_TIME_S)
    try:
        w3 = Web3(HTTPProvider(chain.url, exception_retry_configuration=None))
        for name in ("owner", "relayer", "settler", "promotions", "buyer", "another buyer", "new buyer", "anyone"):
            chain.fund(account(name).address)
        offices = (wallet(office) for office in ("owner", "guardian", "relayer", "settler", "promotions"))
        deployed = deploy_contracts(
            w3,
            account("owner"),
            roles=RoleWallets(*offices),
            number_max=NUMBER_MAX,
            first_day=FIRST_DAY,
            ruleset_hash=ruleset_hash(RULESET_1),
            challenge_period_s=CHALLENGE_S,
            fee_receiver=wallet("fee receiver"),
            gas_safe=wallet("gas safe"),
            charity=wallet("charity"),
            heir=wallet("heir"),
        )
        world = World(chain, w3, deployed)
        usdt = contract_at(w3, "TestUSDT", deployed.usdt).functions
        for name in ("promotions", "buyer", "another buyer", "new buyer"):
            world.send(name, usdt.mint(account(name).address, MONEY_ATOMS))
            world.send(name, usdt.approve(world.reserve.address, 2**256 - 1))
        yield world
    finally:
        processes.end(chain.process)


# ------------------------------------------------------------------------------------------------------------ the rows


def measure(folder: Path) -> dict[str, int]:
    """Play three days and return the gas of each row. ``folder`` takes the chain's files."""
    with started(folder) as world:
        give_it_a_past(world)
        world.next_day()
        world.buy_direct("another buyer", Ticket())
        measure_purchases(world)
        measure_settling(world)
        world.next_day()
        measure_refunds(world)
        return dict(sorted(world.rows.items()))


def give_it_a_past(world: World) -> None:
    """A settled day with tickets of each kind, payouts, accrued fees and a claim."""
    for pool in range(len(POOL_IDS)):
        world.buy_direct("another buyer", Ticket(pool, paid=10))
    world.buy_relayed("buyer", Ticket(paid=1, vouchers=1))
    world.close()
    root, proofs = tree(world, ("buyer", "another buyer"), amount_atoms=1_000)
    result = world.result(jackpot=False, roots=(root, keccak256(b"commissions")))
    world.commit(result)
    world.release(result)
    claim(world, "buyer", 1_000, proofs[0])


def measure_purchases(world: World) -> None:
    """The pool is open, and the buyer has not bought today."""
    for way, buy in (("direct", world.buy_direct), ("relayed", world.buy_relayed)):
        for paid in PAID_TIPS:
            name = f"buy {way}, {paid} paid tip{'s' if paid > 1 else ''}"
            with world.undone():
                world.rows[f"{name}, first of the buyer's day"] = buy("buyer", Ticket(paid=paid))
                world.rows[f"{name}, repeated"] = buy("buyer", Ticket(paid=paid))
        with world.undone():
            world.rows[f"buy {way}, 1 paid tip, opening a pool"] = buy("buyer", Ticket(pool=1))
        with world.undone():
            world.rows[f"buy {way}, 1 paid tip, new buyer"] = buy("new buyer", Ticket())
    with world.undone():
        name = "buy relayed, 1 paid and 5 voucher tips"
        world.rows[f"{name}, first vouchers of the day"] = world.buy_relayed("buyer", Ticket(vouchers=5))
        world.rows[f"{name}, repeated"] = world.buy_relayed("buyer", Ticket(vouchers=5))


def measure_settling(world: World) -> None:
    """A day with tickets in all pools and one jackpot."""
    for pool in range(len(POOL_IDS)):
        world.buy_direct("buyer", Ticket(pool, paid=144))
        world.buy_relayed("another buyer", Ticket(pool, paid=10, vouchers=2))
    world.close()
    root, proofs = tree(world, ("another buyer", "buyer"), amount_atoms=123_456)
    result = world.result(jackpot=True, roots=(root, keccak256(b"more commissions")))
    world.rows["commit"] = world.commit(result)
    world.rows["release"] = world.release(result)
    claim(world, "another buyer", 123_456, proofs[0])
    world.rows["claim"] = claim(world, "buyer", 123_456, proofs[1])


def measure_refunds(world: World) -> None:
    """A voided day, on which the buyer had a ticket with vouchers."""
    world.buy_direct("another buyer", Ticket())
    world.buy_relayed("buyer", Ticket(vouchers=5))
    world.chain.advance_to(day_end(DayId(world.day + VOIDABLE_DAYS)))
    world.send("anyone", world.settlement.functions.voidDay(world.day))
    vault = world.reserve.functions
    world.rows["refund"] = world.send("anyone", vault.refund(account("buyer").address, [world.nonce]))
    world.rows["refund of vouchers"] = world.send("anyone", vault.refundVouchers(world.day))


def claim(world: World, name: str, amount_atoms: int, proof: list[bytes]) -> int:
    call = world.prizes.functions.claim(world.day, account(name).address, amount_atoms, proof)
    return world.send("anyone", call)


def tree(world: World, names: tuple[str, str], *, amount_atoms: int) -> tuple[bytes, list[list[bytes]]]:
    """The root and the proofs of two neighbours, each paid that amount, in a tree of ``2 ** PROOF_LENGTH`` leaves."""
    leaf_of = world.prizes.functions.leafOf
    left, right = (bytes(leaf_of(world.day, account(name).address, amount_atoms).call()) for name in names)
    others = [keccak256(f"subtree {height}".encode()) for height in range(1, PROOF_LENGTH)]
    root = left
    for sibling in (right, *others):
        root = keccak256(b"".join(sorted((root, sibling))))
    return root, [[right, *others], [left, *others]]
