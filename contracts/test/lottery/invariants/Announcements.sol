// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../../../src/lottery/CharityVault.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {Timelocked} from "../../../src/lottery/Timelocked.sol";
import {NOTICE, NOTICE_EXPIRY} from "../../../src/lottery/Types.sol";
import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {Payees} from "./Payees.sol";

/// @notice What the owner announces: each kind comes into force by anyone's call after 48 hours, is announced anew,
///         cancelled, or lapses after 14 days.
abstract contract Announcements is Payees {
    function feeReceiverChanges(uint256 seed) external move(seed) {
        feeReceiver = abi.decode(_enforce(Subject.FeeReceiver), (address));
    }

    function gasSafeChanges(uint256 seed) external move(seed) {
        gasSafe = abi.decode(_enforce(Subject.GasSafe), (address));
    }

    function voucherCapRises(uint256 seed) external move(seed) {
        voucherCap = abi.decode(_enforce(Subject.VoucherCap), (uint256));
    }

    function giftsAreSwept(uint256 seed) external move(seed) {
        if (gifts == 0) _give(address(reserve));
        uint256 amount = _min(gifts, abi.decode(_enforce(Subject.Sweep), (uint256)));
        gifts -= amount;
        _moved(address(reserve), address(charityVault), amount);
    }

    function vrfConfigChanges(uint256 seed) external move(seed) {
        VRFReceiver.VrfConfig memory c = abi.decode(_enforce(Subject.VrfConfig), (VRFReceiver.VrfConfig));
        (lane, callbackGas, linkPerRequest) = (c.keyHash, c.callbackGasLimit, c.linkPerRequest);
    }

    function charityIsRegistered(uint256 seed) external move(seed) {
        uint256 which = _below(2);
        vm.assume(!isCharity[charities[which]]);
        _register(which);
    }

    function ownerAnnouncesAnew(uint256 seed) external move(seed) {
        _announce(_subject());
    }

    function changeOfAReceiverIsCancelled(uint256 seed) external move(seed) {
        _cancel(_oneIn(2) ? Subject.FeeReceiver : Subject.GasSafe);
    }

    function riseOfTheCapIsCancelled(uint256 seed) external move(seed) {
        _cancel(Subject.VoucherCap);
    }

    function sweepIsCancelled(uint256 seed) external move(seed) {
        _cancel(Subject.Sweep);
    }

    function vrfConfigIsCancelled(uint256 seed) external move(seed) {
        _cancel(Subject.VrfConfig);
    }

    function charityIsCancelled(uint256 seed) external move(seed) {
        Subject subject = _oneIn(2) ? Subject.CharityA : Subject.CharityB;
        vm.assume(!isCharity[_charityOf(subject)]);
        _cancel(subject);
    }

    function anAnnouncementLapses(uint256 seed) external move(seed) {
        Subject subject = _subject();
        if (notices[uint8(subject)].since == 0) _announce(subject);
        _warpTo(notices[uint8(subject)].since + NOTICE_EXPIRY + 1);
        _refuseExecution(subject, Timelocked.TooLate.selector, "announcements: more than 14 days old");
    }

    function ownerLowersTheCap(uint256 seed) external move(seed) {
        vm.assume(voucherCap != 0);
        voucherCap = _below(voucherCap);
        vm.prank(_owner());
        reserve.lowerVoucherCap(voucherCap);
    }

    // ------------------------------------------------------------------------------------- what they do

    /// @dev A subject that can be announced as things stand.
    function _subject() private returns (Subject subject) {
        subject = Subject(_below(7));
        if (subject >= Subject.CharityA) vm.assume(!isCharity[_charityOf(subject)]);
    }

    function _register(uint256 which) internal {
        _enforce(which == 0 ? Subject.CharityA : Subject.CharityB);
        isCharity[charities[which]] = true;
    }

    function _announce(Subject subject) private {
        Notice storage notice = notices[uint8(subject)];
        (notice.data, notice.since) = (_value(subject), block.timestamp);
        (Timelocked target,) = _placeOf(subject);
        _call(_owner(), address(target), _announcement(subject, notice.data), "announcements: by the owner");
    }

    function _value(Subject subject) private returns (bytes memory) {
        if (subject == Subject.VoucherCap) return abi.encode(voucherCap + _below(50e6));
        if (subject == Subject.Sweep) return abi.encode(1 + _below(2e9));
        if (subject >= Subject.CharityA) return abi.encode(_charityOf(subject), "a good one");
        if (subject <= Subject.GasSafe) return abi.encode(_newcomer());
        bytes32 key = _oneIn(2) ? LANE : OTHER_LANE;
        return abi.encode(VRFReceiver.VrfConfig(key, uint32(100_000 + _below(400_000)), 3, LINK_PER_REQUEST * 2 / 3));
    }

    function _announcement(Subject subject, bytes memory value) private pure returns (bytes memory) {
        // Every argument is the value as it is stored, but that of a charity's name stands in a tuple.
        bytes4 selector = subject == Subject.FeeReceiver
            ? ReserveVault.announceFeeReceiver.selector
            : subject == Subject.GasSafe
            ? ReserveVault.announceGasSafe.selector
            : subject == Subject.VoucherCap
            ? ReserveVault.announceVoucherCap.selector
            : subject == Subject.Sweep
            ? ReserveVault.announceSweep.selector
            : subject == Subject.VrfConfig ? VRFReceiver.announceConfig.selector : CharityVault.announceCharity.selector;
        return bytes.concat(selector, value);
    }

    /// @dev Announces first if nothing is, waits 48 hours, and lets anyone bring it into force.
    function _enforce(Subject subject) private returns (bytes memory value) {
        Notice storage notice = notices[uint8(subject)];
        if (notice.since == 0 || block.timestamp > notice.since + NOTICE_EXPIRY) _announce(subject);
        if (block.timestamp < notice.since + NOTICE && _oneIn(2)) {
            vm.warp(notice.since + NOTICE - 1);
            _refuseExecution(subject, Timelocked.TooEarly.selector, "announcements: less than 48 hours old");
        }
        _warpTo(notice.since + NOTICE);
        value = notice.data;
        if (subject == Subject.VrfConfig) _serve(abi.decode(value, (VRFReceiver.VrfConfig)));
        (Timelocked target, bytes32 key) = _placeOf(subject);
        bytes memory data = abi.encodeCall(Timelocked.execute, (key));
        if (subject == Subject.Sweep && _oneIn(2)) data = abi.encodeCall(ReserveVault.sweep, ());
        _call(_anyone(), address(target), data, "announcements: in force by anyone's call");
        delete notices[uint8(subject)];
    }

    /// @dev A configuration comes into force only when the coordinator would serve it.
    function _serve(VRFReceiver.VrfConfig memory config) private {
        if (_oneIn(2)) {
            coordinator.setProvingKey(config.keyHash, false);
            bytes4 unknown = VRFReceiver.UnknownKeyHash.selector;
            _refuseExecution(Subject.VrfConfig, unknown, "settings: a configuration with an unknown key");
        }
        coordinator.setProvingKey(config.keyHash, true);
        uint256 needed = _neededLink(config.linkPerRequest);
        if (_balance() >= needed) return;
        bytes4 poor = VRFReceiver.SubscriptionUnderfunded.selector;
        _refuseExecution(Subject.VrfConfig, poor, "settings: a configuration without LINK");
        coordinator.fundSubscription(vrf.subscriptionId(), needed - _balance());
    }

    function _refuseExecution(Subject subject, bytes4 reason, string memory broken) private {
        (Timelocked target, bytes32 key) = _placeOf(subject);
        _refused(_anyone(), address(target), abi.encodeCall(Timelocked.execute, (key)), reason, broken);
    }

    function _cancel(Subject subject) private {
        if (notices[uint8(subject)].since == 0) _announce(subject);
        (Timelocked target, bytes32 key) = _placeOf(subject);
        _call(_guardianOrOwner(), address(target), abi.encodeCall(Timelocked.cancel, (key)), "announcements: cancel");
        delete notices[uint8(subject)];
        _refuseExecution(subject, Timelocked.NothingAnnounced.selector, "announcements: one that was cancelled");
    }
}
