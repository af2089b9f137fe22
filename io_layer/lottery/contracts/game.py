"""What our contracts say, as core's values: the days, the tickets, the roles, the state between two days."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from abi import is_code_of
from bo_engine.errors import InvalidInput, Unavailable, UsageError
from bo_engine.units import (
    ZERO_WALLET,
    Atoms,
    Bps,
    DayId,
    Hash32,
    PoolId,
    TicketId,
    Wallet,
    day_end,
    day_start,
    hex_of,
    parse_wallet,
)
from core.lottery.game_constants import GameConstants
from core.lottery.model import Deployment, PoolDay, PoolState, PurchasedTicket, Ticket
from core.lottery.notices import OFFICES
from io_layer.contracts.code import require_our_code, require_token
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.constants import read_constants
from io_layer.lottery.contracts.day_record import RELEASED, VOIDED, DayRecord
from io_layer.rpc import wire
from io_layer.rpc.reader import Block, Call, ChainReader

SUSPENDED: Final = "settler_suspended"
_RATES_PER_CALL: Final = 1_000
_NONCES_PER_CALL: Final = 250


@dataclass(frozen=True, slots=True)
class Contracts:
    """The addresses of one deployment, as SettlementV4.contracts() names them."""

    settlement: Wallet
    usdt: Wallet
    roles: Wallet
    game_manager: Wallet
    game_treasury: Wallet
    reserve_vault: Wallet
    prize_vault: Wallet
    affiliate_vault: Wallet
    charity_vault: Wallet
    vrf_receiver: Wallet
    claim_router: Wallet

    def of(self, name: str) -> Wallet:
        """The address of a contract by its name in abi/."""
        address: Wallet = getattr(self, _ATTRIBUTE[name])
        return address

    def ours(self) -> dict[str, Wallet]:
        """The contracts that are built from our sources, by their names in abi/: all but USDT."""
        return {name: self.of(name) for name in _ATTRIBUTE}


@dataclass(frozen=True, slots=True)
class DayOnChain:
    """Everything that the chain says of one day at one final block."""

    day_id: DayId
    block: Block
    next_day: DayId
    ruleset_hash: Hash32
    pools: tuple[PoolDay, ...]
    opening_state_hash: Hash32  # zero until the day before is released or voided
    record: DayRecord
    vrf_requested_block: int  # 0: not requested
    vrf_requested_at: int  # unix seconds, the time of that block; 0 likewise
    vrf_request_id: int
    vrf_word: int | None

    @property
    def tip_count(self) -> int:
        """Tips of the day over all pools."""
        return sum(pool.tip_count for pool in self.pools)

    @property
    def ticket_count(self) -> int:
        """Tickets of the day over all pools."""
        return sum(pool.ticket_count for pool in self.pools)


@dataclass(frozen=True, slots=True)
class Balances:
    """ReserveVault's USDT and debts at one block, for gate G12. It holds the money of all."""

    balance_atoms: Atoms
    held_atoms: Atoms  # the contract's own word for the sum of all debts
    accrued_fee_atoms: Atoms
    accrued_charity_atoms: Atoms
    accrued_gas_atoms: Atoms
    refundable_atoms: Atoms  # stakes of voided days that are not refunded
    prize_owed_atoms: Atoms  # released - claimed
    affiliate_owed_atoms: Atoms


