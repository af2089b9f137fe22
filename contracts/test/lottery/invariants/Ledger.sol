// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PoolState} from "../../../src/lottery/Types.sol";
import {Powers} from "./Powers.sol";

/// @notice What ought to be: a second set of books beside the contracts, which never asks them for an amount. Every
///         account's balance, every ticket, pool, day and promise is followed here and compared after each move.
abstract contract Ledger is Powers {
    uint8 internal constant RELEASED = 2;
    uint8 internal constant VOIDED = 3;

    struct Leaf {
        address account;
        uint256 amount;
    }

    struct Ticket {
        address buyer;
        bytes16 nonce;
        uint256 day;
        uint256 paid;
        bool isRefunded;
    }

    /// @dev What a day sold, and what of it was refunded.
    struct Book {
        bool isSold;
        uint256[5] tickets;
        uint256[5] tips;
        uint256[5] stake;
        bytes32[5] digest;
        uint256 vouchers;
        address voucherPayer;
        bool areVouchersRefunded;
        uint256 refunded;
    }

    /// @dev What a released day promises in one claim vault. `isHonest`: the leaves add up to the total.
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
        uint256 voided;
        uint256 ended;
    }

    // Accounts: who is known, and how much each must have.
    address[] internal everybody;
    mapping(address account => bool) internal isMet;
    mapping(address account => uint256) internal due;
    mapping(address account => uint256) internal keyOf;
    address[] internal players;
    address[] internal affiliates;
    address internal thief = address(0xDEAD);
    uint256 internal tokenFeeBps;

    // Money in ReserveVault: what is owed, and what it holds beyond that.
    uint256 internal owed;
    uint256 internal gifts;
    uint256 internal fees;
    uint256 internal charity;
    uint256 internal gasCosts;
    uint256 internal refundable;

    // Sales.
    Ticket[] internal tickets;
    mapping(address buyer => uint256[]) internal ticketsOf;
    uint256[] internal soldDays;
    mapping(uint256 dayId => Book) internal books;
    mapping(address player => bool) internal isBound;
    mapping(address player => address) internal boundTo;

    // Days.
    uint256 internal next = FIRST_DAY;
    mapping(uint256 dayId => uint8) internal endedAs;
    mapping(uint256 dayId => uint256) internal committedAt;
    mapping(uint256 dayId => bytes32) internal committedHash;
    mapping(uint256 dayId => uint256) internal endedAt;
    mapping(uint256 dayId => uint256) internal takebacks;
    mapping(uint256 dayId => bytes32) internal openingHash;
    mapping(uint256 dayId => uint256) internal requestOf;
    mapping(uint256 dayId => uint256) internal requestedAt;
    mapping(uint256 dayId => bool) internal hasWord;
    mapping(uint256 dayId => uint256) internal wordOf;
    PoolState[5] internal pools;
    PoolSums[5] internal sums;

    // Claims, per vault (PRIZES, COMMISSIONS).
    mapping(uint256 vault => mapping(uint256 dayId => Promise)) internal promises;
    mapping(uint256 vault => mapping(uint256 dayId => mapping(address account => bool))) internal isPaid;
    uint256[2] internal released;
    uint256[2] internal claimed;

    function setUp() external {
        _deploy(holder, feeReceiver, gasSafe);
        rules.push(Rule(RULESET, FIRST_DAY));
        openingHash[FIRST_DAY] = keccak256(abi.encode(pools));
        for (uint256 i = 0; i < 4; ++i) _join(vm.addr(KEY + i), KEY + i);
        _join(address(wallet), KEY);
        affiliates = [address(0xAF01), address(0xAF02), players[0]];
        for (uint256 i = 0; i < 5; ++i) _meetHolder(holder[i]);
        _fund(_promotions());
        _meetAll([feeReceiver, gasSafe, thief, affiliates[0], affiliates[1], HEIR, charities[0], charities[1]]);
        _meetAll(
            [
                address(reserve),
                address(charityVault),
                address(endReceiver),
                address(prizes),
                address(commissions),
                address(game),
                address(settlement),
                usdt.COLLECTOR()
            ]
        );
    }

    function _join(address account, uint256 key) private {
        keyOf[account] = key;
        players.push(account);
        _meet(account);
        _fund(account);
    }

    function _meetAll(address[8] memory accounts) private {
        for (uint256 i = 0; i < 8; ++i) _meet(accounts[i]);
    }

    /// @dev From now on the account's balance is followed.
    function _meet(address account) internal {
        if (isMet[account]) return;
        isMet[account] = true;
        everybody.push(account);
        due[account] = usdt.balanceOf(account);
    }

    /// @dev From now on the account's suspension is followed, too.
    function _meetHolder(address account) internal {
        _meet(account);
        for (uint256 i = 0; i < known.length; ++i) if (known[i] == account) return;
        known.push(account);
    }

    /// @dev Money, and the approval that every player gives.
    function _fund(address account) internal {
        usdt.mint(account, 1e15);
        due[account] += 1e15;
        vm.prank(account);
        usdt.approve(address(reserve), type(uint256).max);
    }

    // ------------------------------------------------------------------------------------- entries

    function _moved(address from, address to, uint256 amount) internal {
        require(due[from] >= amount, "an account pays more than it has");
        uint256 fee = amount * tokenFeeBps / 10_000;
        due[from] -= amount;
        due[to] += amount - fee;
        due[usdt.COLLECTOR()] += fee;
    }

    function _tookIn(address from, uint256 amount) internal {
        owed += amount;
        _moved(from, address(reserve), amount);
    }

    /// @dev A debt is paid. What is paid to ReserveVault itself is owed no more.
    function _paidOut(address to, uint256 amount) internal {
        owed -= amount;
        _moved(address(reserve), to, amount);
        if (to == address(reserve)) gifts += amount - amount * tokenFeeBps / 10_000;
    }

    // ------------------------------------------------------------------------------------- reading

    function _hasTips(uint256 day) internal view returns (bool) {
        return books[day].isSold;
    }

    function _stakeOf(uint256 day) internal view returns (uint256 stake) {
        for (uint256 p = 0; p < 5; ++p) stake += books[day].stake[p];
    }

    function _feeOf(uint256 day) internal view returns (uint256) {
        return _stakeOf(day) * 11 / 40;
    }

    /// @dev A commit waits to be released.
    function _isPending() internal view returns (bool) {
        return committedAt[next] != 0;
    }
}
