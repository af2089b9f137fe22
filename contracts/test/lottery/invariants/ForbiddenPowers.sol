// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../../src/lottery/RoleBound.sol";
import {Roles} from "../../../src/lottery/Roles.sol";
import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {Office} from "../../../src/lottery/Types.sol";
import {EndReceiver} from "./EndReceiver.sol";
import {ForbiddenMoney} from "./ForbiddenMoney.sol";

/// @notice What the holders of powers may not do with them; and the choice of what is tried after a move.
abstract contract ForbiddenPowers is ForbiddenMoney {
    function _tryForbidden() internal override {
        _intrude();
        uint256 kind = _below(9);
        if (kind == 0) _releaseWrongly();
        else if (kind == 1) _voidWrongly();
        else if (kind == 2) _commitWrongly();
        else if (kind == 3) _requestWrongly();
        else if (kind == 4) _buyWrongly();
        else if (kind == 5) _claimWrongly();
        else if (kind == 6) _refundWrongly();
        else if (kind == 7) _useOfficesWrongly();
        else _useMoneyWrongly();
        if (_oneIn(4)) _scheduleWrongly();
        if (_oneIn(3)) _endWrongly();
    }

    function _useOfficesWrongly() private {
        address target = address(roles);
        address held = holder[_below(5)];
        bytes4 reason = held == address(0) ? Roles.ZeroAddress.selector : Roles.OfficeHeld.selector;
        bytes memory data = abi.encodeCall(Roles.nameHolder, (Office(_below(5)), held));
        _refused(_owner(), target, data, reason, "offices: a second one for a holder, or one for zero");
        Office high = [Office.Owner, Office.Guardian, Office.Promotions][_below(3)];
        data = abi.encodeCall(Roles.removeHolder, (high));
        _refused(_owner(), target, data, Roles.NotAKey.selector, "offices: only keys can be removed");
        data = abi.encodeCall(Roles.suspend, (high));
        _refused(_guardian(), target, data, Roles.NotAKey.selector, "offices: only keys can be suspended");
        Office key = _oneIn(2) ? Office.Relayer : Office.Settler;
        if (_acting(key) != address(0)) return;
        data = abi.encodeCall(Roles.suspend, (key));
        reason = holder[uint8(key)] == address(0) ? Roles.NoHolder.selector : Roles.AlreadySuspended.selector;
        _refused(_guardian(), target, data, reason, "offices: suspended twice, or nobody is suspended");
    }

    function _scheduleWrongly() private {
        address target = address(game);
        uint256 earliest = _max(_today() + 7, FIRST_DAY);
        bytes memory data = abi.encodeCall(GameManager.scheduleRuleset, ("soon", earliest - 1));
        bytes4 reason = GameManager.TooEarly.selector;
        _refused(_owner(), target, data, reason, "rulesets: without a week's notice, or before the first day");
        data = abi.encodeCall(GameManager.scheduleRuleset, ("late", _today() + 367));
        reason = GameManager.TooFarAhead.selector;
        _refused(_owner(), target, data, reason, "rulesets: more than a year ahead");
        data = abi.encodeCall(GameManager.cancelRuleset, ());
        reason = GameManager.NoRulesetWaiting.selector;
        if (!_isRulesetWaiting()) _refused(_guardian(), target, data, reason, "rulesets: one that rules is cancelled");
        data = abi.encodeCall(GameManager.setAffiliateRate, (affiliates[0], 1_001, _today() + 5));
        _refused(_owner(), target, data, GameManager.RateTooHigh.selector, "rates: above the highest");
        data = abi.encodeCall(GameManager.setAffiliateRate, (affiliates[0], 0, _today() + _below(2) * 31));
        _refused(_owner(), target, data, 0, "rates: for today, or more than 30 days ahead");
    }

    function _useMoneyWrongly() private {
        address[6] memory ours = [
            address(usdt),
            address(settlement),
            address(reserve),
            address(prizes),
            address(charityVault),
            address(router)
        ];
        address to = ours[_below(6)];
        bytes4 reason = RoleBound.AccountIsOurs.selector;
        address target = address(reserve);
        bytes memory data = abi.encodeCall(ReserveVault.setPayee, (to));
        _refused(players[_below(5)], target, data, reason, "payees: a contract of ours");
        data = abi.encodeCall(ReserveVault.announceFeeReceiver, (to));
        _refused(_owner(), target, data, reason, "settings: a contract of ours receives fees");
        data = abi.encodeCall(ReserveVault.announceGasSafe, (to));
        _refused(_owner(), target, data, reason, "settings: a contract of ours receives gas costs");
        data = abi.encodeCall(ReserveVault.lowerVoucherCap, (voucherCap + _below(2)));
        _refused(_owner(), target, data, ReserveVault.CapNotLower.selector, "settings: a cap rises at once");
        data = abi.encodeCall(ReserveVault.announceSweep, (0));
        _refused(_owner(), target, data, ReserveVault.NothingToPay.selector, "settings: a sweep of nothing");
        if (gasCosts == 0) {
            data = abi.encodeCall(ReserveVault.withdrawGas, ());
            _refused(thief, target, data, ReserveVault.NothingToPay.selector, "pulls: nothing");
        }
        _payUnderASurcharge();
    }

    function _endWrongly() private {
        address target = address(settlement);
        bytes4 reason;
        if (ending.receiver == address(0)) {
            _refused(thief, target, _finishCall(), 0, "end: finished without an announcement");
            _refused(_owner(), target, _cancelCall(), SettlementV4.NoEndAnnounced.selector, "end: nothing to cancel");
            _announceEndWrongly();
        } else if (!isFinished) {
            reason = SettlementV4.EndAlreadyAnnounced.selector;
            _refused(_owner(), target, _endCall(_today() + 60, HEIR), reason, "end: announced twice");
            reason = SettlementV4.DaysOpen.selector;
            if (next <= ending.lastDay) _refused(thief, target, _finishCall(), reason, "end: finished with a day open");
        } else {
            reason = SettlementV4.GameFinished.selector;
            _refused(_owner(), target, _endCall(_today() + 60, HEIR), reason, "end: announced after it");
            _refused(thief, target, _finishCall(), reason, "end: finished twice");
            _refused(_owner(), target, _cancelCall(), 0, "end: cancelled after it");
        }
        bytes memory abandon = abi.encodeCall(SettlementV4.announceAbandonedEnd, ());
        if (isFinished || ending.abandoned || block.timestamp < aliveAt + 180 days) {
            _refused(thief, target, abandon, 0, "end: abandoned early, twice or after it");
        }
    }

    function _announceEndWrongly() private {
        address target = address(settlement);
        address owner = _owner();
        uint256 earliest = _max(_today() + 30, FIRST_DAY);
        _refused(owner, target, _endCall(earliest - 1, HEIR), SettlementV4.EndTooEarly.selector, "end: too early");
        _refused(owner, target, _endCall(_today() + 367, HEIR), SettlementV4.EndTooLate.selector, "end: too late");
        bytes4 ours = RoleBound.AccountIsOurs.selector;
        _refused(owner, target, _endCall(earliest, address(reserve)), ours, "end: to a contract of ours");
        bytes4 mute = SettlementV4.ReceiverRefuses.selector;
        _refused(owner, target, _endCall(earliest, thief), mute, "end: to an account without code");
        EndReceiver.Mood mood = endReceiver.mood();
        endReceiver.setMood(EndReceiver.Mood(1 + _below(2)));
        _refused(owner, target, _endCall(earliest, address(endReceiver)), mute, "end: to a mute receiver");
        endReceiver.setMood(mood);
    }
}
