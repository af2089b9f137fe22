// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BuyPermit, PoolState, Settlement, Split} from "../../src/Types.sol";
import {Base} from "../Base.sol";
import {ContractWallet} from "./ContractWallet.sol";

/// @notice What ought to be: a second bookkeeping beside the contracts, which never asks them for an amount. Every
///         account's balance, every pool, every day and every promise is followed here and compared after each step.
abstract contract Ledger is Base {
    uint256 internal constant PRIZES = 0;
    uint256 internal constant COMMISSIONS = 1;
    uint8 internal constant OPEN = 0;
    uint8 internal constant RELEASED = 2;
    uint8 internal constant VOIDED = 3;

    struct Leaf {
        address account;
        uint256 amount;
    }

    /// @dev What a day sold.
    struct Book {
        uint256[5] tickets;
        uint256[5] tips;
        uint256[5] stake;
        Split[5] split;
        bytes32[5] digest;
        address[] payers;
        bool sold;
    }

    /// @dev What a day's end promised in one claim vault. `isHonest`: the leaves add up to the total.
    struct Promise {
        Leaf[] leaves;
        bytes32 root;
        uint256 total;
        uint256 claimed;
        bool isHonest;
    }

    /// @dev Everything that one pool took in and gave away, in atoms.
    struct PoolSums {
        uint256 stakes;
        uint256 tiers;
        uint256 jackpots;
        uint256 fees;
        uint256 refunds;
    }

    // Accounts: who is known, and how much each must have.
    address[] internal everybody;
    mapping(address account => bool) internal isKnown;
    mapping(address account => uint256) internal due;
    mapping(address account => uint256) internal stray;
    mapping(address account => uint256) internal keyOf;
    address[] internal players;
    address[] internal affiliates;
    address internal thief = address(0xDEAD);
    ContractWallet internal wallet;

    // Sales.
    uint256 internal sold;
    uint256[] internal soldDays;
    mapping(uint256 dayId => Book) internal books;
    mapping(uint256 dayId => mapping(address payer => uint256)) internal spent;
    mapping(address player => bool) internal isBound;
    mapping(address player => address) internal boundTo;

    // Settling.
    uint256 internal next = FIRST_DAY;
    mapping(uint256 dayId => uint8) internal endedAs;
    mapping(uint256 dayId => uint256) internal committedAt;
    mapping(uint256 dayId => uint256) internal endedAt;
    mapping(uint256 dayId => uint256) internal vetoes;
    mapping(uint256 dayId => uint256) internal announcedAt;
    mapping(uint256 dayId => bytes32) internal openingHash;
    mapping(uint256 dayId => uint256) internal requestOf;
    mapping(uint256 dayId => bool) internal hasWord;
    mapping(uint256 dayId => uint256) internal wordOf;
    PoolState[5] internal pools;
    PoolSums[5] internal sums;
    uint256 internal fees;
    uint256 internal charity;

    // Claims, per vault (PRIZES, COMMISSIONS).
    mapping(uint256 vault => mapping(uint256 dayId => Promise)) internal promises;
    mapping(uint256 vault => mapping(uint256 dayId => mapping(address account => bool))) internal isPaid;
    uint256[2] internal released;
    uint256[2] internal claimed;

    function setUp() public virtual override {
        super.setUp();
        wallet = new ContractWallet(vm.addr(PLAYER_KEY));
        for (uint256 i = 0; i < 4; ++i) {
            _join(vm.addr(PLAYER_KEY + i), PLAYER_KEY + i);
        }
        _join(address(wallet), PLAYER_KEY);
        affiliates = [address(0xAF01), address(0xAF02), players[0]];
        address[13] memory others = [
            promotions,
            feeReceiver,
            gasSafe,
            thief,
            affiliates[0],
            affiliates[1],
            address(reserve),
            address(prizes),
            address(commissions),
            address(charityVault),
            address(game),
            address(settlement),
            address(router)
        ];
        for (uint256 i = 0; i < others.length; ++i) _meet(others[i]);
        openingHash[FIRST_DAY] = keccak256(abi.encode(pools));
    }

    function _join(address account, uint256 key) private {
        // The base has given money to the first player already.
        if (account != player) _fund(account);
        keyOf[account] = key;
        players.push(account);
        _meet(account);
    }

    /// @dev From now on the account's balance is followed.
    function _meet(address account) internal {
        if (isKnown[account]) return;
        isKnown[account] = true;
        everybody.push(account);
        due[account] = usdt.balanceOf(account);
    }

    function _moved(address from, address to, uint256 amount) internal {
        require(due[from] >= amount, "nobody pays what he does not have");
        due[from] -= amount;
        due[to] += amount;
    }

    function _today() internal view returns (uint256) {
        return block.timestamp / 1 days;
    }

    function _hasTips(uint256 day) internal view returns (bool) {
        return books[day].sold;
    }

    function _stakeOf(uint256 day) internal view returns (uint256 stake) {
        for (uint256 p = 0; p < 5; ++p) stake += books[day].stake[p];
    }

    function _feeOf(uint256 day) internal view returns (uint256 fee) {
        for (uint256 p = 0; p < 5; ++p) fee += books[day].split[p].fee;
    }

    // ------------------------------------------------------------------------------------- entries

    /// @dev Rules 2.1, 2.3, 2.4 and 2.8, written down a second time.
    function _bookSale(BuyPermit memory permit, uint256 tipCount) internal {
        uint256[5] memory prices = [uint256(250_000), 500_000, 1_000_000, 5_000_000, 10_000_000];
        uint256 paid = prices[permit.poolId] * permit.paidTips;
        uint256 voucher = prices[permit.poolId] * permit.voucherTips;
        if (!isBound[permit.buyer]) {
            isBound[permit.buyer] = true;
            boundTo[permit.buyer] = permit.affiliate;
        }
        Book storage book = books[permit.dayId];
        if (!book.sold) {
            book.sold = true;
            soldDays.push(permit.dayId);
        }
        ++sold;
        book.tickets[permit.poolId] += 1;
        book.tips[permit.poolId] += tipCount;
        book.digest[permit.poolId] = _digest(book.digest[permit.poolId], permit, paid + voucher);
        _bookStake(book, permit.poolId, paid + voucher);
        _spend(permit.dayId, permit.buyer, paid);
        _spend(permit.dayId, promotions, voucher);
        _moved(permit.buyer, gasSafe, permit.gasCostUsdt);
    }

    function _digest(bytes32 before, BuyPermit memory permit, uint256 stake) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                before,
                sold,
                permit.buyer,
                uint256(permit.paidTips),
                uint256(permit.voucherTips),
                boundTo[permit.buyer],
                stake,
                permit.tipsHash
            )
        );
    }

    function _bookStake(Book storage book, uint256 p, uint256 stake) private {
        uint256 fee = stake * 11 / 40;
        uint256 rollover = stake / 20;
        uint256 jackpot = (stake - fee - rollover) * 2 / 5;
        book.stake[p] += stake;
        book.split[p].fee += fee;
        book.split[p].rollover += rollover;
        book.split[p].jackpot += jackpot;
        book.split[p].pot += stake - fee - rollover - jackpot;
        sums[p].stakes += stake;
    }

    function _spend(uint256 day, address payer, uint256 amount) private {
        if (amount == 0) return;
        if (spent[day][payer] == 0) books[day].payers.push(payer);
        spent[day][payer] += amount;
        _moved(payer, address(reserve), amount);
    }

    /// @dev Rules 2.5 to 2.7 and 2.9. The promises are noted by the caller.
    function _bookRelease(Settlement memory s) internal {
        Book storage book = books[s.dayId];
        for (uint256 p = 0; p < 5; ++p) {
            Split storage part = book.split[p];
            PoolState storage pool = pools[p];
            pool.carry = pool.carry + pool.lastRollover + part.pot - s.poolPayout[p];
            pool.reserve = pool.reserve + part.jackpot - s.poolJackpotPayout[p];
            pool.lastRollover = part.rollover;
            if (s.poolJackpotPayout[p] != 0) pool.streak = 0;
            else if (book.tips[p] != 0) ++pool.streak;
            sums[p].tiers += s.poolPayout[p];
            sums[p].jackpots += s.poolJackpotPayout[p];
            sums[p].fees += part.fee;
        }
        fees += _feeOf(s.dayId) - s.affiliateTotal - s.charityTotal;
        charity += s.charityTotal;
        _bookEnd(s.dayId, RELEASED);
        _moved(address(reserve), address(prizes), s.totalPayout);
        _moved(address(reserve), address(commissions), s.affiliateTotal);
        released[PRIZES] += s.totalPayout;
        released[COMMISSIONS] += s.affiliateTotal;
    }

    /// @dev Everybody's stake goes back; yesterday's rollover stays in the pool.
    function _bookVoid(uint256 day) internal {
        uint256 stake = _stakeOf(day);
        for (uint256 p = 0; p < 5; ++p) {
            pools[p].carry += pools[p].lastRollover;
            pools[p].lastRollover = 0;
            sums[p].refunds += books[day].stake[p];
        }
        _bookEnd(day, VOIDED);
        _moved(address(reserve), address(prizes), stake);
        released[PRIZES] += stake;
    }

    function _bookEnd(uint256 day, uint8 how) private {
        require(day == next, "no day is skipped or ends twice");
        endedAs[day] = how;
        endedAt[day] = block.timestamp;
        next = day + 1;
        openingHash[next] = keccak256(abi.encode(pools));
    }

    function _bookClaim(uint256 vault, uint256 day, Leaf memory leaf) internal {
        require(!isPaid[vault][day][leaf.account], "an account claims a day once");
        isPaid[vault][day][leaf.account] = true;
        promises[vault][day].claimed += leaf.amount;
        claimed[vault] += leaf.amount;
        _moved(vault == PRIZES ? address(prizes) : address(commissions), leaf.account, leaf.amount);
    }
}
