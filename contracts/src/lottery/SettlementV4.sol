// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DrawLib} from "./DrawLib.sol";
import {DRAW_DELAY, JACKPOT_PAYOUT_BPS} from "./GameConstants.sol";
import {GameManager} from "./GameManager.sol";
import {SettlementWiring} from "./SettlementWiring.sol";
import {
    BPS_ONE,
    DayRecord,
    IEndReceiver,
    ISettlement,
    POOL_COUNT,
    PoolDay,
    PoolState,
    Settlement,
    Split,
    Wiring
} from "./Types.sol";

/// @title SettlementV4
/// @notice Settles days in order, each one once. A commit moves nothing: it waits for the challenge period, and until
///         its release it can be vetoed or taken back; then anyone may release it, and only then roots and state move.
///         A day that is not settled is voided, after which its buyers are refunded by ReserveVault. The game can end,
///         and then the pools' money leaves. No state waits for one key alone.
contract SettlementV4 is SettlementWiring {
    using SafeCast for uint256;

    uint8 public constant STATUS_NONE = 0;
    uint8 public constant STATUS_COMMITTED = 1;
    uint8 public constant STATUS_RELEASED = 2;
    uint8 public constant STATUS_VOIDED = 3;
    /// @notice A day without tips may be voided by anyone so long after its close.
    uint256 public constant VOID_EMPTY_AFTER = 24 hours;
    /// @notice A day whose VRF word is missing may be voided by OWNER so long after its close ..
    uint256 public constant VOID_WORDLESS_BY_OWNER_AFTER = 3 days;
    /// @notice .. and by anyone so long after it ..
    uint256 public constant VOID_WORDLESS_AFTER = 7 days;
    /// @notice .. but not while its request is younger than this: Chainlink may still answer.
    uint256 public constant VRF_PATIENCE = 24 hours;
    /// @notice Any day may be voided by anyone so long after its close.
    uint256 public constant VOID_AFTER = 30 days;
    /// @notice Bounds of the challenge period.
    uint256 public constant MIN_CHALLENGE_PERIOD = 600 seconds;
    uint256 public constant MAX_CHALLENGE_PERIOD = 20 hours;
    /// @notice The last day of a game lies between so many days ahead.
    uint256 public constant MIN_END_DAYS = 30;
    uint256 public constant MAX_END_DAYS = 366;
    /// @notice A game without a release for so long is abandoned. As long after the void of a drawn day the pools' money
    ///         can go to `heir` only: whoever lets a draw lapse must not gain by it.
    uint256 public constant SILENCE = 180 days;

    /// @notice The first day that is settled.
    uint256 public immutable firstDay;
    /// @notice Seconds between a commit and its earliest release.
    uint256 public immutable challengePeriod;
    /// @notice Receives the pools' money when the game is abandoned.
    address public immutable heir;

    /// @dev One word per pool. 80 bits hold more USDT than there can be.
    struct PackedState {
        uint80 carry;
        uint80 reserve;
        uint80 lastRollover;
        uint16 streak;
    }

    struct End {
        address receiver;
        uint64 lastDay;
        bool abandoned;
    }

    /// @inheritdoc ISettlement
    uint256 public nextDay;
    /// @inheritdoc ISettlement
    bool public finished;
    /// @notice From when silence counts (unix seconds): the first day's start, the last release of a day with tips, or
    ///         OWNER's last cancel of an abandoned end, whichever is latest.
    uint256 public aliveAt;
    /// @notice When a day whose word was there was last voided (unix seconds); zero if never.
    uint256 public drawnVoidAt;
    /// @notice keccak256(abi.encode(PoolState[5])) of the opening state of a day, once that day is next.
    mapping(uint256 dayId => bytes32) public openingStateHash;

    mapping(uint256 dayId => DayRecord) private _records;
    PackedState[5] private _state;
    End private _end;

    event DayCommitted(uint256 indexed dayId, bytes32 indexed runHash, bytes32 settlementHash, Settlement s);
    event DayVetoed(uint256 indexed dayId, bytes32 settlementHash, string reason);
    event TakenBack(uint256 indexed dayId, bytes32 settlementHash);
    event DayReleased(uint256 indexed dayId, bytes32 settlementHash, PoolState[5] closing);
    event DayVoided(uint256 indexed dayId, uint256 stake, PoolState[5] closing);
    event EndAnnounced(uint256 lastDay, address indexed receiver, bool abandoned);
    event EndCancelled(address indexed by);
    event EndFinished(address indexed receiver, uint256 amount);

    error BadChallengePeriod(uint256 seconds_);
    error NotRoles(address caller);
    error GameFinished();
    error NotNextDay(uint256 dayId, uint256 nextDay);
    error DayNotClosed(uint256 dayId);
    error TooEarlyToCommit(uint256 notBefore);
    error AlreadyCommitted(uint256 dayId);
    error NotCommitted(uint256 dayId);
    error ChallengePeriodRuns(uint256 until);
    error WrongSettlement(bytes32 expected, bytes32 given);
    error SeedMissing(uint256 dayId);
    error PoolPayoutAboveBudget(uint256 poolId, uint256 payout, uint256 budget);
    error JackpotAboveReserve(uint256 poolId, uint256 payout, uint256 limit);
    error JackpotHitMismatch(uint256 poolId);
    /// @dev A pool that sold nothing has no one to pay.
    error PayoutWithoutTips(uint256 poolId);
    error TotalMismatch(uint256 sum, uint256 given);
    error FeeExceeded(uint256 affiliateAndCharity, uint256 fee);
    /// @dev A root is zero exactly when its total is.
    error RootTotalMismatch(bytes32 root, uint256 total);
    error ZeroRunHash();
    error VoidNotAllowedYet(uint256 dayId, uint256 notBefore);
    error EndAlreadyAnnounced();
    error NoEndAnnounced();
    error EndTooEarly(uint256 lastDay, uint256 earliest);
    error EndTooLate(uint256 lastDay, uint256 latest);
    /// @dev The receiver does not answer `acceptsEndOf` with its selector.
    error ReceiverRefuses(address receiver);
    error HeirOnly(uint256 until);
    error DaysOpen(uint256 nextDay, uint256 lastDay);
    error NotAbandoned(uint256 notBefore);

    /// @param w All addresses; each contract is asked whether it names the same partners.
    /// @param challengePeriod_ Seconds, from 600 to 20 hours.
    /// @param heir_ A charity; receives the pools' money of an abandoned game.
    constructor(Wiring memory w, uint256 challengePeriod_, address heir_) SettlementWiring(w) {
        if (challengePeriod_ < MIN_CHALLENGE_PERIOD || challengePeriod_ > MAX_CHALLENGE_PERIOD) {
            revert BadChallengePeriod(challengePeriod_);
        }
        challengePeriod = challengePeriod_;
        heir = heir_;
        _requireForeign(w, heir_);

        uint256 first = GameManager(w.gameManager).firstDay();
        firstDay = first;
        nextDay = first;
        aliveAt = first * 1 days;
        openingStateHash[first] = keccak256(abi.encode(_unpacked()));
        // From here on tickets are sold.
        GameManager(w.gameManager).setSaleWindow(first.toUint64(), type(uint64).max);
    }

    // ------------------------------------------------------------------------------------- settling

    /// @notice Commits the next day's result. Moves nothing; it can be released after the challenge period.
    function commitMerkleSettlement(Settlement calldata s) external onlySettler {
        DayRecord storage record = _openRecord(s.dayId);
        (uint256 requestedAt, bool hasWord) = _vrfReceiver.seedStatus(s.dayId);
        uint256 notBefore = _earliestCommit(s.dayId, requestedAt);
        if (block.timestamp < notBefore) revert TooEarlyToCommit(notBefore);
        _check(s, hasWord);
        bytes32 hash = keccak256(abi.encode(s));
        record.status = STATUS_COMMITTED;
        record.settlementHash = hash;
        record.runHash = s.runHash;
        record.committedAt = uint64(block.timestamp);
        emit DayCommitted(s.dayId, s.runHash, hash, s);
    }

    /// @notice Takes back a commit that is not released. Also possible after the challenge period, so that a stalled
    ///         sequencer cannot eat the guardian's time.
    function veto(uint256 dayId, string calldata reason) external onlyGuardianOrOwner {
        if (_records[dayId].status != STATUS_COMMITTED) revert NotCommitted(dayId);
        emit DayVetoed(dayId, _records[dayId].settlementHash, reason);
        _clearCommit(dayId);
    }

    /// @inheritdoc ISettlement
    function takeBack() external {
        if (msg.sender != address(roles)) revert NotRoles(msg.sender);
        _takeBack();
    }

    /// @notice Carries out a commit whose challenge period is over: roots, credits and state. Anyone may call. Calls no
    ///         token.
    function release(Settlement calldata s) external {
        DayRecord storage record = _records[s.dayId];
        if (record.status != STATUS_COMMITTED) revert NotCommitted(s.dayId);
        bytes32 hash = keccak256(abi.encode(s));
        if (hash != record.settlementHash) revert WrongSettlement(record.settlementHash, hash);
        uint256 until = record.committedAt + challengePeriod;
        if (block.timestamp < until) revert ChallengePeriodRuns(until);

        record.status = STATUS_RELEASED;
        record.releasedAt = uint64(block.timestamp);
        uint256 fee = _close(s, hash);
        _prizeVault.setRoot(s.dayId, s.merkleRoot, s.totalPayout);
        _affiliateVault.setRoot(s.dayId, s.affiliateRoot, s.affiliateTotal);
        _reserveVault.accrue(s.dayId, fee - s.affiliateTotal - s.charityTotal, s.charityTotal);
    }

    /// @notice Gives up the next day: its stake becomes refundable, everything else stays in the pools. The day counts
    ///         as released. Who may call, and from when, says `voidableFrom`.
    function voidDay(uint256 dayId) external {
        DayRecord storage record = _openRecord(dayId);
        (uint256 byOwner, uint256 byAnyone) = voidableFrom(dayId);
        uint256 notBefore = msg.sender == roles.owner() ? byOwner : byAnyone;
        if (block.timestamp < notBefore) revert VoidNotAllowedYet(dayId, notBefore);

        record.status = STATUS_VOIDED;
        record.releasedAt = uint64(block.timestamp);
        PoolDay[5] memory sold = _gameManager.poolDays(dayId);
        PoolState[5] memory state = _unpacked();
        uint256 stake;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            stake += sold[p].stake;
            // Yesterday's rollover stays in the pool; today's goes back with the stake.
            state[p].carry += state[p].lastRollover;
            state[p].lastRollover = 0;
        }
        _advance(dayId, state);
        emit DayVoided(dayId, stake, state);
        (, bool hasWord) = _vrfReceiver.seedStatus(dayId);
        if (hasWord) {
            drawnVoidAt = block.timestamp;
            if (_end.receiver != address(0) && _end.receiver != heir) _setEnd(_end.lastDay, heir, false);
        }
        if (stake > 0) _reserveVault.bookRefund(dayId, stake);
    }

    // ------------------------------------------------------------------------------------- the end

    /// @notice Announces the last day of the game, 30 to 366 days ahead, and who receives what is left in the pools:
    ///         CharityVault, `heir`, or a contract that accepts it.
    function announceEnd(uint256 lastDay, address receiver) external onlyOwner {
        if (finished) revert GameFinished();
        if (_end.receiver != address(0)) revert EndAlreadyAnnounced();
        uint256 today = block.timestamp / 1 days;
        uint256 earliest = today + MIN_END_DAYS;
        if (earliest < firstDay) earliest = firstDay;
        if (lastDay < earliest) revert EndTooEarly(lastDay, earliest);
        if (lastDay > today + MAX_END_DAYS) revert EndTooLate(lastDay, today + MAX_END_DAYS);
        _requireReceiver(receiver);
        if (receiver != heir && drawnVoidAt != 0 && block.timestamp < drawnVoidAt + SILENCE) {
            revert HeirOnly(drawnVoidAt + SILENCE);
        }
        _setEnd(lastDay, receiver, false);
    }

    /// @notice Announces the end of a game that is not settled any more, for 30 days from today, to `heir`.
    function announceAbandonedEnd() external {
        if (finished) revert GameFinished();
        if (_end.abandoned) revert EndAlreadyAnnounced();
        if (block.timestamp < aliveAt + SILENCE) revert NotAbandoned(aliveAt + SILENCE);
        _setEnd(block.timestamp / 1 days + MIN_END_DAYS, heir, true);
    }

    /// @notice Takes an announced end back. An abandoned one only OWNER, and the silence counts anew.
    function cancelEnd() external onlyGuardianOrOwner {
        if (_end.receiver == address(0) || finished) revert NoEndAnnounced();
        if (_end.abandoned) {
            if (msg.sender != roles.owner()) revert NotOwner(msg.sender);
            aliveAt = block.timestamp;
        }
        _cancelEnd();
    }

    /// @notice Sends what is left in the pools to the receiver, once every day up to the last is released or voided.
    ///         Debts stay payable: claims, refunds, fees, charity and gas.
    function finish() external {
        End memory last = _end;
        if (finished) revert GameFinished();
        if (last.receiver == address(0)) revert NoEndAnnounced();
        if (nextDay <= last.lastDay) revert DaysOpen(nextDay, last.lastDay);
        _requireReceiver(last.receiver);
        _takeBack();
        finished = true;
        PoolState[5] memory state = _unpacked();
        uint256 amount;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            amount += state[p].carry + state[p].reserve + state[p].lastRollover;
            (state[p].carry, state[p].reserve, state[p].lastRollover) = (0, 0, 0);
        }
        _setState(nextDay, state);
        emit EndFinished(last.receiver, amount);
        if (amount > 0) _reserveVault.payEnd(last.receiver, amount);
    }

    // ------------------------------------------------------------------------------------- reading

    /// @notice Where a day stands.
    function dayRecord(uint256 dayId) external view returns (DayRecord memory) {
        return _records[dayId];
    }

    /// @notice keccak256(abi.encode(s)) of a committed or released day; zero otherwise.
    function settlementHash(uint256 dayId) external view returns (bytes32) {
        return _records[dayId].settlementHash;
    }

    /// @notice How many commits of a day were vetoed or taken back.
    function takebacks(uint256 dayId) external view returns (uint256) {
        return _records[dayId].takebacks;
    }

    /// @notice Money and streaks at the opening of `nextDay`.
    function openingState() external view returns (PoolState[5] memory) {
        return _unpacked();
    }

    /// @notice The announced end: its last day, receiver, and whether the game was abandoned; zeros if there is none.
    function end() external view returns (uint256 lastDay, address receiver, bool abandoned) {
        return (_end.lastDay, _end.receiver, _end.abandoned);
    }

    /// @notice The earliest time of a day's commit and of its drand round: an hour after the later of its close and its
    ///         VRF request, when neither seed is known yet.
    function earliestCommit(uint256 dayId) external view returns (uint256) {
        (uint256 requestedAt,) = _vrfReceiver.seedStatus(dayId);
        return _earliestCommit(dayId, requestedAt);
    }

    /// @notice From when (unix seconds) OWNER and anyone may void a day, as things stand. It must also be the next day,
    ///         without a pending commit.
    function voidableFrom(uint256 dayId) public view returns (uint256 byOwner, uint256 byAnyone) {
        uint256 close = (dayId + 1) * 1 days;
        if (!_gameManager.hasTips(dayId)) return (close + VOID_EMPTY_AFTER, close + VOID_EMPTY_AFTER);
        uint256 last = close + VOID_AFTER;
        (uint256 requestedAt, bool hasWord) = _vrfReceiver.seedStatus(dayId);
        if (hasWord) return (last, last);
        uint256 patience = requestedAt == 0 ? 0 : requestedAt + VRF_PATIENCE;
        byOwner = _min(_max(close + VOID_WORDLESS_BY_OWNER_AFTER, patience), last);
        byAnyone = _min(_max(close + VOID_WORDLESS_AFTER, patience), last);
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

    // ------------------------------------------------------------------------------------- checks

    /// @dev The record of the next day: closed, without a commit.
    function _openRecord(uint256 dayId) private view returns (DayRecord storage record) {
        if (finished) revert GameFinished();
        if (dayId != nextDay) revert NotNextDay(dayId, nextDay);
        if (block.timestamp / 1 days <= dayId) revert DayNotClosed(dayId);
        record = _records[dayId];
        if (record.status != STATUS_NONE) revert AlreadyCommitted(dayId);
    }

    function _earliestCommit(uint256 dayId, uint256 requestedAt) private pure returns (uint256) {
        return _max((dayId + 1) * 1 days, requestedAt) + DRAW_DELAY;
    }

    function _check(Settlement calldata s, bool hasWord) private view {
        if (s.runHash == bytes32(0)) revert ZeroRunHash();
        PoolDay[5] memory sold = _gameManager.poolDays(s.dayId);
        Split[5] memory split = _splits(sold);
        uint256 tips;
        uint256 fee;
        uint256 payout;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            _checkPool(s, p, sold[p].tipCount, split[p]);
            tips += sold[p].tipCount;
            fee += split[p].fee;
            payout += s.poolPayout[p] + s.poolJackpotPayout[p];
        }
        if (tips != 0 && !hasWord) revert SeedMissing(s.dayId);
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
        PackedState memory state = _state[p];
        uint256 budget = uint256(state.carry) + state.lastRollover + split.pot;
        if (payout > budget) revert PoolPayoutAboveBudget(p, payout, budget);
        uint256 limit = (state.reserve + split.jackpot) * JACKPOT_PAYOUT_BPS / BPS_ONE;
        if (jackpot > limit) revert JackpotAboveReserve(p, jackpot, limit);
    }

    function _checkRoot(bytes32 root, uint256 total) private pure {
        if ((root == bytes32(0)) != (total == 0)) revert RootTotalMismatch(root, total);
    }

    /// @dev Asked at the announcement and again at the end. CharityVault and the heir need not answer.
    function _requireReceiver(address receiver) private view {
        if (receiver == address(_charityVault) || receiver == heir) return;
        _requireOutside(receiver);
        (bool ok, bytes memory answer) =
            receiver.staticcall(abi.encodeCall(IEndReceiver.acceptsEndOf, (address(this))));
        if (!ok || answer.length < 32 || bytes32(answer) != bytes32(IEndReceiver.acceptsEndOf.selector)) {
            revert ReceiverRefuses(receiver);
        }
    }

    // ------------------------------------------------------------------------------------- state

    function _takeBack() private {
        uint256 dayId = nextDay;
        // Only the next day can have a commit.
        if (_records[dayId].status != STATUS_COMMITTED) return;
        emit TakenBack(dayId, _records[dayId].settlementHash);
        _clearCommit(dayId);
    }

    function _clearCommit(uint256 dayId) private {
        DayRecord storage record = _records[dayId];
        record.status = STATUS_NONE;
        record.settlementHash = bytes32(0);
        record.runHash = bytes32(0);
        record.committedAt = 0;
        record.takebacks += 1;
    }

    /// @dev Moves the pools' state over a released day and returns the day's fee.
    function _close(Settlement calldata s, bytes32 hash) private returns (uint256 fee) {
        PoolDay[5] memory sold = _gameManager.poolDays(s.dayId);
        Split[5] memory split = _splits(sold);
        PoolState[5] memory state = _unpacked();
        uint256 tips;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            // Not with +=: a payout may be above what came in, and the carry covers it.
            state[p].carry = state[p].carry + state[p].lastRollover + split[p].pot - s.poolPayout[p];
            state[p].reserve = state[p].reserve + split[p].jackpot - s.poolJackpotPayout[p];
            state[p].lastRollover = split[p].rollover;
            if (s.poolJackpotPayout[p] > 0) state[p].streak = 0;
            else if (sold[p].tipCount > 0) state[p].streak += 1;
            fee += split[p].fee;
            tips += sold[p].tipCount;
        }
        if (tips > 0) {
            aliveAt = block.timestamp;
            if (_end.abandoned) _cancelEnd();
        }
        _advance(s.dayId, state);
        emit DayReleased(s.dayId, hash, state);
    }

    function _advance(uint256 dayId, PoolState[5] memory state) private {
        nextDay = dayId + 1;
        _setState(dayId + 1, state);
        _openSales();
    }

    function _setState(uint256 dayId, PoolState[5] memory state) private {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            _state[p] = PackedState({
                carry: state[p].carry.toUint80(),
                reserve: state[p].reserve.toUint80(),
                lastRollover: state[p].lastRollover.toUint80(),
                streak: state[p].streak.toUint16()
            });
        }
        openingStateHash[dayId] = keccak256(abi.encode(state));
    }

    function _setEnd(uint256 lastDay, address receiver, bool abandoned) private {
        _end = End(receiver, lastDay.toUint64(), abandoned);
        emit EndAnnounced(lastDay, receiver, abandoned);
        _openSales();
    }

    function _cancelEnd() private {
        delete _end;
        emit EndCancelled(msg.sender);
        _openSales();
    }

    /// @dev Shows GameManager the oldest unsettled and the last day.
    function _openSales() private {
        uint64 lastDay = _end.receiver == address(0) ? type(uint64).max : _end.lastDay;
        _gameManager.setSaleWindow(nextDay.toUint64(), lastDay);
    }

    function _unpacked() private view returns (PoolState[5] memory state) {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            PackedState memory packed = _state[p];
            state[p] = PoolState(packed.carry, packed.reserve, packed.lastRollover, packed.streak);
        }
    }

    function _splits(PoolDay[5] memory sold) private view returns (Split[5] memory) {
        uint256[5] memory stakes;
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            stakes[p] = sold[p].stake;
        }
        return _gameTreasury.splitStakes(stakes);
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
