// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AffiliateVault} from "./AffiliateVault.sol";
import {CharityVault} from "./CharityVault.sol";
import {ClaimRouter} from "./ClaimRouter.sol";
import {ClaimVault} from "./ClaimVault.sol";
import {DrawLib} from "./DrawLib.sol";
import {GameManager} from "./GameManager.sol";
import {GameTreasury} from "./GameTreasury.sol";
import {PrizeVault} from "./PrizeVault.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {
    BPS_ONE,
    DayRecord,
    JACKPOT_PAYOUT_BPS,
    POOL_COUNT,
    PoolDay,
    PoolState,
    Settlement,
    Split,
    Wiring
} from "./Types.sol";
import {VRFReceiver} from "./VRFReceiver.sol";

/// @title SettlementV4
/// @notice Settles days in order, each one once. A commit moves nothing: it waits for the challenge period, in which
///         the guardian may veto it; then anyone may release it, and only then money, roots and state move. So a
///         stolen settler key pays nobody.
contract SettlementV4 is RoleBound {
    uint8 public constant STATUS_NONE = 0;
    uint8 public constant STATUS_COMMITTED = 1;
    uint8 public constant STATUS_RELEASED = 2;
    uint8 public constant STATUS_VOIDED = 3;
    /// @notice A day whose VRF word is missing so long after its close may be voided.
    uint256 public constant VOID_AFTER_MISSING_WORD = 3 days;
    /// @notice Any unreleased day may be voided so long after its close, if announced.
    uint256 public constant VOID_AFTER_CLOSE = 30 days;
    /// @notice An announced void waits at least so long.
    uint256 public constant VOID_NOTICE = 7 days;
    /// @notice Longer challenge periods would only delay winners.
    uint256 public constant MAX_CHALLENGE_PERIOD = 7 days;

    /// @notice The first day that is settled.
    uint256 public immutable firstDay;
    /// @notice Seconds between a commit and its earliest release.
    uint256 public immutable challengePeriod;

    address private immutable _usdt;
    GameManager private immutable _gameManager;
    GameTreasury private immutable _gameTreasury;
    ReserveVault private immutable _reserveVault;
    PrizeVault private immutable _prizeVault;
    AffiliateVault private immutable _affiliateVault;
    CharityVault private immutable _charityVault;
    VRFReceiver private immutable _vrfReceiver;
    ClaimRouter private immutable _claimRouter;

    /// @notice The oldest day that is neither released nor voided; the only one that can be committed or voided.
    uint256 public nextDay;
    /// @notice keccak256(abi.encode(PoolState[5])) of the opening state of a day, once that day is next.
    mapping(uint256 dayId => bytes32) public openingStateHash;
    /// @notice When a void was announced (unix seconds); zero if never.
    mapping(uint256 dayId => uint256) public voidAnnouncedAt;

    mapping(uint256 dayId => DayRecord) private _records;
    PoolState[5] private _state;

    event DayCommitted(uint256 indexed dayId, bytes32 indexed runHash, bytes32 settlementHash, Settlement s);
    event DayVetoed(uint256 indexed dayId, bytes32 settlementHash, string reason);
    event DayReleased(uint256 indexed dayId, bytes32 settlementHash, PoolState[5] closing);
    event VoidAnnounced(uint256 indexed dayId, uint256 announcedAt);
    event DayVoided(uint256 indexed dayId, bytes32 refundRoot, uint256 refundTotal, PoolState[5] closing);

    /// @dev A contract of the deployment names another partner than the one given here.
    error BadWiring();
    error BadChallengePeriod(uint256 seconds_);
    error NotNextDay(uint256 dayId, uint256 nextDay);
    error DayNotClosed(uint256 dayId);
    error AlreadyCommitted(uint256 dayId);
    error NotCommitted(uint256 dayId);
    error ChallengePeriodRuns(uint256 until);
    error WrongSettlement(bytes32 expected, bytes32 given);
    error SeedMissing(uint256 dayId);
    error PoolPayoutAboveBudget(uint256 poolId, uint256 payout, uint256 budget);
    error JackpotAboveReserve(uint256 poolId, uint256 payout, uint256 limit);
    error JackpotHitMismatch(uint256 poolId);
    /// @dev A pool that sold nothing has nobody to pay.
    error PayoutWithoutTips(uint256 poolId);
    error TotalMismatch(uint256 sum, uint256 given);
    error FeeExceeded(uint256 affiliateAndCharity, uint256 fee);
    /// @dev A root is zero exactly when its total is.
    error RootTotalMismatch(bytes32 root, uint256 total);
    error ZeroRunHash();
    error AlreadyAnnounced(uint256 dayId);
    error VoidNotAllowedYet(uint256 dayId);
    error WrongRefundTotal(uint256 stake, uint256 given);

    /// @param w All addresses; each contract is asked whether it names the same partners.
    /// @param challengePeriod_ Seconds, above zero.
    constructor(Wiring memory w, uint256 challengePeriod_) RoleBound(Roles(w.roles)) {
        if (challengePeriod_ == 0 || challengePeriod_ > MAX_CHALLENGE_PERIOD) {
            revert BadChallengePeriod(challengePeriod_);
        }
        challengePeriod = challengePeriod_;
        _usdt = w.usdt;
        _gameManager = GameManager(w.gameManager);
        _gameTreasury = GameTreasury(w.gameTreasury);
        _reserveVault = ReserveVault(w.reserveVault);
        _prizeVault = PrizeVault(w.prizeVault);
        _affiliateVault = AffiliateVault(w.affiliateVault);
        _charityVault = CharityVault(w.charityVault);
        _vrfReceiver = VRFReceiver(w.vrfReceiver);
        _claimRouter = ClaimRouter(w.claimRouter);
        _checkGameWiring(w);
        _checkVaultWiring(w);

        uint256 first = GameManager(w.gameManager).firstDay();
        firstDay = first;
        nextDay = first;
        openingStateHash[first] = keccak256(abi.encode(_state));
    }

    // ------------------------------------------------------------------------------------- settling

    /// @notice Commits the next day's result. Moves nothing; it can be released after the challenge period.
    function commitMerkleSettlement(Settlement calldata s) external onlySettler {
        _requireNext(s.dayId);
        DayRecord storage record = _records[s.dayId];
        if (record.status != STATUS_NONE) revert AlreadyCommitted(s.dayId);
        _check(s);
        bytes32 hash = keccak256(abi.encode(s));
        record.status = STATUS_COMMITTED;
        record.settlementHash = hash;
        record.runHash = s.runHash;
        record.committedAt = uint64(block.timestamp);
        emit DayCommitted(s.dayId, s.runHash, hash, s);
    }

    /// @notice Takes back a commit that is not released. Also possible after the challenge period, so that a stalled
    ///         sequencer cannot eat the guardian's time.
    function veto(uint256 dayId, string calldata reason) external onlyGuardian {
        DayRecord storage record = _records[dayId];
        if (record.status != STATUS_COMMITTED) revert NotCommitted(dayId);
        emit DayVetoed(dayId, record.settlementHash, reason);
        record.status = STATUS_NONE;
        record.settlementHash = bytes32(0);
        record.runHash = bytes32(0);
        record.committedAt = 0;
        record.vetoes += 1;
    }

    /// @notice Carries out a commit whose challenge period is over: state, roots and money. Anyone may call.
    function release(Settlement calldata s) external {
        DayRecord storage record = _records[s.dayId];
        if (record.status != STATUS_COMMITTED) revert NotCommitted(s.dayId);
        bytes32 hash = keccak256(abi.encode(s));
        if (hash != record.settlementHash) revert WrongSettlement(record.settlementHash, hash);
        uint256 until = record.committedAt + challengePeriod;
        if (block.timestamp < until) revert ChallengePeriodRuns(until);

        record.status = STATUS_RELEASED;
        record.releasedAt = uint64(block.timestamp);
        uint256 fee = _close(s);
        emit DayReleased(s.dayId, hash, _state);

        _prizeVault.setRoot(s.dayId, s.merkleRoot, s.totalPayout);
        _affiliateVault.setRoot(s.dayId, s.affiliateRoot, s.affiliateTotal);
        _reserveVault.accrue(s.dayId, fee - s.affiliateTotal - s.charityTotal, s.charityTotal);
        _reserveVault.payOut(s.dayId, s.totalPayout, s.affiliateTotal);
    }

    /// @notice Announces that a closed, unreleased day may be voided for its age. Once per day.
    function announceVoid(uint256 dayId) external onlyOwner {
        if (dayId < nextDay) revert NotNextDay(dayId, nextDay);
        if (!_closedSince(dayId, 0)) revert DayNotClosed(dayId);
        if (voidAnnouncedAt[dayId] != 0) revert AlreadyAnnounced(dayId);
        voidAnnouncedAt[dayId] = block.timestamp;
        emit VoidAnnounced(dayId, block.timestamp);
    }

    /// @notice Gives a day's whole stake back: 3 days after its close while its VRF word is missing, or 30 days after
    ///         its close when announced 7 days before. The day counts as released.
    /// @param dayId The next day, without a pending commit.
    /// @param refundRoot Root of the refunds, as leaves of PrizeVault.
    /// @param refundTotal The day's stake, in atoms.
    function voidDay(uint256 dayId, bytes32 refundRoot, uint256 refundTotal) external onlyOwner {
        _requireNext(dayId);
        DayRecord storage record = _records[dayId];
        if (record.status != STATUS_NONE) revert AlreadyCommitted(dayId);
        if (!_voidable(dayId)) revert VoidNotAllowedYet(dayId);
        uint256 stake = _stakeOf(dayId);
        if (refundTotal != stake) revert WrongRefundTotal(stake, refundTotal);
        _checkRoot(refundRoot, refundTotal);

        record.status = STATUS_VOIDED;
        record.releasedAt = uint64(block.timestamp);
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            // Yesterday's rollover stays in the pool; today's goes back with the stake.
            _state[p].carry += _state[p].lastRollover;
            _state[p].lastRollover = 0;
        }
        _advance(dayId);
        emit DayVoided(dayId, refundRoot, refundTotal, _state);

        _prizeVault.setRoot(dayId, refundRoot, refundTotal);
        _affiliateVault.setRoot(dayId, bytes32(0), 0);
        _reserveVault.payOut(dayId, refundTotal, 0);
    }

    // ------------------------------------------------------------------------------------ reading

    /// @notice All addresses of this deployment.
    function contracts() external view returns (Wiring memory) {
        return Wiring({
            usdt: _usdt,
            roles: address(roles),
            gameManager: address(_gameManager),
            gameTreasury: address(_gameTreasury),
            reserveVault: address(_reserveVault),
            prizeVault: address(_prizeVault),
            affiliateVault: address(_affiliateVault),
            charityVault: address(_charityVault),
            vrfReceiver: address(_vrfReceiver),
            claimRouter: address(_claimRouter)
        });
    }

    /// @notice Where a day stands.
    function dayRecord(uint256 dayId) external view returns (DayRecord memory) {
        return _records[dayId];
    }

    /// @notice keccak256(abi.encode(s)) of a committed or released day; zero otherwise.
    function settlementHash(uint256 dayId) external view returns (bytes32) {
        return _records[dayId].settlementHash;
    }

    /// @notice Money and streaks at the opening of `nextDay`.
    function openingState() external view returns (PoolState[5] memory) {
        return _state;
    }

    /// @notice Whether the owner may void the day now (apart from a pending commit).
    function voidable(uint256 dayId) external view returns (bool) {
        return dayId == nextDay && _voidable(dayId);
    }

    /// @notice The five pools' winning numbers of a day, in the order drawn, from its stored VRF word and a beacon.
    ///         The caller answers for the beacon: verify its signature first.
    function winningNumbers(uint256 dayId, uint64 drandRound, bytes32 drandRandomness)
        external
        view
        returns (uint8[6][5] memory numbers)
    {
        (bool fulfilled, uint256 word) = _vrfReceiver.wordOf(dayId);
        if (!fulfilled) revert SeedMissing(dayId);
        uint8 numberMax = _gameManager.numberMax();
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            numbers[p] = DrawLib.draw(drawSeed(dayId, p, word, drandRound, drandRandomness), numberMax);
        }
    }

    /// @notice The seed of one pool's draw.
    function drawSeed(uint256 dayId, uint256 poolId, uint256 vrfWord, uint64 drandRound, bytes32 drandRandomness)
        public
        view
        returns (bytes32)
    {
        return DrawLib.seedOf(address(this), dayId, poolId, vrfWord, drandRound, drandRandomness);
    }

    /// @notice Six of the numbers 1 to `numberMax`, in the order drawn.
    function drawNumbers(bytes32 seed, uint8 numberMax) external pure returns (uint8[6] memory) {
        return DrawLib.draw(seed, numberMax);
    }

    // ------------------------------------------------------------------------------------ checks

    function _requireNext(uint256 dayId) private view {
        if (dayId != nextDay) revert NotNextDay(dayId, nextDay);
        if (!_closedSince(dayId, 0)) revert DayNotClosed(dayId);
    }

    /// @dev True if the day ended at least `age` seconds ago.
    function _closedSince(uint256 dayId, uint256 age) private view returns (bool) {
        // Written as a division, because a hostile day id must not overflow.
        return block.timestamp >= age && (block.timestamp - age) / 1 days > dayId;
    }

    function _voidable(uint256 dayId) private view returns (bool) {
        if (_closedSince(dayId, VOID_AFTER_MISSING_WORD) && _gameManager.hasTips(dayId) && !_hasWord(dayId)) {
            return true;
        }
        uint256 announcedAt = voidAnnouncedAt[dayId];
        return _closedSince(dayId, VOID_AFTER_CLOSE) && announcedAt != 0
            && block.timestamp >= announcedAt + VOID_NOTICE;
    }

    function _hasWord(uint256 dayId) private view returns (bool fulfilled) {
        (fulfilled,) = _vrfReceiver.wordOf(dayId);
    }

    function _stakeOf(uint256 dayId) private view returns (uint256 stake) {
        PoolDay[5] memory sold = _gameManager.poolDays(dayId);
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            stake += sold[p].stake;
        }
    }

    function _check(Settlement calldata s) private view {
        if (s.runHash == bytes32(0)) revert ZeroRunHash();
        PoolDay[5] memory sold = _gameManager.poolDays(s.dayId);
        Split[5] memory split = _gameTreasury.splits(s.dayId);
        uint256 tips;
        uint256 fee;
        uint256 payout;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            _checkPool(s, p, sold[p].tipCount, split[p]);
            tips += sold[p].tipCount;
            fee += split[p].fee;
            payout += s.poolPayout[p] + s.poolJackpotPayout[p];
        }
        if (tips != 0 && !_hasWord(s.dayId)) revert SeedMissing(s.dayId);
        if (payout != s.totalPayout) revert TotalMismatch(payout, s.totalPayout);
        if (s.affiliateTotal > fee || s.charityTotal > fee - s.affiliateTotal) {
            unchecked {
                revert FeeExceeded(s.affiliateTotal + s.charityTotal, fee);
            }
        }
        _checkRoot(s.merkleRoot, s.totalPayout);
        _checkRoot(s.affiliateRoot, s.affiliateTotal);
    }

    function _checkPool(Settlement calldata s, uint256 p, uint256 tipCount, Split memory split) private view {
        uint256 payout = s.poolPayout[p];
        uint256 jackpot = s.poolJackpotPayout[p];
        if (s.jackpotHit[p] != (jackpot > 0)) revert JackpotHitMismatch(p);
        if (tipCount == 0 && (payout > 0 || jackpot > 0)) revert PayoutWithoutTips(p);
        PoolState storage state = _state[p];
        uint256 budget = state.carry + state.lastRollover + split.pot;
        if (payout > budget) revert PoolPayoutAboveBudget(p, payout, budget);
        uint256 limit = (state.reserve + split.jackpot) * JACKPOT_PAYOUT_BPS / BPS_ONE;
        if (jackpot > limit) revert JackpotAboveReserve(p, jackpot, limit);
    }

    function _checkRoot(bytes32 root, uint256 total) private pure {
        if ((root == bytes32(0)) != (total == 0)) revert RootTotalMismatch(root, total);
    }

    // ------------------------------------------------------------------------------------ state

    /// @dev Moves the pools' state over a released day and returns the day's fee.
    function _close(Settlement calldata s) private returns (uint256 fee) {
        PoolDay[5] memory sold = _gameManager.poolDays(s.dayId);
        Split[5] memory split = _gameTreasury.splits(s.dayId);
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            PoolState storage state = _state[p];
            state.carry = state.carry + state.lastRollover + split[p].pot - s.poolPayout[p];
            state.reserve = state.reserve + split[p].jackpot - s.poolJackpotPayout[p];
            state.lastRollover = split[p].rollover;
            if (s.poolJackpotPayout[p] > 0) state.streak = 0;
            else if (sold[p].tipCount > 0) state.streak += 1;
            fee += split[p].fee;
        }
        _advance(s.dayId);
    }

    function _advance(uint256 dayId) private {
        nextDay = dayId + 1;
        openingStateHash[dayId + 1] = keccak256(abi.encode(_state));
    }

    // ------------------------------------------------------------------------------------ wiring

    function _checkGameWiring(Wiring memory w) private view {
        GameManager game = GameManager(w.gameManager);
        ReserveVault reserve = ReserveVault(w.reserveVault);
        VRFReceiver vrf = VRFReceiver(w.vrfReceiver);
        if (
            address(game.roles()) != w.roles || address(game.reserveVault()) != w.reserveVault
                || address(game.gameTreasury()) != w.gameTreasury || address(reserve.roles()) != w.roles
                || address(reserve.usdt()) != w.usdt || reserve.settlement() != address(this)
                || reserve.prizeVault() != w.prizeVault || reserve.affiliateVault() != w.affiliateVault
                || reserve.charityVault() != w.charityVault || address(vrf.roles()) != w.roles
                || address(vrf.gameManager()) != w.gameManager
        ) revert BadWiring();
    }

    function _checkVaultWiring(Wiring memory w) private view {
        _checkClaimVault(ClaimVault(w.prizeVault), w);
        _checkClaimVault(ClaimVault(w.affiliateVault), w);
        CharityVault charity = CharityVault(w.charityVault);
        ClaimRouter router = ClaimRouter(w.claimRouter);
        if (
            w.prizeVault == w.affiliateVault || address(charity.roles()) != w.roles
                || address(charity.usdt()) != w.usdt || router.prizeVault() != w.prizeVault
                || router.affiliateVault() != w.affiliateVault
        ) revert BadWiring();
    }

    function _checkClaimVault(ClaimVault vault, Wiring memory w) private view {
        if (
            address(vault.roles()) != w.roles || address(vault.usdt()) != w.usdt || vault.settlement() != address(this)
        ) revert BadWiring();
    }
}
