// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {Office, Settlement} from "../../../src/lottery/Types.sol";
import {Results} from "./Results.sol";

/// @notice Commits by the settler and by the thief who stole its key, vetoes, and releases by anyone.
abstract contract Nights is Results {
    /// @dev The commit that waits, as it was sent.
    Settlement private _pending;
    bool internal isPendingHonest;
    bytes internal lastReleased;

    function settlerCommits(uint256 seed) external move(seed) {
        vm.assume(!_isPending() && _canCommit() && _isWorthIt());
        _commitNext(Forgery.None);
    }

    function settlersStolenKeyCommits(uint256 seed) external move(seed) {
        _bringForgery();
    }

    /// @dev The draw delay is over, but a day with tips has no word.
    function settlerCannotCommitWithoutAWord(uint256 seed) external move(seed) {
        vm.assume(!_isPending());
        _bringSoldDay();
        address settler = _acting(Office.Settler);
        vm.assume(!hasWord[next] && settler != address(0));
        if (requestOf[next] == 0 && _oneIn(2)) {
            _warpTo(_closeOf(next));
            _request(next);
        }
        _warpTo(_earliestCommit());
        bytes memory data = _commitCall(_result(next, Forgery(_below(6))));
        _refused(settler, address(settlement), data, SettlementV4.SeedMissing.selector, "commits: without a word");
    }

    function guardianVetoes(uint256 seed) external move(seed) {
        _vetoBy(_guardian());
    }

    function ownerVetoes(uint256 seed) external move(seed) {
        _vetoBy(_owner());
    }

    function anyoneReleases(uint256 seed) external move(seed) {
        vm.assume(_isPending() ? isPendingHonest : _canCommit() && _isWorthIt());
        if (!_isPending()) _commitNext(Forgery.None);
        _releaseNext();
    }

    /// @dev Then the thief gets what the day could pay, and nothing of any other day.
    function guardianSleepsThroughAForgery(uint256 seed) external move(seed) {
        if (!_isPending()) _bringForgery();
        vm.assume(!isPendingHonest);
        _releaseNext();
    }

    // ------------------------------------------------------------------------------------- what they do

    /// @dev The next day has, or can get, all that a commit needs.
    function _canCommit() internal view returns (bool) {
        if (isFinished || _acting(Office.Settler) == address(0)) return false;
        return !_hasTips(next) || hasWord[next] || !_isSilent(next);
    }

    /// @dev An empty day has little to tell.
    function _isWorthIt() internal returns (bool) {
        return _hasTips(next) || _oneIn(6);
    }

    function _forgery() internal returns (Forgery) {
        return Forgery(1 + _below(5));
    }

    function _earliestCommit() internal view returns (uint256) {
        return _max(_closeOf(next), requestedAt[next]) + 1 hours;
    }

    function _commitNext(Forgery forgery) internal {
        _warpTo(_closeOf(next));
        _bringWord(next);
        Settlement memory s = _result(next, forgery);
        _tryTooEarly(s);
        _warpTo(_earliestCommit());
        _tryFalseResult(s);
        _call(_acting(Office.Settler), address(settlement), _commitCall(s), "commits: a right result");
        committedAt[next] = block.timestamp;
        committedHash[next] = keccak256(abi.encode(s));
        _pending = s;
        isPendingHonest = forgery == Forgery.None;
    }

    /// @dev The drand round does not exist yet.
    function _tryTooEarly(Settlement memory s) private {
        uint256 now_ = block.timestamp;
        uint256 earliest = _earliestCommit();
        if (now_ >= earliest) return;
        if (_oneIn(2)) vm.warp(earliest - 1);
        bytes4 reason = SettlementV4.TooEarlyToCommit.selector;
        address settler = _acting(Office.Settler);
        _refused(settler, address(settlement), _commitCall(s), reason, "commits: before the draw delay is over");
        vm.warp(now_);
    }

    /// @dev The settler tries to commit something else first.
    function _tryFalseResult(Settlement memory s) internal virtual;

    function _bringForgery() internal {
        vm.assume(!_isPending());
        _bringSoldDay();
        vm.assume(_canCommit());
        _commitNext(_forgery());
    }

    function _vetoBy(address account) private {
        if (!_isPending() && _oneIn(2)) _bringForgery();
        vm.assume(_isPending() || (_canCommit() && _isWorthIt()));
        if (!_isPending()) _commitNext(Forgery.None);
        // During the period, or after it: a stalled sequencer does not eat the guardian's time.
        vm.warp(block.timestamp + _below(3 hours));
        vm.prank(account);
        settlement.veto(next, "not ours");
        _bookTakeback();
    }

    function _pendingResult() internal view returns (Settlement memory) {
        return _pending;
    }

    function _commitCall(Settlement memory s) internal pure returns (bytes memory) {
        return abi.encodeCall(SettlementV4.commitMerkleSettlement, (s));
    }

    function _releaseNext() internal {
        _warpTo(committedAt[next] + CHALLENGE);
        Settlement memory s = _pending;
        bytes memory data = abi.encodeCall(SettlementV4.release, (s));
        _call(_anyone(), address(settlement), data, "release: anyone, once the challenge period is over");
        _promise(PRIZES, s.dayId, s.merkleRoot, s.totalPayout, isPendingHonest);
        _promise(COMMISSIONS, s.dayId, s.affiliateRoot, s.affiliateTotal, true);
        _bookRelease(s);
        lastReleased = data;
    }
}
