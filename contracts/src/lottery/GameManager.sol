// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {
    AFFILIATE_DEFAULT_BPS,
    AFFILIATE_MAX_BPS,
    MAX_PAID_TIPS,
    MAX_TIPS,
    PRICE_0,
    PRICE_1,
    PRICE_2,
    PRICE_3,
    PRICE_4
} from "./GameConstants.sol";
import {GameTreasury} from "./GameTreasury.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {BuyPermit, ISettlement, MAX_LAG_DAYS, POOL_COUNT, PoolDay} from "./Types.sol";

/// @title GameManager
/// @notice Sells tickets. Every tip stands in an event and in a running digest per day and pool before any seed of the
///         day exists, so the tickets of a day can be rebuilt from the chain and none can be added afterwards.
contract GameManager is RoleBound, EIP712 {
    using Checkpoints for Checkpoints.Trace256;

    /// @notice EIP-712 type hash of `BuyPermit`.
    bytes32 public constant BUY_PERMIT_TYPEHASH = keccak256(
        "BuyPermit(address buyer,uint256 dayId,uint8 poolId,bytes32 tipsHash,uint8 paidTips,uint8 voucherTips,"
        "address affiliate,uint256 gasCostUsdt,uint64 deadline,bytes16 nonce)"
    );
    /// @notice Most that a relayed ticket may charge for gas, in atoms (5 USDT).
    uint256 public constant MAX_GAS_COST_USDT = 5_000_000;
    /// @notice Most gas for a contract wallet's check of a signature.
    uint256 public constant WALLET_CHECK_GAS = 200_000;
    /// @notice A new ruleset is announced at least so many days before its first day.
    uint256 public constant RULESET_NOTICE_DAYS = 7;
    /// @notice No ruleset is scheduled further ahead.
    uint256 public constant MAX_RULESET_DAYS = 366;
    /// @notice A rate that raises what an affiliate gets is set at least so many days ahead.
    uint256 public constant RAISE_NOTICE_DAYS = 3;
    /// @notice No rate is set further ahead.
    uint256 public constant MAX_RATE_DAYS = 30;
    /// @notice The first day is at most so many days after the deployment.
    uint256 public constant MAX_FIRST_DAY_AHEAD = 30;

    /// @notice Takes the money.
    ReserveVault public immutable reserveVault;
    /// @notice Knows the numbers of the game.
    GameTreasury public immutable gameTreasury;
    /// @notice Moves the window of days that are sold.
    address public immutable settlement;
    /// @notice Tips are six distinct numbers from 1 to this.
    uint8 public immutable numberMax;
    /// @notice No ticket is sold for an earlier day.
    uint256 public immutable firstDay;

    /// @notice How many `AffiliateRateSet` events there are: a reader can tell that he has them all.
    uint256 public affiliateRateCount;

    /// @dev One word: all that a purchase asks before it counts its ticket.
    struct Sales {
        uint64 ticketCount;
        uint64 nextDay;
        uint64 lastDay;
        bool paused;
    }

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

    /// @dev One word: spends the permit's nonce for ever and is the note for a refund. `stake` is what the player paid.
    struct Note {
        uint64 dayId;
        uint128 stake;
        bool refunded;
    }

    struct Rate {
        uint64 fromDay;
        uint16 rateBps;
    }

    struct WaitingRuleset {
        bytes32 hash;
        uint256 fromDay;
    }

    Sales private _sales;

    mapping(uint256 dayId => PackedPoolDay[5]) private _poolDays;
    mapping(address player => Binding) private _bindings;
    mapping(address buyer => mapping(bytes16 nonce => Note)) private _notes;
    mapping(address affiliate => Rate[]) private _rates;
    Checkpoints.Trace256 private _rulesets;
    WaitingRuleset private _waiting;

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
    event RulesetCancelled(bytes32 indexed rulesetHash, uint256 fromDay, address indexed by);
    event PurchasesPaused(address indexed by);
    event PurchasesUnpaused(address indexed by);

    error BadWiring();
    error BadFirstDay(uint256 firstDay);
    error NotReserveVault(address caller);
    error PurchasesArePaused();
    error NotBuyer(address caller);
    /// @dev A direct purchase has no gas cost and no vouchers.
    error DirectTermsOnly();
    error DeadlinePassed(uint256 deadline);
    error WrongDay(uint256 dayId, uint256 today);
    error NotOpenYet(uint256 firstDay);
    /// @dev Settling lags too far behind, or the contracts do not all stand yet.
    error SalesStopped(uint256 today, uint256 nextDay);
    error GameEnds(uint256 today, uint256 lastDay);
    error BadPool(uint256 poolId);
    error BadPaidTips(uint256 paidTips);
    error TooManyTips(uint256 tips);
    error WrongTipsLength(uint256 expected, uint256 given);
    error TipsHashMismatch();
    /// @dev The tip at `index` is not six numbers within range.
    error BadTip(uint256 index, uint64 mask);
    error GasCostTooHigh(uint256 gasCostUsdt);
    error NonceUsed(address buyer, bytes16 nonce);
    error UnknownNonce(address buyer, bytes16 nonce);
    error BadSignature();
    error SelfReferral();
    error RateTooHigh(uint256 rateBps);
    error TooEarly(uint256 fromDay, uint256 earliest);
    error TooFarAhead(uint256 fromDay, uint256 latest);
    error ZeroHash();
    error NoRulesetWaiting();

    constructor(
        Roles roles_,
        ReserveVault reserveVault_,
        GameTreasury gameTreasury_,
        uint256 firstDay_,
        bytes32 rulesetHash
    ) RoleBound(roles_) EIP712("BO-Engine", "1") {
        uint256 today = block.timestamp / 1 days;
        if (firstDay_ < today || firstDay_ > today + MAX_FIRST_DAY_AHEAD) revert BadFirstDay(firstDay_);
        if (rulesetHash == bytes32(0)) revert ZeroHash();
        if (reserveVault_.gameManager() != address(this)) revert BadWiring();
        reserveVault = reserveVault_;
        gameTreasury = gameTreasury_;
        settlement = roles_.settlement();
        numberMax = gameTreasury_.numberMax();
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
        if (!_isSignedBy(permit.buyer, permitDigest(permit), signature)) revert BadSignature();
        return _sell(permit, tips);
    }

    /// @notice Sells a ticket to the caller himself: no gas cost and no vouchers, so no key can shut him out.
    function buyTicket(BuyPermit calldata permit, bytes calldata tips) external returns (uint256 ticketId) {
        if (msg.sender != permit.buyer) revert NotBuyer(msg.sender);
        if (permit.gasCostUsdt != 0 || permit.voucherTips != 0) revert DirectTermsOnly();
        return _sell(permit, tips);
    }

    /// @dev ECDSA first: an account with EIP-7702 code still signs so.
    function _isSignedBy(address buyer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && signer == buyer) return true;
        if (buyer.code.length == 0) return false;
        (bool ok, bytes memory answer) = buyer.staticcall{gas: WALLET_CHECK_GAS}(
            abi.encodeCall(IERC1271.isValidSignature, (digest, signature))
        );
        return ok && answer.length >= 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }

    function _sell(BuyPermit calldata permit, bytes calldata tips) private returns (uint256 ticketId) {
        uint256 tipCount = _checkTerms(permit);
        _checkTips(permit.tipsHash, tips, tipCount);
        uint256 price = priceOf(permit.poolId);
        uint256 paid = price * permit.paidTips;
        uint256 vouchers = price * permit.voucherTips;
        Note storage note = _notes[permit.buyer][permit.nonce];
        if (note.stake != 0) revert NonceUsed(permit.buyer, permit.nonce);
        // At most 144 tips of 10 USDT.
        (note.dayId, note.stake) = (uint64(permit.dayId), uint128(paid));

        Sale memory sale;
        sale.stake = paid + vouchers;
        sale.affiliate = _bindAffiliate(permit.buyer, permit.affiliate);
        ticketId = ++_sales.ticketCount;
        sale.ticketId = ticketId;
        sale.digest = _count(permit, tipCount, sale);
        _announce(permit, tips, sale);
        // Money last: everything above is undone with it if a transfer fails.
        reserveVault.collect(permit.buyer, permit.dayId, paid, vouchers, permit.gasCostUsdt);
    }

    /// @dev Returns how many tips the ticket has.
    function _checkTerms(BuyPermit calldata permit) private view returns (uint256 tipCount) {
        Sales memory sales_ = _sales;
        if (sales_.paused) revert PurchasesArePaused();
        if (block.timestamp > permit.deadline) revert DeadlinePassed(permit.deadline);
        uint256 today = block.timestamp / 1 days;
        if (permit.dayId != today) revert WrongDay(permit.dayId, today);
        if (today < firstDay) revert NotOpenYet(firstDay);
        if (today > sales_.nextDay + MAX_LAG_DAYS) revert SalesStopped(today, sales_.nextDay);
        if (today > sales_.lastDay) revert GameEnds(today, sales_.lastDay);
        tipCount = uint256(permit.paidTips) + bonusTips(permit.paidTips) + permit.voucherTips;
        if (tipCount > MAX_TIPS) revert TooManyTips(tipCount);
    }

    function _checkTips(bytes32 tipsHash, bytes calldata tips, uint256 tipCount) private view {
        if (tips.length != 8 * tipCount) revert WrongTipsLength(8 * tipCount, tips.length);
        if (keccak256(tips) != tipsHash) revert TipsHashMismatch();
        uint256 range = numberMax;
        uint256 word;
        // Unchecked, because zero minus one wraps on purpose; nothing else can, with at most 255 tips.
        unchecked {
            for (uint256 i = 0; i < tipCount; ++i) {
                // Four tips at a time: a slice of calldata costs as much as the check of a tip.
                if (i % 4 == 0) word = uint256(bytes32(tips[8 * i:]));
                uint256 mask = word >> 192;
                word <<= 64;
                // Each step clears the lowest set bit; zero stays zero. So exactly six bits are set when something is
                // left after five steps and nothing after six.
                uint256 five = mask;
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                five &= five - 1;
                if (five == 0 || five & (five - 1) != 0 || mask >> range != 0) revert BadTip(i, uint64(mask));
            }
        }
    }

    /// @dev Adds the ticket to its pool's day and returns the new running digest.
    function _count(BuyPermit calldata permit, uint256 tipCount, Sale memory sale) private returns (bytes32 digest) {
        PackedPoolDay storage poolDay = _poolDays[permit.dayId][permit.poolId];
        PackedPoolDay memory sold = poolDay;
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
        sold.ticketCount += 1;
        sold.tipCount += uint64(tipCount);
        sold.stake += uint128(sale.stake);
        // Written together, because three of them share a word.
        (poolDay.ticketCount, poolDay.tipCount, poolDay.stake, poolDay.digest) =
            (sold.ticketCount, sold.tipCount, sold.stake, digest);
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
        // Asked of `settlement` directly: a new buyer pays for it.
        if (proposed != address(0) && ISettlement(settlement).isOurs(proposed)) revert AccountIsOurs(proposed);
        binding.bound = true;
        binding.affiliate = proposed;
        emit AffiliateBound(player, proposed);
        return proposed;
    }

    // ------------------------------------------------------------------------- partners

    /// @notice Moves the days that are sold: until `MAX_LAG_DAYS` after the oldest unsettled day, and until the last
    ///         day of the game.
    function setSaleWindow(uint64 nextDay, uint64 lastDay) external {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        (_sales.nextDay, _sales.lastDay) = (nextDay, lastDay);
    }

    /// @notice Marks a purchase's note as refunded and returns it; a stake of zero means that it was refunded before.
    function takeNote(address buyer, bytes16 nonce) external returns (uint256 dayId, uint256 stake) {
        if (msg.sender != address(reserveVault)) revert NotReserveVault(msg.sender);
        Note memory note = _notes[buyer][nonce];
        if (note.stake == 0) revert UnknownNonce(buyer, nonce);
        if (note.refunded) return (note.dayId, 0);
        _notes[buyer][nonce].refunded = true;
        return (note.dayId, note.stake);
    }

    // ------------------------------------------------------------------------- owner and guardian

    /// @notice Announces the ruleset (its hash) that rules from `fromDay` on, 7 to 366 days ahead and not before the
    ///         first day. One can wait; a new one takes its place.
    function scheduleRuleset(bytes32 rulesetHash, uint256 fromDay) external onlyOwner {
        if (rulesetHash == bytes32(0)) revert ZeroHash();
        uint256 today = block.timestamp / 1 days;
        uint256 earliest = today + RULESET_NOTICE_DAYS;
        // The days of past rulesets ascend, and the constructor's is the first day.
        if (earliest < firstDay) earliest = firstDay;
        if (fromDay < earliest) revert TooEarly(fromDay, earliest);
        if (fromDay > today + MAX_RULESET_DAYS) revert TooFarAhead(fromDay, today + MAX_RULESET_DAYS);
        WaitingRuleset memory waiting = _waiting;
        if (waiting.hash != bytes32(0) && waiting.fromDay <= today) {
            _rulesets.push(waiting.fromDay, uint256(waiting.hash));
        }
        _waiting = WaitingRuleset(rulesetHash, fromDay);
        emit RulesetScheduled(rulesetHash, fromDay);
    }

    /// @notice Takes a waiting ruleset back before its first day begins.
    function cancelRuleset() external onlyGuardianOrOwner {
        WaitingRuleset memory waiting = _waiting;
        if (waiting.hash == bytes32(0) || waiting.fromDay <= block.timestamp / 1 days) revert NoRulesetWaiting();
        delete _waiting;
        emit RulesetCancelled(waiting.hash, waiting.fromDay, msg.sender);
    }

    /// @notice Sets an affiliate's commission from a coming day on, in place of all his entries from that day on. At
    ///         most 30 days ahead; at least 3 if it raises a day's rate before that, else 1. So the rate of a day is that
    ///         of the last event with fromDay <= day.
    function setAffiliateRate(address affiliate, uint16 rateBps, uint256 fromDay) external onlyOwner {
        _requireOutside(affiliate);
        if (rateBps > AFFILIATE_MAX_BPS) revert RateTooHigh(rateBps);
        uint256 today = block.timestamp / 1 days;
        if (fromDay < today + 1) revert TooEarly(fromDay, today + 1);
        if (fromDay > today + MAX_RATE_DAYS) revert TooFarAhead(fromDay, today + MAX_RATE_DAYS);
        for (uint256 day = fromDay; day < today + RAISE_NOTICE_DAYS; ++day) {
            if (rateBps > affiliateRateOf(affiliate, day)) revert TooEarly(fromDay, today + RAISE_NOTICE_DAYS);
        }
        Rate[] storage rates = _rates[affiliate];
        while (rates.length > 0 && rates[rates.length - 1].fromDay >= fromDay) {
            rates.pop();
        }
        rates.push(Rate(SafeCast.toUint64(fromDay), rateBps));
        affiliateRateCount += 1;
        emit AffiliateRateSet(affiliate, rateBps, fromDay);
    }

    /// @notice Stops sales. Money that is already here is not touched by it.
    function pausePurchases() external onlyGuardian {
        _sales.paused = true;
        emit PurchasesPaused(msg.sender);
    }

    /// @notice Opens sales again.
    function unpausePurchases() external onlyGuardianOrOwner {
        _sales.paused = false;
        emit PurchasesUnpaused(msg.sender);
    }

    // ------------------------------------------------------------------------------------ reading

    /// @notice Tickets sold so far (the last one's id, because ids count from 1), the oldest unsettled day, the last day
    ///         of the game, and whether sales are paused.
    function sales() external view returns (uint256 ticketCount, uint256 nextDay, uint256 lastDay, bool paused) {
        Sales memory now_ = _sales;
        return (now_.ticketCount, now_.nextDay, now_.lastDay, now_.paused);
    }

    /// @notice A purchase by the nonce of its permit: its day, the stake that the player paid (zero if there is none),
    ///         and whether it was refunded.
    function noteOf(address buyer, bytes16 nonce) external view returns (uint256 dayId, uint256 stake, bool refunded) {
        Note memory note = _notes[buyer][nonce];
        return (note.dayId, note.stake, note.refunded);
    }

    /// @notice Whether a buyer's nonce is spent.
    function nonceUsed(address buyer, bytes16 nonce) external view returns (bool) {
        return _notes[buyer][nonce].stake != 0;
    }

    /// @notice The ruleset that waits for its first day; zeros if none does.
    function waitingRuleset() external view returns (bytes32 rulesetHash, uint256 fromDay) {
        WaitingRuleset memory waiting = _waiting;
        if (waiting.fromDay > block.timestamp / 1 days) return (waiting.hash, waiting.fromDay);
    }

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
        Rate[] storage rates = _rates[affiliate];
        for (uint256 i = rates.length; i > 0; --i) {
            if (rates[i - 1].fromDay <= dayId) return rates[i - 1].rateBps;
        }
        return AFFILIATE_DEFAULT_BPS;
    }

    /// @notice The hash of the ruleset of a day; zero before the first day.
    function rulesetHashOf(uint256 dayId) external view returns (bytes32) {
        WaitingRuleset memory waiting = _waiting;
        if (waiting.hash != bytes32(0) && waiting.fromDay <= dayId) return waiting.hash;
        return bytes32(_rulesets.upperLookup(dayId));
    }

    /// @notice What a player signs for `permit` (EIP-712 digest).
    function permitDigest(BuyPermit calldata permit) public view returns (bytes32) {
        // All fields are static, so the struct is encoded just like its fields one after the other.
        return _hashTypedDataV4(keccak256(abi.encode(BUY_PERMIT_TYPEHASH, permit)));
    }

    /// @notice Price of one tip in atoms.
    function priceOf(uint256 poolId) public pure returns (uint256) {
        if (poolId == 0) return PRICE_0;
        if (poolId == 1) return PRICE_1;
        if (poolId == 2) return PRICE_2;
        if (poolId == 3) return PRICE_3;
        if (poolId == 4) return PRICE_4;
        revert BadPool(poolId);
    }

    /// @notice Tips given on top of `paidTips` (1 to 144) paid ones.
    function bonusTips(uint256 paidTips) public pure returns (uint256) {
        if (paidTips == 0 || paidTips > MAX_PAID_TIPS) revert BadPaidTips(paidTips);
        return paidTips < 5 ? 0 : 3 + 4 * ((paidTips - 5) / 5);
    }
}
