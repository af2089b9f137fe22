// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {Office, Settlement} from "../../../src/lottery/Types.sol";
import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {Strangers} from "./Strangers.sol";

/// @notice What no one may do with a day: release it early, twice or as another; void it early, out of order or over a
///         commit; commit a false result; ask for its word twice.
abstract contract ForbiddenDays is Strangers {
    function _releaseWrongly() internal {
        address target = address(settlement);
        if (lastReleased.length != 0) {
            _refused(thief, target, lastReleased, SettlementV4.NotCommitted.selector, "release: a day is paid twice");
        }
        if (!_isPending()) return;
        Settlement memory s = _pendingResult();
        uint256 now_ = block.timestamp;
        uint256 until = committedAt[next] + CHALLENGE;
        if (now_ < until) {
            if (_oneIn(2)) vm.warp(until - 1);
            bytes4 early = SettlementV4.ChallengePeriodRuns.selector;
            bytes memory data = abi.encodeCall(SettlementV4.release, (s));
            _refused(thief, target, data, early, "challenge: a release before the period is over");
            vm.warp(now_);
        }
        uint256 kind = _below(4);
        if (kind == 0) s.merkleRoot = bytes32(_random());
        else if (kind == 1) s.poolPayout[_below(5)] += 1;
        else if (kind == 2) s.affiliateTotal += 1;
        else s.charityTotal += 1;
        bytes memory other = abi.encodeCall(SettlementV4.release, (s));
        _refused(thief, target, other, SettlementV4.WrongSettlement.selector, "release: what was not committed");
    }

    function _voidWrongly() internal {
        uint256 now_ = block.timestamp;
        address owner = _owner();
        address target = address(settlement);
        uint256 other = _oneIn(2) ? next + 1 + _below(3) : next - 1 - _below(3);
        _refused(owner, target, _voidCall(other), 0, "void: out of order");
        if (isFinished) _refused(owner, target, _voidCall(next), SettlementV4.GameFinished.selector, "void: the end");
        if (isFinished) return;
        if (_today() <= next) {
            _refused(owner, target, _voidCall(next), SettlementV4.DayNotClosed.selector, "void: before the close");
        }
        _warpTo(_closeOf(next));
        if (_oneIn(2)) vm.warp(block.timestamp + _below(31 days));
        (uint256 byOwner, uint256 byAnyone) = _voidableFrom(next);
        bool isOwners = _oneIn(2);
        uint256 notBefore = isOwners ? byOwner : byAnyone;
        bytes4 reason = SettlementV4.VoidNotAllowedYet.selector;
        if (_isPending()) reason = SettlementV4.AlreadyCommitted.selector;
        if (_isPending() || block.timestamp < notBefore) {
            _refused(isOwners ? owner : thief, target, _voidCall(next), reason, "void: early, or over a commit");
        }
        vm.warp(now_);
    }

    function _commitWrongly() internal {
        if (!isFinished && !_isPending()) {
            if (_oneIn(2)) _vetoNothing();
            return;
        }
        address settler = _acting(Office.Settler);
        if (settler == address(0)) return;
        Settlement memory s = _pendingResult();
        if (_oneIn(2)) s.runHash = bytes32(_random() | 1);
        bytes4 reason = SettlementV4.AlreadyCommitted.selector;
        if (isFinished) (s.dayId, reason) = (next, SettlementV4.GameFinished.selector);
        _refused(settler, address(settlement), _commitCall(s), reason, "commits: twice, or after the end");
    }

    function _vetoNothing() private {
        bytes memory veto = abi.encodeCall(SettlementV4.veto, (_oneIn(2) ? next : next - 1, "too late"));
        bytes4 reason = SettlementV4.NotCommitted.selector;
        _refused(_guardian(), address(settlement), veto, reason, "veto: of a day without a commit");
    }

    function _tryFalseResult(Settlement memory s) internal override {
        bytes memory right = abi.encode(s);
        _refuseResult(_spoilt(abi.decode(right, (Settlement)), _below(13)));
        _refuseResult(_spoilt(abi.decode(right, (Settlement)), 5 + _below(4)));
    }

    function _refuseResult(Settlement memory s) private {
        address settler = _acting(Office.Settler);
        _refused(settler, address(settlement), _commitCall(s), 0, "commits: a false result");
    }

    /// @dev A result with one thing wrong.
    function _spoilt(Settlement memory s, uint256 kind) private returns (Settlement memory) {
        uint256 p = _below(5);
        (uint256 budget, uint256 limit) = _limits(next, p);
        if (kind == 0) s.totalPayout += 1;
        else if (kind == 1) s.jackpotHit[p] = !s.jackpotHit[p];
        else if (kind == 2) s.merkleRoot = s.totalPayout == 0 ? bytes32("root") : bytes32(0);
        else if (kind == 3) s.affiliateRoot = s.affiliateTotal == 0 ? bytes32("root") : bytes32(0);
        else if (kind == 4) s.runHash = 0;
        else if (kind == 5) s.charityTotal = _feeOf(next) - s.affiliateTotal + 1;
        else if (kind == 6) s.charityTotal = type(uint256).max - _below(2) * s.affiliateTotal;
        else if (kind == 7) _raise(s, p, budget + 1 - s.poolPayout[p], 0);
        else if (kind == 8) _raise(s, p, 0, limit + 1 - s.poolJackpotPayout[p]);
        else if (kind == 9) s.dayId = next + 1 + _below(3);
        else if (kind == 10) s.dayId = next - 1 - _below(3);
        else if (kind == 11) s.dayId = type(uint256).max - _below(2);
        else _payWithoutTips(s);
        return s;
    }

    /// @dev Everything but the limit agrees.
    function _raise(Settlement memory s, uint256 p, uint256 payout, uint256 jackpot) private pure {
        s.poolPayout[p] += payout;
        s.poolJackpotPayout[p] += jackpot;
        s.totalPayout += payout + jackpot;
        s.jackpotHit[p] = s.poolJackpotPayout[p] != 0;
        if (s.merkleRoot == 0) s.merkleRoot = bytes32("root");
    }

    /// @dev Something is paid in a pool that sold no tip, or else one atom too much in the first.
    function _payWithoutTips(Settlement memory s) private view {
        for (uint256 p = 0; p < 5; ++p) if (books[next].tips[p] == 0) return _raise(s, p, 1, 0);
        s.totalPayout += 1;
    }

    /// @dev A day's word is asked for after its close, once, while it is unsettled, and only if it sold tips.
    function _requestWrongly() internal {
        uint256 day = _oneIn(3) || soldDays.length == 0 ? _today() : soldDays[_below(soldDays.length)];
        if (day < _today() && day >= next && requestOf[day] == 0) return;
        if (_oneIn(4)) day = next - 1;
        bytes memory request = abi.encodeCall(VRFReceiver.requestSeed, (day));
        _refused(_anyone(), address(vrf), request, 0, "seeds: after the close, and once");
        if (!isFinished) {
            bytes memory close = abi.encodeCall(VRFReceiver.closeSubscription, ());
            _refused(_owner(), address(vrf), close, VRFReceiver.GameGoesOn.selector, "seeds: LINK leaves before the end");
        }
        uint256[] memory words = new uint256[](1);
        bytes memory word = abi.encodeCall(VRFReceiver.rawFulfillRandomWords, (requestOf[day], words));
        _refused(thief, address(vrf), word, VRFReceiver.OnlyCoordinator.selector, "seeds: a forged word");
    }
}
