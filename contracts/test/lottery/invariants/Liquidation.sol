// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {EndReceiver} from "./EndReceiver.sol";
import {ForbiddenPowers} from "./ForbiddenPowers.sol";

/// @notice Whatever happened before: all keys are silent from now on, and calls that are open to anyone, with time,
///         bring out every atom. What a fee of the token takes falls on the receivers; it may go on.
abstract contract Liquidation is ForbiddenPowers {
    function liquidate() external {
        _helpTheBlocked();
        if (_isPending()) _releaseNext();
        if (!isFinished) _endTheGame();
        this.check();
        _payClaims();
        _payRefunds();
        _payPulls();
        this.check();
        _checkNothingIsLeft();
    }

    /// @dev Who is blocked by the token names a payee, by its own call. CharityVault alone cannot, and needs the token's
    ///      grace.
    function _helpTheBlocked() private {
        usdt.setBlocked(address(charityVault), false);
        uint256 count = everybody.length;
        for (uint256 i = 0; i < count; ++i) {
            if (usdt.isBlocked(_receiverOf(everybody[i]))) _namePayee(everybody[i], _newcomer());
        }
    }

    /// @dev No commit is made any more. An end that OWNER announced is finished if its receiver answers; otherwise the
    ///      game is abandoned after 180 days of silence.
    function _endTheGame() private {
        bool isMute = ending.receiver == address(endReceiver) && endReceiver.mood() != EndReceiver.Mood.Accepts;
        if (ending.receiver != address(0) && !isMute) {
            _voidThrough(ending.lastDay);
        } else {
            _voidSoldDays();
            _abandon();
            _voidThrough(ending.lastDay);
        }
        _finishNow();
    }

    function _voidSoldDays() private {
        if (soldDays.length != 0) _voidThrough(soldDays[soldDays.length - 1]);
    }

    function _voidThrough(uint256 last) private {
        while (next <= last) _voidBy(thief);
    }

    function _payClaims() private {
        _warpTo(_max(claimsPausedUntil[PRIZES], claimsPausedUntil[COMMISSIONS]));
        for (uint256 i = 0; i < soldDays.length; ++i) {
            for (uint256 vault = 0; vault < 2; ++vault) {
                Promise storage promised = promises[vault][soldDays[i]];
                for (uint256 j = 0; j < promised.leaves.length; ++j) {
                    Place memory place = Place(vault, soldDays[i], j);
                    if (_isClaimable(place)) _claim(place);
                    _refused(thief, address(_vault(vault)), _claimCall(place), 0, "claims: twice");
                }
                bool isPaidOff = !promised.isHonest || promised.claimed == promised.total;
                require(isPaidOff, "liquidation: an honest day is not paid in full");
            }
        }
    }

    /// @dev One call for each buyer, with all nonces of voided days.
    function _payRefunds() private {
        for (uint256 i = 0; i < players.length; ++i) {
            uint256[] storage own = ticketsOf[players[i]];
            bytes16[] memory nonces = new bytes16[](own.length);
            uint256 left;
            for (uint256 j = 0; j < own.length; ++j) {
                // A ticket that was refunded before is skipped.
                if (endedAs[tickets[own[j]].day] == VOIDED) nonces[left++] = tickets[own[j]].nonce;
            }
            if (_refundAll(players[i], own)) {
                bytes memory data = _refundCall(players[i], _first(nonces, left));
                _call(thief, address(reserve), data, "liquidation: refunds of a buyer");
            }
        }
        for (uint256 i = 0; i < soldDays.length; ++i) {
            if (_owesVouchers(soldDays[i])) _refundVouchers(soldDays[i]);
            if (endedAs[soldDays[i]] != VOIDED) continue;
            bool isPaidBack = books[soldDays[i]].refunded == _stakeOf(soldDays[i]);
            require(isPaidBack, "liquidation: a voided day's stake is not paid back in full");
        }
    }

    function _refundAll(address, uint256[] storage own) private returns (bool isAny) {
        for (uint256 j = 0; j < own.length; ++j) {
            if (!_isRefundable(own[j])) continue;
            _bookRefund(own[j]);
            isAny = true;
        }
    }

    function _first(bytes16[] memory all, uint256 count) private pure returns (bytes16[] memory some) {
        some = new bytes16[](count);
        for (uint256 i = 0; i < count; ++i) some[i] = all[i];
    }

    function _payPulls() private {
        if (fees != 0) _withdrawFees();
        if (gasCosts != 0) _withdrawGas();
        if (charity != 0) _withdrawCharity();
        _call(thief, address(vrf), abi.encodeCall(VRFReceiver.closeSubscription, ()), "liquidation: LINK");
    }

    /// @dev What is still owed is what a forged root promised beyond its own leaves: to no account at all. Everything
    ///      else in the vault is gifts, which only a sweep moves.
    function _checkNothingIsLeft() private view {
        uint256 unclaimable;
        for (uint256 vault = 0; vault < 2; ++vault) {
            for (uint256 i = 0; i < soldDays.length; ++i) {
                Promise storage promised = promises[vault][soldDays[i]];
                unclaimable += promised.total - promised.claimed;
            }
        }
        require(reserve.held() == unclaimable, "liquidation: something is owed that cannot be asked for");
        uint256 balance = usdt.balanceOf(address(reserve));
        require(balance == unclaimable + gifts, "liquidation: more is left than gifts");
    }
}
