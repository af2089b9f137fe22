// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../../src/lottery/GameManager.sol";
import {RoleBound} from "../../../src/lottery/RoleBound.sol";
import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {EndReceiver} from "./EndReceiver.sol";
import {Keys} from "./Keys.sol";

/// @notice Ends of the game: announced, cancelled, turned to the heir, abandoned, revived, finished.
abstract contract Ends is Keys {
    function ownerAnnouncesAnEnd(uint256 seed) external move(seed) {
        _announceEnd(_receiver());
    }

    function ownerCancelsAnEnd(uint256 seed) external move(seed) {
        _bringEnd();
        _cancelEnd(_owner());
    }

    function guardianCancelsAnEnd(uint256 seed) external move(seed) {
        _bringEnd();
        _cancelEnd(_guardian());
    }

    /// @dev Who lets a drawn day lapse must not gain by it: the heir gets what is left.
    function aLapsedDrawTurnsTheEndToTheHeir(uint256 seed) external move(seed) {
        _bringEnd();
        vm.assume(ending.receiver != HEIR);
        _voidADrawnDay();
        require(ending.receiver == HEIR, "end: the books turn it, too");
    }

    function aLapsedDrawBarsOtherReceivers(uint256 seed) external move(seed) {
        vm.assume(!isFinished && ending.receiver == address(0));
        if (drawnVoidAt == 0) _voidADrawnDay();
        _warpTo(drawnVoidAt + 180 days - 1);
        vm.assume(block.timestamp < drawnVoidAt + 180 days);
        endReceiver.setMood(EndReceiver.Mood.Accepts);
        bytes memory data = _endCall(_today() + 30, _oneIn(2) ? address(endReceiver) : address(charityVault));
        bytes4 reason = SettlementV4.HeirOnly.selector;
        _refused(_owner(), address(settlement), data, reason, "end: another receiver after a lapsed draw");
        vm.warp(drawnVoidAt + 180 days);
        _announceEnd(address(endReceiver));
    }

    function theReceiverStopsToAnswer(uint256 seed) external move(seed) {
        vm.assume(!isFinished);
        if (ending.receiver == address(0)) _announceEnd(address(endReceiver));
        vm.assume(ending.receiver == address(endReceiver));
        if (next <= ending.lastDay) _endDaysThrough(ending.lastDay);
        // A day that lapsed on the way has turned the end to the heir.
        vm.assume(ending.receiver == address(endReceiver));
        endReceiver.setMood(EndReceiver.Mood(1 + _below(2)));
        bytes4 reason = SettlementV4.ReceiverRefuses.selector;
        _refused(thief, address(settlement), _finishCall(), reason, "end: to a receiver that does not answer");
        if (_oneIn(2)) _cancelEnd(_guardianOrOwner());
    }

    function theReceiverAnswersAgain(uint256 seed) external move(seed) {
        vm.assume(endReceiver.mood() != EndReceiver.Mood.Accepts);
        endReceiver.setMood(EndReceiver.Mood.Accepts);
    }

    function salesEndWithTheLastDay(uint256 seed) external move(seed) {
        vm.assume(!isPaused);
        if (ending.receiver == address(0)) _announceEnd(_receiver());
        uint256 last = ending.lastDay;
        if (next + 5 <= last) _endDaysThrough(last - 5);
        // The release of a day with tips takes an abandoned end back.
        vm.assume(ending.receiver != address(0));
        _warpTo(_closeOf(last));
        vm.assume(_today() <= next + 5);
        _refuseSale(players[_below(5)], GameManager.GameEnds.selector, "sales: after the last day");
    }

    function theGameIsAbandoned(uint256 seed) external move(seed) {
        _abandon();
    }

    function ownerComesBackToAnAbandonedGame(uint256 seed) external move(seed) {
        vm.assume(!isFinished);
        if (!ending.abandoned) _abandon();
        bytes4 reason = RoleBound.NotOwner.selector;
        _refused(_guardian(), address(settlement), _cancelCall(), reason, "end: a guardian cancels an abandoned one");
        _cancelEnd(_owner());
        aliveAt = block.timestamp;
    }

    /// @dev Sales have gone on, and the engine returns: the release of a day with tips takes the end back.
    function aReleaseRevivesAnAbandonedGame(uint256 seed) external move(seed) {
        vm.assume(!isFinished);
        if (!ending.abandoned) _abandon();
        _endLag();
        if (ending.abandoned) {
            uint256 day = _today();
            _sellToday();
            _endDaysThrough(day);
        }
        vm.assume(ending.receiver == address(0));
    }

    function anyoneFinishesTheGame(uint256 seed) external move(seed) {
        vm.assume(_oneIn(3));
        _bringEnd();
        _finish();
    }

    function anyoneFinishesAnAbandonedGame(uint256 seed) external move(seed) {
        vm.assume(!isFinished && _oneIn(3));
        if (!ending.abandoned) _abandon();
        _finish();
    }

    // ------------------------------------------------------------------------------------- what they do

    /// @dev An end that OWNER announced, now or before.
    function _bringEnd() private {
        if (ending.receiver == address(0)) _announceEnd(_receiver());
        vm.assume(!isFinished && !ending.abandoned);
    }

    function _receiver() private returns (address) {
        return [HEIR, address(charityVault), address(endReceiver)][_below(3)];
    }

    function _announceEnd(address receiver) private {
        vm.assume(!isFinished && ending.receiver == address(0));
        if (drawnVoidAt != 0 && block.timestamp < drawnVoidAt + 180 days) receiver = HEIR;
        if (receiver == address(endReceiver)) endReceiver.setMood(EndReceiver.Mood.Accepts);
        uint256 lastDay = _max(_today() + 30 + (_oneIn(8) ? _below(337) : _below(10)), FIRST_DAY);
        _call(_owner(), address(settlement), _endCall(lastDay, receiver), "end: announced by the owner");
        ending = Ending(lastDay, receiver, false);
    }

    function _cancelEnd(address by) private {
        _call(by, address(settlement), _cancelCall(), "end: cancelled before it is finished");
        delete ending;
    }

    function _abandon() internal {
        vm.assume(!isFinished && !ending.abandoned);
        bytes memory data = abi.encodeCall(SettlementV4.announceAbandonedEnd, ());
        if (block.timestamp < aliveAt + 180 days) {
            vm.warp(aliveAt + 180 days - 1);
            bytes4 reason = SettlementV4.NotAbandoned.selector;
            _refused(thief, address(settlement), data, reason, "end: abandoned before 180 days of silence");
        }
        _warpTo(aliveAt + 180 days);
        _call(thief, address(settlement), data, "end: anyone, after 180 days of silence");
        ending = Ending(_today() + 30, HEIR, true);
    }

    /// @dev Ends all days, perhaps one more, and sends the pools' money off.
    function _finish() private {
        if (next <= ending.lastDay) _endDaysThrough(ending.lastDay);
        vm.assume(ending.receiver != address(0));
        if (_oneIn(2) && _canCommit() && !_isPending()) _commitNext(Forgery.None);
        _finishNow();
    }

    function _finishNow() internal {
        bool isMute = ending.receiver == address(endReceiver) && endReceiver.mood() != EndReceiver.Mood.Accepts;
        vm.assume(!isMute && !usdt.isBlocked(_receiverOf(ending.receiver)));
        _call(_anyone(), address(settlement), _finishCall(), "end: anyone, once all days have ended");
        _bookFinish();
    }

    function _endCall(uint256 lastDay, address receiver) internal pure returns (bytes memory) {
        return abi.encodeCall(SettlementV4.announceEnd, (lastDay, receiver));
    }

    function _cancelCall() internal pure returns (bytes memory) {
        return abi.encodeCall(SettlementV4.cancelEnd, ());
    }

    function _finishCall() internal pure returns (bytes memory) {
        return abi.encodeCall(SettlementV4.finish, ());
    }
}
