// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../../src/lottery/RoleBound.sol";
import {Roles} from "../../../src/lottery/Roles.sol";
import {Office} from "../../../src/lottery/Types.sol";
import {Offices} from "./Offices.sol";

/// @notice Removals and suspensions of the two keys, relayer and settler; a settler's end takes its commit back.
abstract contract Keys is Offices {
    function ownerRemovesTheSettler(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
        if (!_isPending() && _oneIn(2)) _bringForgery();
        _remove(Office.Settler);
        _bookTakeback();
    }

    function ownerRemovesTheRelayer(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
        _remove(Office.Relayer);
    }

    function guardianSuspendsTheSettler(uint256 seed) external move(seed) {
        _suspend(Office.Settler);
        _bookTakeback();
    }

    /// @dev A forged commit is there, and one call of the guardian stops the key and takes it back.
    function guardianStopsAStolenKey(uint256 seed) external move(seed) {
        if (!_isPending()) _bringForgery();
        vm.assume(!isPendingHonest && _acting(Office.Settler) != address(0));
        address settler = _acting(Office.Settler);
        bytes memory again = _commitCall(_pendingResult());
        _suspend(Office.Settler);
        _bookTakeback();
        bytes4 reason = RoleBound.NotSettler.selector;
        _refused(settler, address(settlement), again, reason, "offices: a suspended key commits");
    }

    function guardianSuspendsTheRelayer(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
        _suspend(Office.Relayer);
    }

    function ownerLiftsASuspension(uint256 seed) external move(seed) {
        uint256 start = _below(known.length);
        for (uint256 i = 0; i < known.length; ++i) {
            address account = known[(start + i) % known.length];
            if (!isSuspended[account]) continue;
            vm.prank(_owner());
            roles.liftSuspension(account);
            isSuspended[account] = false;
            return;
        }
        vm.assume(false);
    }

    /// @dev A suspension sticks to the address, also when it takes the office anew.
    function aSuspendedKeyTakesOfficeAgain(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
        Office office = _oneIn(2) ? Office.Relayer : Office.Settler;
        address account = holder[uint8(office)];
        vm.assume(account != address(0));
        if (!isSuspended[account]) _suspend(office);
        _remove(office);
        if (office == Office.Settler) _bookTakeback();
        _name(office, account);
        _succeed(office);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _remove(Office office) private {
        vm.assume(holder[uint8(office)] != address(0));
        vm.prank(_owner());
        roles.removeHolder(office);
        holder[uint8(office)] = address(0);
    }

    function _suspend(Office office) private {
        address account = holder[uint8(office)];
        vm.assume(account != address(0) && !isSuspended[account]);
        vm.prank(_guardian());
        roles.suspend(office);
        isSuspended[account] = true;
    }
}
