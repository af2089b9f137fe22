"""The contracts and the engine compute the same: permit, digest, split, draw, leaf, settlement and state hashes.

One real anvil for the file; players sign with eth_account, as wallets do, and not with the contract's own digest.
"""

import secrets
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

import abi
from bo_engine.keccak import keccak256
from bo_engine.units import (
    POOL_IDS,
    ZERO_HASH,
    ZERO_WALLET,
    Atoms,
    DayId,
    Hash32,
    TicketId,
    Wallet,
    day_end,
    day_start,
    parse_wallet,
)
from core.deployment.creations import create_address
from core.deployment.terms import RoleWallets
from core.lottery.bundle import SettlementStruct, settlement_hash, state_hash
from core.lottery.draw import draw_numbers, draw_seed
from core.lottery.game_constants import constants_hash, differences
from core.lottery.model import Deployment, PoolState, Seeds, Ticket
from core.lottery.ruleset import RULESET_1, ruleset_hash
from core.lottery.tickets import bonus_tips, next_digest, split_stake, stake_of
from core.lottery.tips import mask_of, pack_masks
from io_layer.lottery.contracts.constants import built_constants
from local_world import processes
from local_world.chain import CHAIN_ID, start_chain
from local_world.lottery.deploy import (
    DeployedContracts,
    LocalSender,
    contract_at,
    deploy_contracts,
    fulfil_vrf,
)
from merkle.leaf import leaf_domain, leaf_hash

DAY = DayId(20_500)
NUMBER_MAX = 38
PERMIT_TYPES = {
    "BuyPermit": [
        {"name": "buyer", "type": "address"},
        {"name": "dayId", "type": "uint256"},
        {"name": "poolId", "type": "uint8"},
        {"name": "tipsHash", "type": "bytes32"},
        {"name": "paidTips", "type": "uint8"},
        {"name": "voucherTips", "type": "uint8"},
        {"name": "affiliate", "type": "address"},
        {"name": "gasCostUsdt", "type": "uint256"},
        {"name": "deadline", "type": "uint64"},
        {"name": "nonce", "type": "bytes16"},
    ]
}


@dataclass(frozen=True)
class Here:
    """A deployment on a chain of its own."""

    w3: Web3
    chain: Any
    deployed: DeployedContracts
    owner: LocalAccount
    relayer: LocalAccount
    settler: LocalAccount
    player: LocalAccount

    def at(self, name: str, address: Wallet) -> Any:
        return contract_at(self.w3, name, address)

    def send(self, account: LocalAccount, call: Any) -> Any:
        sender = LocalSender(self.w3, account)
        return sender.wait(sender.send_call(call))


@pytest.fixture
def here(deployment: Here) -> Iterator[Here]:
    """The deployment on its first day, as if no other test had run."""
    name = deployment.chain.snapshot()
    yield deployment
    deployment.chain.revert(name)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    chain = start_chain(tmp_path_factory.mktemp("chain"), genesis_s=day_start(DAY))
    try:
        w3 = Web3(HTTPProvider(chain.url, exception_retry_configuration=None))
        owner, guardian, relayer, settler, promotions, player, fee, gas, charity, heir = (
            Account.from_key(secrets.token_bytes(32)) for _ in range(10)
        )
        for account in (owner, relayer, settler, promotions, player):
            chain.fund(account.address)
        wallets = [parse_wallet(account.address) for account in (owner, guardian, relayer, settler, promotions)]
        deployed = deploy_contracts(
            w3,
            owner,
            roles=RoleWallets(*wallets),
            number_max=NUMBER_MAX,
            first_day=DAY,
            ruleset_hash=ruleset_hash(RULESET_1),
            challenge_period_s=600,
            fee_receiver=parse_wallet(fee.address),
            gas_safe=parse_wallet(gas.address),
            charity=parse_wallet(charity.address),
            heir=parse_wallet(heir.address),
        )
        world = Here(w3, chain, deployed, owner, relayer, settler, player)
        usdt = world.at("TestUSDT", deployed.usdt)
        for account in (player, promotions):
            world.send(account, usdt.functions.mint(account.address, 10**12))
            spender = Web3.to_checksum_address(deployed.reserve_vault)
            world.send(account, usdt.functions.approve(spender, 2**256 - 1))
        yield world
    finally:
        processes.end(chain.process)


def permit_for(here: Here, tips: bytes, *, pool: int, paid: int, voucher: int, affiliate: Wallet) -> dict[str, Any]:
    return {
        "buyer": here.player.address,
        "dayId": DAY,
        "poolId": pool,
        "tipsHash": keccak256(tips),
        "paidTips": paid,
        "voucherTips": voucher,
        "affiliate": Web3.to_checksum_address(affiliate),
        "gasCostUsdt": 40_000,
        "deadline": day_end(DAY),
        "nonce": secrets.token_bytes(16),
    }


