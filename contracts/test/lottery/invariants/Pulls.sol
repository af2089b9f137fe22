// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../../../src/lottery/CharityVault.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {Announcements} from "./Announcements.sol";

/// @notice Anyone pulls fees, gas costs and charity money to their receivers; the owner pays charities.
abstract contract Pulls is Announcements {
    function anyoneWithdrawsFees(uint256 seed) external move(seed) {
        vm.assume(fees != 0 && !usdt.isBlocked(_receiverOf(feeReceiver)));
        _withdrawFees();
    }

    function anyoneWithdrawsGas(uint256 seed) external move(seed) {
        vm.assume(gasCosts != 0 && !usdt.isBlocked(_receiverOf(gasSafe)));
        _withdrawGas();
    }

    function anyoneWithdrawsCharity(uint256 seed) external move(seed) {
        vm.assume(charity != 0 && !usdt.isBlocked(address(charityVault)));
        _withdrawCharity();
    }

    /// @dev It gets nothing, and what it is owed waits.
    function aBlockedReceiverIsNotPaid(uint256 seed) external move(seed) {
        uint256 kind = _below(3);
        vm.assume([fees, gasCosts, charity][kind] != 0);
        address receiver = _receiverOf([feeReceiver, gasSafe, address(charityVault)][kind]);
        bytes4 pull = [
            ReserveVault.withdrawFees.selector,
            ReserveVault.withdrawGas.selector,
            ReserveVault.withdrawCharity.selector
        ][kind];
        usdt.setBlocked(receiver, true);
        bytes4 reason = ReserveVault.BlockedByToken.selector;
        _refused(thief, address(reserve), abi.encodePacked(pull), reason, "pulls: to a blocked receiver");
        if (_oneIn(2)) usdt.setBlocked(receiver, false);
    }

    function ownerPaysACharity(uint256 seed) external move(seed) {
        vm.assume(due[address(charityVault)] + charity != 0 && !usdt.isBlocked(address(charityVault)));
        if (charity != 0) _withdrawCharity();
        uint256 which = _below(2);
        if (!isCharity[charities[which]]) _register(which);
        address to = charities[which];
        vm.assume(due[address(charityVault)] != 0);
        uint256 amount = 1 + _below(due[address(charityVault)]);
        bytes memory data = abi.encodeCall(CharityVault.pay, (to, amount));
        _call(_owner(), address(charityVault), data, "charity: a registered one");
        _moved(address(charityVault), to, amount);
    }

    function ownerRemovesACharity(uint256 seed) external move(seed) {
        uint256 which = _below(2);
        if (!isCharity[charities[which]]) _register(which);
        address charity_ = charities[which];
        vm.prank(_owner());
        charityVault.removeCharity(charity_);
        isCharity[charity_] = false;
        bytes memory data = abi.encodeCall(CharityVault.pay, (charity_, 1));
        bytes4 reason = CharityVault.NotRegistered.selector;
        _refused(_owner(), address(charityVault), data, reason, "charity: one that was removed");
    }

    // ------------------------------------------------------------------------------------- what they do

    function _withdrawFees() internal {
        _call(_anyone(), address(reserve), abi.encodeCall(ReserveVault.withdrawFees, ()), "pulls: fees");
        _paidOut(_receiverOf(feeReceiver), fees);
        fees = 0;
    }

    function _withdrawGas() internal {
        _call(_anyone(), address(reserve), abi.encodeCall(ReserveVault.withdrawGas, ()), "pulls: gas costs");
        _paidOut(_receiverOf(gasSafe), gasCosts);
        gasCosts = 0;
    }

    function _withdrawCharity() internal {
        _call(_anyone(), address(reserve), abi.encodeCall(ReserveVault.withdrawCharity, ()), "pulls: charity");
        _paidOut(address(charityVault), charity);
        charity = 0;
    }
}
