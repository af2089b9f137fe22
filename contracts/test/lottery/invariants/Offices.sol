// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Roles} from "../../../src/lottery/Roles.sol";
import {NOTICE, NOTICE_EXPIRY, Office} from "../../../src/lottery/Types.sol";
import {Pulls} from "./Pulls.sol";

/// @notice Namings and successions. The old holder acts until the new one takes office by its own call.
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

    /// @dev The old key was stolen and has committed: its successor's first call takes that back.
    function aNewSettlerTakesAForgeryBack(uint256 seed) external move(seed) {
        _bringNaming(Office.Settler);
        if (!_isPending()) _bringForgery();
        _succeed(Office.Settler);
        require(_isPending(), "offices: the commit was released meanwhile");
        _bookTakeback();
    }

    /// @dev It was free when it was named for the second office, and is not when it would take it.
    function anAccountNamedTwiceTakesOneOffice(uint256 seed) external move(seed) {
        address account = _newcomer();
        uint256 first = _below(5);
        Office second = Office((first + 1 + _below(4)) % 5);
        _name(Office(first), account);
        _name(second, account);
        _succeed(Office(first));
        if (Office(first) == Office.Settler) _bookTakeback();
        if (Office(first) == Office.Promotions) _fund(account);
        _refuseOffice(account, second, Roles.OfficeHeld.selector, "offices: a second one");
    }

    function aNewPromotionsAccountTakesOffice(uint256 seed) external move(seed) {
        _succeed(Office.Promotions);
        _fund(_promotions());
    }

    /// @dev Who paid the first voucher tip of a day pays all of that day's, also after it has left office.
    function theVouchersPayerLeavesOfficeDuringADay(uint256 seed) external move(seed) {
        _bringNaming(Office.Promotions);
        _sell(players[_below(5)], true, 1);
        uint256 day = _today();
        _succeed(Office.Promotions);
        _fund(_promotions());
        vm.assume(_today() == day);
        _sell(players[_below(5)], true, 1);
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

    // ------------------------------------------------------------------------------------- what they do

    /// @dev Somebody new, or somebody who once held an office, suspended or not.
    function _successor() private returns (address account) {
        account = _oneIn(3) ? known[_below(known.length)] : _newcomer();
        if (_isHolder(account)) account = _newcomer();
    }

    /// @dev Somebody is named and could take office now.
    function _bringNaming(Office office) private {
        Named storage naming = named[uint8(office)];
        bool isLapsed = block.timestamp > naming.since + NOTICE_EXPIRY;
        if (naming.account == address(0) || isLapsed) _name(office, _successor());
        _warpTo(naming.since + NOTICE);
    }

    function _name(Office office, address account) internal {
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
    function _succeed(Office office) internal {
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

    function _refuseOffice(address account, Office office, bytes4 reason, string memory broken) private {
        _refused(account, address(roles), abi.encodeCall(Roles.takeOffice, (office)), reason, broken);
    }
}