def sign_permit(here: Here, permit: dict[str, Any]) -> bytes:
    domain = {
        "name": "BO-Engine",
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": Web3.to_checksum_address(here.deployed.game_manager),
    }
    signed = here.player.sign_typed_data(domain_data=domain, message_types=PERMIT_TYPES, message_data=permit)
    return bytes(signed.signature)


def buy(here: Here, *, pool: int, paid: int, voucher: int = 0) -> tuple[Ticket, Any]:
    """Relay a purchase that the player signed; the ticket as the engine would have it, and the event's arguments."""
    affiliate = parse_wallet("0x" + "af" * 20)
    count = paid + bonus_tips(paid) + voucher
    masks = [mask_of(secrets.SystemRandom().sample(range(1, 39), 6), NUMBER_MAX) for _ in range(count)]
    tips = pack_masks(masks)
    permit = permit_for(here, tips, pool=pool, paid=paid, voucher=voucher, affiliate=affiliate)
    game = here.at("GameManager", here.deployed.game_manager)
    call = game.functions.buyTicketFor(tuple(permit.values()), tips, sign_permit(here, permit))
    (event,) = game.events.TicketPurchased().process_receipt(here.send(here.relayer, call), errors=DISCARD)
    ticket = Ticket(
        ticket_id=TicketId(event["args"]["ticketId"]),
        day_id=DAY,
        pool_id=POOL_IDS[pool],
        buyer=parse_wallet(here.player.address),
        paid_tips=paid,
        voucher_tips=voucher,
        affiliate=affiliate,
        stake_atoms=stake_of(RULESET_1, POOL_IDS[pool], paid, voucher),
        tips=tips,
    )
    return ticket, event["args"]


def close_with_word(here: Here) -> int:
    """Close the day, request its word and answer the request; returns the word."""
    receiver = here.at("VRFReceiver", here.deployed.vrf_receiver)
    here.chain.advance_to(day_end(DAY))
    here.send(here.player, receiver.functions.requestSeed(DAY))
    return fulfil_vrf(here.w3, here.deployed, here.settler, DAY)


def test_wallets_sign_what_the_contract_checks_and_digests_and_splits_agree(here: Here) -> None:
    """Rules 2.3, 2.4, 2.8 and 3.1, over two pools and with voucher tips."""
    digests = dict.fromkeys(POOL_IDS, ZERO_HASH)
    stakes = dict.fromkeys(POOL_IDS, 0)
    for pool, paid, voucher in ((0, 1, 0), (3, 7, 2), (0, 144, 0), (3, 5, 0)):
        ticket, shown = buy(here, pool=pool, paid=paid, voucher=voucher)
        assert shown["stake"] == ticket.stake_atoms
        assert shown["tips"] == ticket.tips
        digests[ticket.pool_id] = next_digest(digests[ticket.pool_id], ticket)
        assert shown["digest"] == digests[ticket.pool_id]
        stakes[ticket.pool_id] += ticket.stake_atoms
    sold = here.at("GameManager", here.deployed.game_manager).functions.poolDays(DAY).call()
    assert [bytes(pool_day[3]) for pool_day in sold] == list(digests.values())
    treasury = here.at("GameTreasury", here.deployed.game_treasury)
    ours = [astuple(split_stake(RULESET_1, stake)) for stake in stakes.values()]
    assert [tuple(split) for split in treasury.functions.splitStakes(list(stakes.values())).call()] == ours
    for stake in (0, 1, 19, 999_983, 10**12 + 7):
        assert tuple(treasury.functions.splitStake(stake).call()) == astuple(split_stake(RULESET_1, stake))


def test_the_game_constants_are_those_of_abi_and_of_ruleset_1_and_so_is_their_hash(here: Here) -> None:
    treasury = here.at("GameTreasury", here.deployed.game_treasury)
    constants = built_constants(NUMBER_MAX)
    assert tuple(_plain(value) for value in treasury.functions.constants().call()) == astuple(constants)
    assert treasury.functions.constantsHash().call() == constants_hash(constants)
    assert differences(replace(RULESET_1, number_max=NUMBER_MAX), constants) == []


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def test_a_forged_permit_is_named_in_words(here: Here) -> None:
    game = here.at("GameManager", here.deployed.game_manager)
    tips = pack_masks([mask_of((1, 2, 3, 4, 5, 6), NUMBER_MAX)])
    permit = permit_for(here, tips, pool=0, paid=1, voucher=0, affiliate=ZERO_WALLET)
    signature = sign_permit(here, permit)
    permit["gasCostUsdt"] += 1
    call = game.functions.buyTicketFor(tuple(permit.values()), tips, signature)
    with pytest.raises(ContractCustomError) as refused:
        call.call({"from": here.relayer.address})
    assert abi.decode_error(bytes.fromhex(str(refused.value.data)[2:])) == "BadSignature()"


