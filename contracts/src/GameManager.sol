// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {GameTreasury} from "./GameTreasury.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {BuyPermit, MAX_NUMBER_MAX, MIN_NUMBER_MAX, POOL_COUNT, PoolDay} from "./Types.sol";

/// @title GameManager
/// @notice Sells tickets. Every tip stands in an event and in a running digest per day and pool before any seed of the
///         day exists, so the day's tickets can be rebuilt from the chain and nobody can add one afterwards.
contract GameManager is RoleBound, EIP712 {
    using Checkpoints for Checkpoints.Trace256;

    /// @notice EIP-712 type hash of `BuyPermit`.
    bytes32 public constant BUY_PERMIT_TYPEHASH = keccak256(
        "BuyPermit(address buyer,uint256 dayId,uint8 poolId,bytes32 tipsHash,uint8 paidTips,uint8 voucherTips,"
        "address affiliate,uint256 gasCostUsdt,uint64 deadline,bytes16 nonce)"
    );
    /// @notice Most paid tips on one ticket.
    uint256 public constant MAX_PAID_TIPS = 144;
    /// @notice Most tips on one ticket, bonus and voucher tips included.
    uint256 public constant MAX_TIPS = 255;
    /// @notice Most that a relayed ticket may charge for gas, in atoms (5 USDT).
    uint256 public constant MAX_GAS_COST_USDT = 5_000_000;
    /// @notice Highest commission, in basis points.
    uint256 public constant MAX_AFFILIATE_RATE_BPS = 1_000;
    /// @notice Commission while no other rate is set, in basis points.
    uint256 public constant DEFAULT_AFFILIATE_RATE_BPS = 500;
    /// @notice A new ruleset is announced at least so many days before its first day.
    uint256 public constant RULESET_NOTICE_DAYS = 7;
    /// @notice Nothing is scheduled further ahead, so that a slip of the pen can be put right within a year.
    uint256 public constant MAX_SCHEDULE_DAYS = 366;

    /// @notice Takes the money.
    ReserveVault public immutable reserveVault;
    /// @notice Keeps the split.
    GameTreasury public immutable gameTreasury;
    /// @notice Tips are six distinct numbers from 1 to this.
    uint8 public immutable numberMax;
    /// @notice No ticket is sold for an earlier day.
    uint256 public immutable firstDay;

    /// @notice Tickets sold so far; the last ticket's id, because ids count from 1.
    uint256 public ticketCount;
    /// @notice How many `AffiliateRateSet` events there are: a reader can tell that he has them all.
    uint256 public affiliateRateCount;
    /// @notice True while no tickets are sold.
    bool public purchasesPaused;
    /// @notice Whether a buyer's nonce is spent.
    mapping(address buyer => mapping(bytes16 nonce => bool)) public nonceUsed;

    /// @dev Two words: counts and stake share one. 64 bits of tickets and 128 bits of atoms cannot overflow.
    struct PackedPoolDay {
        uint64 ticketCount;
        uint64 tipCount;
        uint128 stake;
        bytes32 digest;
    }

    /// @dev What a purchase computes, in memory, because the event has more fields than the stack has room.
    struct Sale {
        uint256 ticketId;
        uint256 stake;
        address affiliate;
        bytes32 digest;
    }

    struct Binding {
        bool bound;
        address affiliate;
    }

    mapping(uint256 dayId => PackedPoolDay[5]) private _poolDays;
    mapping(address player => Binding) private _bindings;
    mapping(address affiliate => Checkpoints.Trace256) private _rates;
    Checkpoints.Trace256 private _rulesets;

    /// @notice A sold ticket, complete. `digest` is the pool's running digest after it.
    event TicketPurchased(
        uint256 indexed ticketId,
        uint256 indexed dayId,
        address indexed buyer,
        uint8 poolId,
        uint8 paidTips,
        uint8 voucherTips,
        address affiliate,
        uint256 stake,
        uint256 gasCostUsdt,
        bytes16 nonce,
        bytes tips,
        bytes32 digest
    );
    /// @notice A player's affiliate, bound for ever at his first purchase; zero means none.
    event AffiliateBound(address indexed player, address indexed affiliate);
    event AffiliateRateSet(address indexed affiliate, uint256 rateBps, uint256 fromDay);
    event RulesetScheduled(bytes32 indexed rulesetHash, uint256 fromDay);
    event PurchasesPaused(address indexed by);
    event PurchasesUnpaused(address indexed by);

    error BadNumberMax(uint256 numberMax);
    error BadWiring();
    error PurchasesArePaused();
    error NotBuyer(address caller);
    /// @dev A direct purchase has no gas cost and no vouchers.
    error DirectTermsOnly();
    error DeadlinePassed(uint256 deadline);
    error WrongDay(uint256 dayId, uint256 today);
    error NotOpenYet(uint256 firstDay);
    error BadPool(uint256 poolId);
    error BadPaidTips(uint256 paidTips);
    error TooManyTips(uint256 tips);
    error WrongTipsLength(uint256 expected, uint256 given);
    error TipsHashMismatch();
    /// @dev The tip at `index` is not six numbers within range.
    error BadTip(uint256 index, uint64 mask);
    error GasCostTooHigh(uint256 gasCostUsdt);
    error NonceUsed(address buyer, bytes16 nonce);
    error BadSignature();
    error SelfReferral();
    error RateTooHigh(uint256 rateBps);
    error TooEarly(uint256 fromDay, uint256 earliest);
    error TooFarAhead(uint256 fromDay, uint256 latest);
    error ZeroHash();

    constructor(
        Roles roles_,
        ReserveVault reserveVault_,
        GameTreasury gameTreasury_,
        uint8 numberMax_,
        uint256 firstDay_,
        bytes32 rulesetHash
    ) RoleBound(roles_) EIP712("BO-Engine", "1") {
        if (numberMax_ < MIN_NUMBER_MAX || numberMax_ > MAX_NUMBER_MAX) revert BadNumberMax(numberMax_);
        if (rulesetHash == bytes32(0)) revert ZeroHash();
        if (reserveVault_.gameManager() != address(this) || gameTreasury_.gameManager() != address(this)) {
            revert BadWiring();
        }
        reserveVault = reserveVault_;
        gameTreasury = gameTreasury_;
        numberMax = numberMax_;
        firstDay = firstDay_;
        _rulesets.push(firstDay_, uint256(rulesetHash));
        emit RulesetScheduled(rulesetHash, firstDay_);
    }

    // ------------------------------------------------------------------------------------- buying

    /// @notice Sells a ticket that the player signed. The signature may be a contract wallet's (EIP-1271).
    /// @param permit What the player agreed to.
    /// @param tips The masks of all tips (paid, bonus, voucher) as big-endian uint64s; bit n-1 stands for number n.
    /// @param signature The player's EIP-712 signature of `permit`.
    function buyTicketFor(BuyPermit calldata permit, bytes calldata tips, bytes calldata signature)
        external
        onlyRelayer
        returns (uint256 ticketId)
    {
        if (permit.gasCostUsdt > MAX_GAS_COST_USDT) revert GasCostTooHigh(permit.gasCostUsdt);
        if (!SignatureChecker.isValidSignatureNowCalldata(permit.buyer, permitDigest(permit), signature)) {
            revert BadSignature();
        }
        return _sell(permit, tips);
    }

    /// @notice Sells a ticket to the caller himself: no gas cost and no vouchers, and nobody can shut him out.
    function buyTicket(BuyPermit calldata permit, bytes calldata tips) external returns (uint256 ticketId) {
        if (msg.sender != permit.buyer) revert NotBuyer(msg.sender);
        if (permit.gasCostUsdt != 0 || permit.voucherTips != 0) revert DirectTermsOnly();
        return _sell(permit, tips);
    }

    function _sell(BuyPermit calldata permit, bytes calldata tips) private returns (uint256 ticketId) {
        uint256 tipCount = _checkTerms(permit);
        _checkTips(permit.tipsHash, tips, tipCount);
        if (nonceUsed[permit.buyer][permit.nonce]) revert NonceUsed(permit.buyer, permit.nonce);
        nonceUsed[permit.buyer][permit.nonce] = true;

        uint256 price = priceOf(permit.poolId);
        Sale memory sale;
        sale.stake = price * (uint256(permit.paidTips) + permit.voucherTips);
        sale.affiliate = _bindAffiliate(permit.buyer, permit.affiliate);
        ticketId = ++ticketCount;
        sale.ticketId = ticketId;
        sale.digest = _count(permit, tipCount, sale);
        _announce(permit, tips, sale);
        gameTreasury.record(permit.dayId, permit.poolId, sale.stake);
        // Money last: everything above is undone with it if a transfer fails.
        reserveVault.collect(permit.buyer, price * permit.paidTips, price * permit.voucherTips, permit.gasCostUsdt);
    }

    /// @dev Returns how many tips the ticket has.
    function _checkTerms(BuyPermit calldata permit) private view returns (uint256 tipCount) {
        if (purchasesPaused) revert PurchasesArePaused();
        if (block.timestamp > permit.deadline) revert DeadlinePassed(permit.deadline);
        uint256 today = block.timestamp / 1 days;
        if (permit.dayId != today) revert WrongDay(permit.dayId, today);
        if (today < firstDay) revert NotOpenYet(firstDay);
        tipCount = uint256(permit.paidTips) + bonusTips(permit.paidTips) + permit.voucherTips;
        if (tipCount > MAX_TIPS) revert TooManyTips(tipCount);
    }

    function _checkTips(bytes32 tipsHash, bytes calldata tips, uint256 tipCount) private view {
        if (tips.length != 8 * tipCount) revert WrongTipsLength(8 * tipCount, tips.length);
        if (keccak256(tips) != tipsHash) revert TipsHashMismatch();
        uint256 range = numberMax;
        for (uint256 i = 0; i < tipCount; ++i) {
            uint64 mask = uint64(bytes8(tips[8 * i:8 * i + 8]));
            uint256 five = mask;
            uint256 six;
            // Each step clears the lowest set bit; zero stays zero. So exactly six bits are set when something is left
            // after five steps and nothing after six.
            unchecked {
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                six = five & (five - 1);
            }
            if (five == 0 || six != 0 || mask >> range != 0) revert BadTip(i, mask);
        }
    }

    /// @dev Adds the ticket to its pool's day and returns the new running digest.
    function _count(BuyPermit calldata permit, uint256 tipCount, Sale memory sale) private returns (bytes32 digest) {
        PackedPoolDay storage sold = _poolDays[permit.dayId][permit.poolId];
        sold.ticketCount += 1;
        sold.tipCount += uint64(tipCount);
        sold.stake += uint128(sale.stake);
        digest = keccak256(
            abi.encode(
                sold.digest,
                sale.ticketId,
                permit.buyer,
                permit.paidTips,
                permit.voucherTips,
                sale.affiliate,
                sale.stake,
                permit.tipsHash
            )
        );
        sold.digest = digest;
    }

    function _announce(BuyPermit calldata permit, bytes calldata tips, Sale memory sale) private {
        emit TicketPurchased(
            sale.ticketId,
            permit.dayId,
            permit.buyer,
            permit.poolId,
            permit.paidTips,
            permit.voucherTips,
            sale.affiliate,
            sale.stake,
            permit.gasCostUsdt,
            permit.nonce,
            tips,
            sale.digest
        );
    }

    /// @dev The first purchase decides for ever; what later permits say about an affiliate is ignored.
    function _bindAffiliate(address player, address proposed) private returns (address) {
        Binding storage binding = _bindings[player];
        if (binding.bound) return binding.affiliate;
        if (proposed == player) revert SelfReferral();
        binding.bound = true;
        binding.affiliate = proposed;
        emit AffiliateBound(player, proposed);
        return proposed;
    }

    // ------------------------------------------------------------------------- owner and guardian

    /// @notice Announces the ruleset (its hash) that rules from `fromDay` on. At least seven days ahead, never before
    ///         an already announced one; the same day again replaces it.
    function scheduleRuleset(bytes32 rulesetHash, uint256 fromDay) external onlyOwner {
        if (rulesetHash == bytes32(0)) revert ZeroHash();
        _checkSchedule(fromDay, RULESET_NOTICE_DAYS);
        _rulesets.push(fromDay, uint256(rulesetHash));
        emit RulesetScheduled(rulesetHash, fromDay);
    }

    /// @notice Sets an affiliate's commission from a coming day on. Never before an already set day of the same
    ///         affiliate; the same day again replaces it. So "the last with fromDay <= day" is the rate in force.
    function setAffiliateRate(address affiliate, uint16 rateBps, uint256 fromDay) external onlyOwner {
        if (affiliate == address(0)) revert ZeroAddress();
        if (rateBps > MAX_AFFILIATE_RATE_BPS) revert RateTooHigh(rateBps);
        _checkSchedule(fromDay, 1);
        affiliateRateCount += 1;
        // One more than the rate, because zero means "never set".
        _rates[affiliate].push(fromDay, uint256(rateBps) + 1);
        emit AffiliateRateSet(affiliate, rateBps, fromDay);
    }

    /// @notice Stops sales. Money that is already here is not touched by it.
    function pausePurchases() external onlyGuardian {
        purchasesPaused = true;
        emit PurchasesPaused(msg.sender);
    }

    /// @notice Opens sales again.
    function unpausePurchases() external onlyGuardianOrOwner {
        purchasesPaused = false;
        emit PurchasesUnpaused(msg.sender);
    }

    function _checkSchedule(uint256 fromDay, uint256 noticeDays) private view {
        uint256 today = block.timestamp / 1 days;
        if (fromDay < today + noticeDays) revert TooEarly(fromDay, today + noticeDays);
        if (fromDay > today + MAX_SCHEDULE_DAYS) revert TooFarAhead(fromDay, today + MAX_SCHEDULE_DAYS);
    }

    // ------------------------------------------------------------------------------------ reading

    /// @notice What the five pools sold on a day.
    function poolDays(uint256 dayId) external view returns (PoolDay[5] memory result) {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            PackedPoolDay storage sold = _poolDays[dayId][p];
            result[p] = PoolDay({
                ticketCount: sold.ticketCount,
                tipCount: sold.tipCount,
                stake: sold.stake,
                digest: sold.digest
            });
        }
    }

    /// @notice Whether the day sold any tip, and so needs seeds.
    function hasTips(uint256 dayId) external view returns (bool) {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            if (_poolDays[dayId][p].tipCount != 0) return true;
        }
        return false;
    }

    /// @notice A player's affiliate. `bound` is false before his first purchase.
    function affiliateOf(address player) external view returns (bool bound, address affiliate) {
        Binding storage binding = _bindings[player];
        return (binding.bound, binding.affiliate);
    }

    /// @notice The commissions of many affiliates on purchases of a day, in their order, in basis points.
    function affiliateRatesOf(address[] calldata affiliates, uint256 dayId)
        external
        view
        returns (uint256[] memory ratesBps)
    {
        ratesBps = new uint256[](affiliates.length);
        for (uint256 i = 0; i < affiliates.length; ++i) {
            ratesBps[i] = affiliateRateOf(affiliates[i], dayId);
        }
    }

    /// @notice An affiliate's commission on purchases of a day, in basis points.
    function affiliateRateOf(address affiliate, uint256 dayId) public view returns (uint256 rateBps) {
        uint256 stored = _rates[affiliate].upperLookup(dayId);
        return stored == 0 ? DEFAULT_AFFILIATE_RATE_BPS : stored - 1;
    }

    /// @notice The hash of the ruleset of a day; zero before the first day.
    function rulesetHashOf(uint256 dayId) external view returns (bytes32) {
        return bytes32(_rulesets.upperLookup(dayId));
    }

    /// @notice What a player signs for `permit` (EIP-712 digest).
    function permitDigest(BuyPermit calldata permit) public view returns (bytes32) {
        // All fields are static, so the struct is encoded just like its fields one after the other.
        return _hashTypedDataV4(keccak256(abi.encode(BUY_PERMIT_TYPEHASH, permit)));
    }

    /// @notice Price of one tip in atoms.
    function priceOf(uint256 poolId) public pure returns (uint256) {
        if (poolId == 0) return 250_000;
        if (poolId == 1) return 500_000;
        if (poolId == 2) return 1_000_000;
        if (poolId == 3) return 5_000_000;
        if (poolId == 4) return 10_000_000;
        revert BadPool(poolId);
    }

    /// @notice Tips given on top of `paidTips` (1 to 144) paid ones.
    function bonusTips(uint256 paidTips) public pure returns (uint256) {
        if (paidTips == 0 || paidTips > MAX_PAID_TIPS) revert BadPaidTips(paidTips);
        return paidTips < 5 ? 0 : 3 + 4 * ((paidTips - 5) / 5);
    }
}