class GameChain:
    """The contracts of one deployment, read through both endpoints."""

    def __init__(self, chain: ChainReader, contracts: Contracts, first_day: DayId, constants: GameConstants) -> None:
        self.chain = chain
        self.contracts = contracts
        self.first_day = first_day
        self.constants = constants

    @property
    def deployment(self) -> Deployment:
        """The part of the deployment that enters hashes."""
        return Deployment(
            chain_id=self.chain.chain_id,
            settlement=self.contracts.settlement,
            game_manager=self.contracts.game_manager,
            prize_vault=self.contracts.prize_vault,
            affiliate_vault=self.contracts.affiliate_vault,
        )

    def call(self, contract: str, function: str, *arguments: object) -> Call:
        """A call of one of our contracts by its name in abi/."""
        return Call(contract, self.contracts.of(contract), function, arguments)

    def last_closed_day(self, block: Block) -> DayId:
        """The newest day that is closed: the final block lies at or after its end."""
        return DayId(block.timestamp_s // 86_400 - 1)

    def read_next_day(self, block: Block) -> DayId:
        """The day that the contract settles next."""
        return DayId(self.chain.read(block, [self.call("SettlementV4", "nextDay")])[0])

    def read_end(self, block: Block) -> DayId | None:
        """The first day that is never settled, once the game has ended; None while it goes on."""
        finished, next_day = self.chain.read(
            block, [self.call("SettlementV4", "finished"), self.call("SettlementV4", "nextDay")]
        )
        return DayId(next_day) if finished else None

    def read_day(self, block: Block, day_id: DayId) -> DayOnChain:
        """All facts of a day, from both endpoints, at one final block."""
        next_day, record, state_hash, pools, ruleset_hash, request, word = self.chain.read(
            block,
            [
                self.call("SettlementV4", "nextDay"),
                self.call("SettlementV4", "dayRecord", day_id),
                self.call("SettlementV4", "openingStateHash", day_id),
                self.call("GameManager", "poolDays", day_id),
                self.call("GameManager", "rulesetHashOf", day_id),
                self.call("VRFReceiver", "requestOf", day_id),
                self.call("VRFReceiver", "wordOf", day_id),
            ],
        )
        request_id, requested_at, requested_block = request
        has_word, vrf_word = word
        return DayOnChain(
            day_id=day_id,
            block=block,
            next_day=DayId(next_day),
            ruleset_hash=Hash32(ruleset_hash),
            pools=tuple(PoolDay(count, tips, Atoms(stake), Hash32(digest)) for count, tips, stake, digest in pools),
            opening_state_hash=Hash32(state_hash),
            record=_day_record(record),
            vrf_requested_block=requested_block,
            vrf_requested_at=requested_at,
            vrf_request_id=request_id,
            vrf_word=vrf_word if has_word else None,
        )

    def read_ruleset_hash(self, block: Block, day_id: DayId) -> Hash32:
        """The hash of the ruleset that the contract names for a day."""
        return Hash32(self.chain.read(block, [self.call("GameManager", "rulesetHashOf", day_id)])[0])

    def read_pool_days(self, block: Block, days: Iterable[DayId]) -> list[tuple[PoolDay, ...]]:
        """What each pool has sold on each of some days, closed or not."""
        found = self.chain.read(block, [self.call("GameManager", "poolDays", day_id) for day_id in days])
        return [
            tuple(PoolDay(count, tips, Atoms(stake), Hash32(digest)) for count, tips, stake, digest in pools)
            for pools in found
        ]

    def read_record(self, block: Block, day_id: DayId) -> DayRecord:
        """What SettlementV4 stores of the day."""
        return _day_record(self.chain.read(block, [self.call("SettlementV4", "dayRecord", day_id)])[0])

    def read_opening_state(self, block: Block) -> tuple[PoolState, ...]:
        """Carry, reserve, last rollover and streak of the next day, per pool."""
        states = self.chain.read(block, [self.call("SettlementV4", "openingState")])[0]
        return tuple(PoolState(Atoms(c), Atoms(r), Atoms(o), streak) for c, r, o, streak in states)

    def read_winning_numbers(
        self, block: Block, day_id: DayId, drand_round: int, drand_randomness: Hash32
    ) -> tuple[tuple[int, ...], ...]:
        """The draw as the contract computes it from its own VRF word: six numbers for each pool, as drawn."""
        call = self.call("SettlementV4", "winningNumbers", day_id, drand_round, drand_randomness)
        return tuple(tuple(numbers) for numbers in self.chain.read(block, [call])[0])

    def read_balances(self, block: Block) -> Balances:
        """Balance and debts of ReserveVault, apart from the pools and the unsettled days."""
        balance, held, fees, charity, gas, refundable, p_released, p_claimed, a_released, a_claimed = self.chain.read(
            block,
            [
                Call("IERC20", self.contracts.usdt, "balanceOf", (self.contracts.reserve_vault,)),
                self.call("ReserveVault", "held"),
                self.call("ReserveVault", "accruedFees"),
                self.call("ReserveVault", "accruedCharity"),
                self.call("ReserveVault", "accruedGas"),
                self.call("ReserveVault", "refundableTotal"),
                self.call("PrizeVault", "totalReleased"),
                self.call("PrizeVault", "totalClaimed"),
                self.call("AffiliateVault", "totalReleased"),
                self.call("AffiliateVault", "totalClaimed"),
            ],
        )
        return Balances(
            balance_atoms=Atoms(balance),
            held_atoms=Atoms(held),
            accrued_fee_atoms=Atoms(fees),
            accrued_charity_atoms=Atoms(charity),
            accrued_gas_atoms=Atoms(gas),
            refundable_atoms=Atoms(refundable),
            prize_owed_atoms=Atoms(p_released - p_claimed),
            affiliate_owed_atoms=Atoms(a_released - a_claimed),
        )

    def require_settler(self, address: Wallet) -> None:
        """Raises: UsageError ``wrong_key`` unless the address is the SETTLER; InvalidInput ``settler_suspended`` while
        the guardian has suspended it."""
        acting, settler = self.read_settlers(self.chain.read_final_block())
        if settler == address and acting != address:
            raise InvalidInput(
                SUSPENDED,
                f"the guardian has suspended the SETTLER {address}: nothing is signed. Find out why; OWNER lifts it "
                f"(`contracts roles --lift {address}`), or names another key (`contracts roles --name settler 0x..`)",
            )
        if settler != address:
            who = "none: OWNER has removed it" if settler == ZERO_WALLET else f"{settler}: use its key"
            raise UsageError("wrong_key", f"the key belongs to {address}, but the contracts' SETTLER is {who}")

    def read_settlers(self, block: Block) -> tuple[Wallet, Wallet]:
        """Who acts as SETTLER, zero while suspended, and who holds the office, zero while it is empty."""
        number = OFFICES.index("settler")
        acting, holder = self.chain.read(block, [self.call("Roles", "settler"), self.call("Roles", "holderOf", number)])
        return parse_wallet(acting), parse_wallet(holder)

    def read_earliest_commit_s(self, block: Block, day_id: DayId) -> int:
        """The time of the day's earliest commit: the draw delay after the later of its close and its VRF request."""
        return int(self.chain.read(block, [self.call("SettlementV4", "earliestCommit", day_id)])[0])

    def read_challenge_period_s(self, block: Block) -> int:
        """Seconds between a commit and the earliest release."""
        return int(self.chain.read(block, [self.call("SettlementV4", "challengePeriod")])[0])

    def read_ticket_count(self, block: Block) -> int:
        """Tickets ever sold."""
        return int(self.chain.read(block, [self.call("GameManager", "sales")])[0][0])

    def read_affiliate_rates(self, block: Block, affiliates: Sequence[Wallet], day_id: DayId) -> dict[Wallet, Bps]:
        """The rates in force on a day, of all these affiliates. A rate is fixed before its day begins, so a later
        block tells the same."""
        rates: dict[Wallet, Bps] = {}
        for start in range(0, len(affiliates), _RATES_PER_CALL):
            part = list(affiliates[start : start + _RATES_PER_CALL])
            found = self.chain.read(block, [self.call("GameManager", "affiliateRatesOf", part, day_id)])[0]
            rates.update(zip(part, (Bps(rate) for rate in found), strict=True))
        return rates

    def read_record_at_head(self, day_id: DayId) -> DayRecord:
        """The day's record at the head: what is under way, never what counts."""
        return _day_record(self.chain.read_at_head(self.call("SettlementV4", "dayRecord", day_id)))

    def is_over_at_a_head(self, day_id: DayId) -> bool:
        """Whether either endpoint's newest block shows the day released or voided: one of them may lag."""
        call = self.call("SettlementV4", "dayRecord", day_id)
        heads = [_day_record(self.chain.read_at_head_of(endpoint, call)) for endpoint in self.chain.endpoints]
        return any(record.status in (RELEASED, VOIDED) for record in heads)

    def has_tips_at_head(self, day_id: DayId) -> bool:
        """Whether the head shows a tip of the day, final or not."""
        return bool(self.chain.read_at_head(self.call("GameManager", "hasTips", day_id)))

    def is_seed_requested_at_head(self, day_id: DayId) -> bool:
        """Whether the head shows a VRF request of the day, final or not."""
        _, requested_at_s, _ = self.chain.read_at_head(self.call("VRFReceiver", "requestOf", day_id))
        return bool(requested_at_s)

    def read_purchase_at_head(self, tx_hash: Hash32, buyer: Wallet, nonce: bytes) -> PurchasedTicket | None:
        """The purchase with this permit in a transaction, final or not; for display, never for money.

        None only when both endpoints say that there is none. Raises: Unavailable.
        """
        topic = codec("GameManager").topic("TicketPurchased")
        failure: Unavailable | None = None
        for endpoint in self.chain.endpoints:
            try:
                logs = self.chain.request_one(
                    endpoint, "eth_getTransactionReceipt", [hex_of(tx_hash)], _logs_of_receipt, may_be_null=True
                )
            except Unavailable as error:
                failure = error
                continue
            for log in logs:
                if log["address"] == self.contracts.game_manager and log["topics"][:1] == [topic]:
                    found = purchased_ticket(log, is_final=False)
                    if (found.ticket.buyer, found.nonce) == (buyer, nonce):
                        return found
        if failure is not None:
            raise failure
        return None

    def read_nonces_used(self, block: Block, permits: Sequence[tuple[Wallet, bytes]]) -> list[bool]:
        """Whether the permits of these (buyer, nonce) have bought a ticket."""
        used: list[bool] = []
        for start in range(0, len(permits), _NONCES_PER_CALL):
            part = permits[start : start + _NONCES_PER_CALL]
            used += self.chain.read(block, [self.call("GameManager", "nonceUsed", *permit) for permit in part])
        return used

    def first_block_at(self, timestamp_s: int, last: Block, first: int = 0) -> int:
        """The first block at or after a time, found by halving from ``first`` on; ``last.number + 1`` if none is."""
        low, high = first, last.number + 1
        while low < high:
            middle = (low + high) // 2
            if self.chain.read_block(middle).timestamp_s >= timestamp_s:
                high = middle
            else:
                low = middle + 1
        return low

    def read_ticket_pages(
        self, first: int, last: int, day_id: DayId | None = None
    ) -> Iterator[tuple[int, list[PurchasedTicket]]]:
        """TicketPurchased events in final blocks first..last, of one day or all: (last block, tickets) page by page."""
        topics: list[object] = [codec("GameManager").topic("TicketPurchased")]
        if day_id is not None:
            topics += [None, hex_of(day_id.to_bytes(32, "big"))]
        for stop, logs in self.chain.read_log_pages(self.contracts.game_manager, topics, first, last):
            yield stop, [purchased_ticket(log, is_final=True) for log in logs]

    def read_tickets_of_day(self, day_id: DayId, last: Block) -> Iterator[PurchasedTicket]:
        """All tickets of a day, from the chain alone, up to a final block."""
        first = self.first_block_at(day_start(day_id), last)
        stop = self.first_block_at(day_end(day_id), last, first) - 1
        for _, tickets in self.read_ticket_pages(first, stop, day_id):
            yield from tickets


def open_game(chain: ChainReader, settlement: Wallet) -> GameChain:
    """Find all contracts from the settlement's address and check that each stands there.

    Every command begins here, so each looks at the code anew.
    Raises: UsageError ``contract_unexpected`` when no SettlementV4 of ours stands at the address, or nothing at one
    that it names, ``wrong_token``; InvariantBroken ``code_differs`` when a partner's code is not ours,
    ``constants_differ``.
    """
    block = chain.read_final_block()
    code = chain.read_code(settlement, block)
    if not code:
        raise UsageError(
            "contract_unexpected",
            f"no contract stands at SETTLEMENT_ADDRESS {settlement} at final block {block.number}",
        )
    if not is_code_of("SettlementV4", code):
        raise UsageError(
            "contract_unexpected",
            f"the contract at SETTLEMENT_ADDRESS {settlement} is no SettlementV4 of this engine: its code is another",
        )
    wiring, first_day = chain.read(
        block,
        [Call("SettlementV4", settlement, "contracts"), Call("SettlementV4", settlement, "firstDay")],
    )
    contracts = Contracts(settlement, *(parse_wallet(address) for address in wiring))
    require_our_code(chain, block, contracts.ours())
    require_token(chain, block, contracts.usdt)
    constants = read_constants(chain, block, contracts.game_treasury)
    return GameChain(chain, contracts, DayId(first_day), constants)


def purchased_ticket(log: dict[str, Any], *, is_final: bool) -> PurchasedTicket:
    """A TicketPurchased log as the ticket that is stored."""
    fields = codec("GameManager").event("TicketPurchased", log)
    affiliate = parse_wallet(fields["affiliate"])
    return PurchasedTicket(
        ticket=Ticket(
            ticket_id=TicketId(fields["ticketId"]),
            day_id=DayId(fields["dayId"]),
            pool_id=PoolId(fields["poolId"]),
            buyer=parse_wallet(fields["buyer"]),
            paid_tips=fields["paidTips"],
            voucher_tips=fields["voucherTips"],
            affiliate=None if affiliate == ZERO_WALLET else affiliate,
            stake_atoms=Atoms(fields["stake"]),
            tips=fields["tips"],
        ),
        digest=Hash32(fields["digest"]),
        nonce=fields["nonce"],
        gas_cost_atoms=Atoms(fields["gasCostUsdt"]),
        tx_hash=wire.hash32(log["transactionHash"]),
        log_index=int(log["logIndex"], 16),
        block_number=int(log["blockNumber"], 16),
        block_hash=wire.hash32(log["blockHash"]),
        is_final=is_final,
    )


def _logs_of_receipt(answer: object) -> list[dict[str, Any]]:
    return [] if answer is None else wire.logs(wire.fields(answer).get("logs"))


def _day_record(values: tuple[Any, ...]) -> DayRecord:
    status, settlement_hash, run_hash, committed_at, released_at, takebacks = values
    return DayRecord(status, Hash32(settlement_hash), Hash32(run_hash), committed_at, released_at, takebacks)


_ATTRIBUTE: Final = {
    "SettlementV4": "settlement",
    "Roles": "roles",
    "GameManager": "game_manager",
    "GameTreasury": "game_treasury",
    "ReserveVault": "reserve_vault",
    "PrizeVault": "prize_vault",
    "AffiliateVault": "affiliate_vault",
    "CharityVault": "charity_vault",
    "VRFReceiver": "vrf_receiver",
    "ClaimRouter": "claim_router",
}