@pytest.mark.parametrize("number_max", range(6, 50))
def test_the_draw_is_the_contracts_draw_for_every_range(here: Here, number_max: int) -> None:
    """Rule 3.5: forty seeds for each range, so 1,760 draws in all."""
    settlement = here.at("SettlementV4", here.deployed.settlement)
    for _ in range(40):
        seed = Hash32(secrets.token_bytes(32))
        assert tuple(settlement.functions.drawNumbers(seed, number_max).call()) == draw_numbers(seed, number_max)


def test_a_leaf_is_the_vaults_leaf(here: Here) -> None:
    """Rule 5.1."""
    for name, address in (("PrizeVault", here.deployed.prize_vault), ("AffiliateVault", here.deployed.affiliate_vault)):
        vault = here.at(name, address)
        domain = leaf_domain(CHAIN_ID, address)
        assert vault.functions.leafDomain().call() == domain
        for amount in (1, 999_999, 2**256 - 1):
            wallet = parse_wallet("0x" + secrets.token_hex(20))
            leaf = vault.functions.leafOf(DAY, Web3.to_checksum_address(wallet), amount).call()
            assert leaf == leaf_hash(domain, DAY, wallet, Atoms(amount))


def test_the_winning_numbers_of_a_day_come_from_both_seeds(here: Here) -> None:
    """Rules 3.3 to 3.5, with a word of the system's randomness."""
    settlement = here.at("SettlementV4", here.deployed.settlement)
    buy(here, pool=1, paid=1)
    word = close_with_word(here)
    deployment = Deployment(
        CHAIN_ID,
        here.deployed.settlement,
        here.deployed.game_manager,
        here.deployed.prize_vault,
        here.deployed.affiliate_vault,
    )
    seeds = Seeds(word, 0, 77, b"", Hash32(secrets.token_bytes(32)))
    shown = settlement.functions.winningNumbers(DAY, seeds.drand_round, seeds.drand_randomness).call()
    expected = [draw_numbers(draw_seed(deployment, DAY, pool, seeds), NUMBER_MAX) for pool in POOL_IDS]
    assert [tuple(numbers) for numbers in shown] == expected


def test_settlement_and_state_hashes_are_the_contracts_hashes(here: Here) -> None:
    """Rule 4.5: what the engine signs is what the contract stores."""
    settlement = here.at("SettlementV4", here.deployed.settlement)
    buy(here, pool=0, paid=1)
    buy(here, pool=3, paid=5)
    close_with_word(here)
    here.chain.advance_to(settlement.functions.earliestCommit(DAY).call())
    empty = tuple(PoolState(Atoms(0), Atoms(0), Atoms(0), 0) for _ in POOL_IDS)
    assert settlement.functions.openingStateHash(DAY).call() == state_hash(empty)
    hit = (True, False, False, False, False)
    affiliate_root = Hash32(b"\2" * 32)
    run_hash = Hash32(b"\3" * 32)
    struct = SettlementStruct(
        DAY, (5, 0, 0, 7, 0), (3, 0, 0, 0, 0), 15, Hash32(b"\1" * 32), hit, 11, affiliate_root, 13, run_hash
    )
    here.chain.advance_to(settlement.functions.earliestCommit(DAY).call())
    here.send(here.settler, settlement.functions.commitMerkleSettlement(tuple(struct)))
    assert settlement.functions.settlementHash(DAY).call() == settlement_hash(struct)


def test_create_addresses_are_the_chains_at_every_length_of_nonce(here: Here) -> None:
    """Two published addresses, and the chain's own answer at each length of an RLP number."""
    deployer = parse_wallet("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert create_address(deployer, 0) == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert create_address(deployer, 1) == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"
    for nonce in (0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000):
        account = Account.from_key(secrets.token_bytes(32))
        here.chain.fund(account.address)
        here.chain.call("anvil_setNonce", account.address, hex(nonce))
        sender = LocalSender(here.w3, account)
        receipt = sender.wait(sender.send_creation("TestUSDT", ()))
        created = parse_wallet(str(receipt["contractAddress"]))
        assert created == create_address(parse_wallet(account.address), nonce)
