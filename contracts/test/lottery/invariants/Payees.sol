// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {Refunders} from "./Refunders.sol";

/// @notice The token's whims, and how its victims get their money all the same: an account names a payee.
abstract contract Payees is Refunders {
    function anAccountNamesAPayee(uint256 seed) external move(seed) {
        address account = _payable();
        _namePayee(account, _oneIn(2) ? players[_below(5)] : _newcomer());
    }

    function anAccountTakesItsPayeeBack(uint256 seed) external move(seed) {
        address account = _payable();
        if (payeeOf[account] == address(0)) _namePayee(account, _newcomer());
        _namePayee(account, address(0));
    }

    /// @dev Refused while the token blocks it, paid in full to the payee.
    function aBlockedAccountIsPaidThroughItsPayee(uint256 seed) external move(seed) {
        Place memory place = _anyPlace();
        vm.assume(_isClaimable(place));
        address account = _leafAt(place).account;
        vm.assume(account != address(reserve));
        usdt.setBlocked(account, true);
        if (payeeOf[account] == address(0)) {
            bytes4 reason = ReserveVault.BlockedByToken.selector;
            _refused(thief, address(_vault(place.vault)), _claimCall(place), reason, "claims: to a blocked account");
        }
        _namePayee(account, _newcomer());
        _claim(place);
    }

    /// @dev Vouchers follow the payee of the account that paid them, in office or not.
    function vouchersAreRefundedToAPayee(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_owesVouchers);
        _namePayee(books[day].voucherPayer, _newcomer());
        _refundVouchers(day);
    }

    function tokenBlocksSomebody(uint256 seed) external move(seed) {
        usdt.setBlocked(_blockable(), true);
    }

    function tokenUnblocksSomebody(uint256 seed) external move(seed) {
        address account;
        for (uint256 n = 6; n != 0 && !usdt.isBlocked(account); --n) account = _blockable();
        vm.assume(usdt.isBlocked(account));
        usdt.setBlocked(account, false);
    }

    function tokenStartsToTakeAFee(uint256 seed) external move(seed) {
        vm.assume(tokenFeeBps == 0 && _oneIn(2));
        tokenFeeBps = _oneIn(4) ? 10_000 : 1 + _below(1_000);
        usdt.setFee(tokenFeeBps);
    }

    function tokenStopsToTakeAFee(uint256 seed) external move(seed) {
        vm.assume(tokenFeeBps != 0);
        tokenFeeBps = 0;
        usdt.setFee(0);
    }

    /// @dev Money that is sent without a call is owed to no account; only ReserveVault's can be swept.
    function aGiftArrives(uint256 seed) external move(seed) {
        address[4] memory ours = [address(reserve), address(reserve), address(prizes), address(game)];
        _give(ours[_below(4)]);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _give(address account) internal {
        uint256 amount = 1 + _below(1e9);
        usdt.mint(account, amount);
        due[account] += amount;
        if (account == address(reserve)) gifts += amount;
    }

    function _namePayee(address account, address payee) internal {
        vm.prank(account);
        reserve.setPayee(payee);
        payeeOf[account] = payee;
    }

    function _blockable() private returns (address) {
        return _oneIn(8) ? address(charityVault) : _payable();
    }

    /// @dev An account that is paid from here: players, the promotions account, an affiliate, the receivers.
    function _payable() private returns (address) {
        uint256 kind = _below(9);
        if (kind <= 2) return players[_below(5)];
        return [_promotions(), affiliates[0], feeReceiver, gasSafe, HEIR, address(endReceiver)][kind - 3];
    }
}
