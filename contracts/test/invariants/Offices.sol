// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../src/RoleBound.sol";
import {Roles} from "../../src/Roles.sol";
import {NOTICE, NOTICE_EXPIRY, Office} from "../../src/Types.sol";
import {Pulls} from "./Pulls.sol";

/// @notice Namings, successions, removals and suspensions; each end of a settler takes its commit back.
abstract contract Offices is Pulls {
    function aNewOwnerTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Owner);
    }

    function aNewGuardianTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Guardian);
    }

    function aNewRelayerTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Relayer);
    }

    function aNewSettlerTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Settler);
        _bookTakeback();
    }

    function aNewPromotionsAccountTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Promotions);
        _fund(_promotions());
    }

    /// @dev Named, or named anew: the clock starts, the old holder acts on.
    function ownerNamesASuccessor(uint256 seed) external move(seed) {
        _name(Office(_below(5)), _successor());
    }

    function ownerCancelsANaming(uint256 seed) external move(seed) {
        _cancelNaming(_owner(), _namedOffice(5));
    }

    function guardianCancelsANaming(uint256 seed) external move(seed) {
        Office office = _namedOffice(5);
        if (office == Office.Guardian) {
            bytes memory data = abi.encodeCall(Roles.cancelNaming, (office));
            bytes4 reason = Roles.OwnSuccessor.selector;
            _refused(_guardian(), address(roles), data, reason, "offices: a guardian cancels its successor");
            office = Office.Owner;
            if (named[0].account == address(0)) _name(office, _successor());
        }
        _cancelNaming(_guardian(), office);
    }

    function aNamingLapses(uint256 seed) external move(seed) {
        uint8 office = uint8(_namedOffice(5));
        _warpTo(named[office].since + NOTICE_EXPIRY + 1);
        bytes4 late = Roles.TooLate.selector;
        _refuseOffice(named[office].account, Office(office), late, "offices: more than 14 days after the naming");
    }

    function ownerRemovesTheSettler(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
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

    // ------------------------------------------------------------------------------------- what they do

    /// @dev Somebody new, or somebody who once held an office, suspended or not.
    function _successor() private returns (address account) {
        account = _oneIn(3) ? known[_below(known.length)] : _newcomer();
        if (_isHolder(account)) account = _newcomer();
    }

    function _name(Office office, address account) private {
        vm.prank(_owner());
        roles.nameHolder(office, account);
        named[uint8(office)] = Named(account, block.timestamp);
    }

    /// @dev An office for which somebody is named, from a random one on; somebody is named first if there is none.
    function _namedOffice(uint256 count) private returns (Office) {
        uint256 start = _below(count);
        for (uint256 i = 0; i < count; ++i) {
            if (named[(start + i) % count].account != address(0)) return Office((start + i) % count);
        }
        _name(Office(start), _successor());
        return Office(start);
    }

    function _cancelNaming(address by, Office office) private {
        address account = named[uint8(office)].account;
        vm.prank(by);
        roles.cancelNaming(office);
        delete named[uint8(office)];
        _warpTo(block.timestamp + NOTICE);
        _refuseOffice(account, office, Roles.NotNamed.selector, "offices: a naming that was cancelled");
    }

    /// @dev From 48 hours on, by its own call; not if it took another office meanwhile.
    function _succeed(Office office) private {
        Named storage naming = named[uint8(office)];
        if (naming.account == address(0) || block.timestamp > naming.since + NOTICE_EXPIRY) _name(office, _successor());
        if (block.timestamp < naming.since + NOTICE && _oneIn(2)) {
            vm.warp(naming.since + NOTICE - 1);
            _refuseOffice(naming.account, office, Roles.TooEarly.selector, "offices: less than 48 hours");
        }
        _warpTo(naming.since + NOTICE);
        address account = naming.account;
        if (_isHolder(account)) {
            _refuseOffice(account, office, Roles.OfficeHeld.selector, "offices: a second one");
            vm.assume(false);
        }
        vm.prank(account);
        roles.takeOffice(office);
        _meetHolder(account);
        holder[uint8(office)] = account;
        delete named[uint8(office)];
    }

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

    function _refuseOffice(address account, Office office, bytes4 reason, string memory broken) private {
        _refused(account, address(roles), abi.encodeCall(Roles.takeOffice, (office)), reason, broken);
    }
}
