// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {Nights} from "./Nights.sol";

/// @notice Days that are given up, each kind at its time and not a second earlier; and the way back from any lag.
abstract contract Voids is Nights {
    function anyoneVoidsAnEmptyDay(uint256 seed) external move(seed) {
        vm.assume(_isOpen() && !_hasTips(next));
        _voidBy(_anyone());
    }

    function ownerVoidsAWordlessDay(uint256 seed) external move(seed) {
        vm.assume(_isOpen());
        _bringSoldDay();
        vm.assume(!hasWord[next]);
        _maybeRequest();
        _voidBy(_owner());
    }

    function anyoneVoidsAWordlessDay(uint256 seed) external move(seed) {
        vm.assume(_isOpen());
        _bringSoldDay();
        vm.assume(!hasWord[next]);
        _maybeRequest();
        _voidBy(thief);
    }

    /// @dev A request that is young keeps the day open: Chainlink may still answer.
    function aYoungRequestDelaysTheVoid(uint256 seed) external move(seed) {
        vm.assume(_isOpen());
        _bringSoldDay();
        vm.assume(requestOf[next] == 0);
        _warpTo(_closeOf(next) + 7 days);
        _request(next);
        (, uint256 byAnyone) = _voidableFrom(next);
        if (block.timestamp < byAnyone) {
            bytes4 early = SettlementV4.VoidNotAllowedYet.selector;
            _refused(thief, address(settlement), _voidCall(next), early, "void: while a request is young");
        }
        _voidBy(thief);
    }

    function anyoneVoidsADrawnDay(uint256 seed) external move(seed) {
        _voidADrawnDay();
    }

    /// @dev Settler, owner or anyone bring the days up to yesterday to an end.
    function daysCatchUp(uint256 seed) external move(seed) {
        vm.assume(!isFinished && next + 1 < _today());
        _endDaysThrough(_today() - 1);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _isOpen() internal view returns (bool) {
        return !isFinished && !_isPending();
    }

    function _maybeRequest() private {
        if (requestOf[next] != 0 || _oneIn(2)) return;
        _warpTo(_closeOf(next) + _below(8 days));
        _request(next);
    }

    function _voidBy(address account) internal {
        (uint256 byOwner, uint256 byAnyone) = _voidableFrom(next);
        uint256 notBefore = account == _owner() ? byOwner : byAnyone;
        if (block.timestamp < notBefore && _oneIn(2)) {
            vm.warp(_max(_closeOf(next), notBefore - 1));
            bytes4 early = SettlementV4.VoidNotAllowedYet.selector;
            _refused(account, address(settlement), _voidCall(next), early, "void: before its time");
        }
        _warpTo(notBefore);
        _call(account, address(settlement), _voidCall(next), "void: each day at its time");
        _bookVoid(next);
    }

    function _voidADrawnDay() internal {
        vm.assume(_isOpen());
        _bringSoldDay();
        vm.assume(hasWord[next] || !_isSilent(next));
        _warpTo(_closeOf(next));
        _bringWord(next);
        _voidBy(_anyone());
    }

    function _voidCall(uint256 day) internal pure returns (bytes memory) {
        return abi.encodeCall(SettlementV4.voidDay, (day));
    }

    /// @dev Ends all days up to this one, each in one of the ways that are open.
    function _endDaysThrough(uint256 last) internal {
        while (next <= last) {
            if (_isPending()) _releaseNext();
            else if (_canCommit() && (_hasTips(next) || _oneIn(16))) _commitNext(Forgery.None);
            else _voidBy(_oneIn(8) ? _owner() : thief);
        }
    }

    /// @dev Ends old days until tickets are sold again.
    function _endLag() internal {
        while (_today() > next + 5) _endDaysThrough(_today() - 6);
    }
}
