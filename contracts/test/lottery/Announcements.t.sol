// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../../src/lottery/CharityVault.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Timelocked} from "../../src/lottery/Timelocked.sol";
import {Office} from "../../src/lottery/Types.sol";
import {VRFReceiver} from "../../src/lottery/VRFReceiver.sol";
import {Base} from "./Base.sol";

/// @notice What OWNER announces: in force by anyone's call from 48 hours to 14 days later, unless it is cancelled.
contract AnnouncementsTest is Base {
    address private constant NEXT = address(0xC1);
    uint256 private constant KINDS = 6;

    struct Kind {
        Timelocked target;
        bytes32 subject;
        bytes data;
        bytes call;
        /// Another value for the same subject.
        bytes otherData;
        bytes otherCall;
    }

    function setUp() public override {
        super.setUp();
        // Something to sweep.
        usdt.mint(address(reserve), 100);
    }

    // ------------------------------------------------------------------------------------- all six

    function test_OnlyTheOwnerAnnounces() public {
        for (uint256 i = 0; i < KINDS; ++i) {
            Kind memory kind = _kind(i);
            address[5] memory others = [guardian, relayer, settler, promotions, stranger];
            for (uint256 k = 0; k < 5; ++k) {
                vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, others[k]));
                vm.prank(others[k]);
                (bool ok,) = address(kind.target).call(kind.call);
                vm.assertTrue(ok);
            }
            _assertNothing(kind);
        }
    }

    function test_AnyoneBringsItIntoForceFrom48HoursTo14DaysLater() public {
        for (uint256 i = 0; i < KINDS; ++i) {
            Kind memory kind = _kind(i);
            uint256 start = block.timestamp;
            vm.expectEmit(true, true, true, true, address(kind.target));
            emit Timelocked.Announced(kind.subject, kind.data, start + 48 hours, start + 14 days);
            _announce(kind.target, kind.call);
            (bytes memory data, uint256 notBefore, uint256 notAfter) = kind.target.announcementOf(kind.subject);
            vm.assertEq(keccak256(data), keccak256(kind.data));
            vm.assertEq(notBefore, start + 48 hours);
            vm.assertEq(notAfter, start + 14 days);
            vm.warp(start + 48 hours - 1);
            _refuse(kind, abi.encodeWithSelector(Timelocked.TooEarly.selector, start + 48 hours));
            vm.warp(start + 14 days + 1);
            _refuse(kind, abi.encodeWithSelector(Timelocked.TooLate.selector, start + 14 days));
            // Half of them as early as possible, half as late.
            vm.warp(i % 2 == 0 ? start + 48 hours : start + 14 days);
            vm.expectEmit(true, true, true, true, address(kind.target));
            emit Timelocked.Executed(kind.subject, kind.data);
            vm.prank(stranger);
            kind.target.execute(kind.subject);
            // Once.
            _assertNothing(kind);
        }
        vm.assertEq(reserve.feeReceiver(), NEXT);
        vm.assertEq(reserve.gasSafe(), NEXT);
        vm.assertEq(reserve.voucherCap(), 2 * VOUCHER_CAP);
        vm.assertEq(usdt.balanceOf(address(charityVault)), 60);
        vm.assertTrue(charityVault.isCharity(NEXT));
        (bytes32 keyHash, uint32 gasLimit, uint16 confirmations, uint96 floor) = vrf.config();
        vm.assertEq(keyHash, KEY_HASH);
        vm.assertEq(gasLimit, 150_000);
        vm.assertEq(confirmations, 20);
        vm.assertEq(floor, 2e18);
    }

    function test_OwnerAndGuardianCancelAnAnnouncement() public {
        address[2] memory may = [owner, guardian];
        address[4] memory mayNot = [relayer, settler, promotions, stranger];
        for (uint256 i = 0; i < KINDS; ++i) {
            Kind memory kind = _kind(i);
            vm.expectRevert(abi.encodeWithSelector(Timelocked.NothingAnnounced.selector, kind.subject));
            vm.prank(guardian);
            kind.target.cancel(kind.subject);
            for (uint256 k = 0; k < 2; ++k) {
                _announce(kind.target, kind.call);
                for (uint256 n = 0; n < 4; ++n) {
                    vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, mayNot[n]));
                    vm.prank(mayNot[n]);
                    kind.target.cancel(kind.subject);
                }
                // Also when it could come into force already.
                vm.warp(block.timestamp + 48 hours);
                vm.expectEmit(true, true, true, true, address(kind.target));
                emit Timelocked.AnnouncementCancelled(kind.subject, may[k]);
                vm.prank(may[k]);
                kind.target.cancel(kind.subject);
                _assertNothing(kind);
            }
        }
    }

    function test_ANewAnnouncementOfTheSameThingReplacesTheOldOneAndStartsItsClock() public {
        for (uint256 i = 0; i < KINDS; ++i) {
            Kind memory kind = _kind(i);
            _announce(kind.target, kind.call);
            vm.warp(block.timestamp + 48 hours);
            _announce(kind.target, kind.otherCall);
            (bytes memory data, uint256 notBefore,) = kind.target.announcementOf(kind.subject);
            vm.assertEq(keccak256(data), keccak256(kind.otherData));
            vm.assertEq(notBefore, block.timestamp + 48 hours);
            _refuse(kind, abi.encodeWithSelector(Timelocked.TooEarly.selector, block.timestamp + 48 hours));
            vm.warp(block.timestamp + 48 hours);
            vm.expectEmit(true, true, true, true, address(kind.target));
            emit Timelocked.Executed(kind.subject, kind.otherData);
            kind.target.execute(kind.subject);
        }
        vm.assertEq(reserve.feeReceiver(), address(0xC2));
        vm.assertEq(reserve.voucherCap(), 3 * VOUCHER_CAP);
        vm.assertEq(usdt.balanceOf(address(charityVault)), 70);
    }

    function test_ThingsAreAnnouncedSideBySide() public {
        for (uint256 i = 0; i < KINDS; ++i) {
            Kind memory kind = _kind(i);
            _announce(kind.target, kind.call);
        }
        vm.warp(block.timestamp + 48 hours);
        for (uint256 i = KINDS; i > 0; --i) {
            Kind memory kind = _kind(i - 1);
            kind.target.execute(kind.subject);
        }
    }

    function test_ASuccessorOfTheOwnerInheritsWhatIsAnnounced() public {
        Kind memory kind = _kind(0);
        _announce(kind.target, kind.call);
        _succeed(Office.Owner, address(0xD1));
        vm.prank(address(0xD1));
        reserve.cancel(kind.subject);
    }

    // ------------------------------------------------------------------------------------- receivers

    function test_NoReceiverOrCharityIsOursOrZero() public {
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            bytes memory reason = abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i]);
            _refuseReceivers(ours[i], reason);
        }
        _refuseReceivers(address(0), abi.encodeWithSelector(RoleBound.ZeroAddress.selector));
    }

    function test_AReceiverIsReplacedByEvent() public {
        _announce(reserve, abi.encodeCall(reserve.announceFeeReceiver, (NEXT)));
        _announce(reserve, abi.encodeCall(reserve.announceGasSafe, (NEXT)));
        vm.assertEq(reserve.feeReceiver(), feeReceiver);
        vm.assertEq(reserve.gasSafe(), gasSafe);
        vm.warp(block.timestamp + 48 hours);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.FeeReceiverSet(feeReceiver, NEXT);
        reserve.execute("fee receiver");
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.GasSafeSet(gasSafe, NEXT);
        reserve.execute("gas safe");
    }

    // ------------------------------------------------------------------------------------- voucher cap

    function test_AHigherVoucherCapWaitsAndALowerOneDoesNot() public {
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.CapNotLower.selector, VOUCHER_CAP, VOUCHER_CAP));
        vm.prank(owner);
        reserve.lowerVoucherCap(VOUCHER_CAP);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.CapNotLower.selector, VOUCHER_CAP + 1, VOUCHER_CAP));
        vm.prank(owner);
        reserve.lowerVoucherCap(VOUCHER_CAP + 1);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, guardian));
        vm.prank(guardian);
        reserve.lowerVoucherCap(0);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.VoucherCapSet(VOUCHER_CAP, VOUCHER_CAP - 1);
        vm.prank(owner);
        reserve.lowerVoucherCap(VOUCHER_CAP - 1);
        vm.assertEq(reserve.voucherCap(), VOUCHER_CAP - 1);
        _announce(reserve, abi.encodeCall(reserve.announceVoucherCap, (VOUCHER_CAP)));
        vm.assertEq(reserve.voucherCap(), VOUCHER_CAP - 1);
    }

    function test_AVoucherCapFitsItsWord() public {
        uint256 highest = type(uint88).max;
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.VoucherCapTooHigh.selector, highest + 1, highest));
        vm.prank(owner);
        reserve.announceVoucherCap(highest + 1);
        _announce(reserve, abi.encodeCall(reserve.announceVoucherCap, (highest)));
    }

    // ------------------------------------------------------------------------------------- charities

    function test_OnlyARegisteredCharityIsPaid() public {
        usdt.mint(address(charityVault), 1_000);
        vm.expectRevert(abi.encodeWithSelector(CharityVault.NotRegistered.selector, NEXT));
        vm.prank(owner);
        charityVault.pay(NEXT, 1);
        _announce(charityVault, abi.encodeCall(charityVault.announceCharity, (NEXT, "Water")));
        vm.warp(block.timestamp + 48 hours);
        vm.expectEmit(true, true, true, true, address(charityVault));
        emit CharityVault.CharityRegistered(NEXT, "Water");
        charityVault.execute(bytes32(uint256(uint160(NEXT))));
        vm.expectRevert(abi.encodeWithSelector(CharityVault.AlreadyRegistered.selector, NEXT));
        vm.prank(owner);
        charityVault.announceCharity(NEXT, "Water again");
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, NEXT));
        vm.prank(NEXT);
        charityVault.pay(NEXT, 1);
        vm.expectEmit(true, true, true, true, address(charityVault));
        emit CharityVault.CharityPaid(NEXT, 600);
        vm.prank(owner);
        charityVault.pay(NEXT, 600);
        vm.prank(owner);
        charityVault.pay(NEXT, 400);
        vm.assertEq(usdt.balanceOf(NEXT), 1_000);
        vm.assertEq(charityVault.paidTo(NEXT), 1_000);
    }

    function test_ACharityIsRemovedAtOnce() public {
        vm.expectRevert(abi.encodeWithSelector(CharityVault.NotRegistered.selector, NEXT));
        vm.prank(owner);
        charityVault.removeCharity(NEXT);
        _announce(charityVault, abi.encodeCall(charityVault.announceCharity, (NEXT, "Water")));
        vm.warp(block.timestamp + 48 hours);
        charityVault.execute(bytes32(uint256(uint160(NEXT))));
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, guardian));
        vm.prank(guardian);
        charityVault.removeCharity(NEXT);
        vm.expectEmit(true, true, true, true, address(charityVault));
        emit CharityVault.CharityRemoved(NEXT);
        vm.prank(owner);
        charityVault.removeCharity(NEXT);
        vm.expectRevert(abi.encodeWithSelector(CharityVault.NotRegistered.selector, NEXT));
        vm.prank(owner);
        charityVault.pay(NEXT, 1);
        // Later again, but not at once.
        _announce(charityVault, abi.encodeCall(charityVault.announceCharity, (NEXT, "Water")));
        vm.assertFalse(charityVault.isCharity(NEXT));
    }

    // ------------------------------------------------------------------------------------- helpers

    function _kind(uint256 i) private view returns (Kind memory kind) {
        VRFReceiver.VrfConfig memory config = VRFReceiver.VrfConfig(KEY_HASH, 150_000, 20, 2e18);
        if (i == 0) {
            kind = _receiver("fee receiver", reserve.announceFeeReceiver.selector);
        } else if (i == 1) {
            kind = _receiver("gas safe", reserve.announceGasSafe.selector);
        } else if (i == 2) {
            kind = _amount("voucher cap", reserve.announceVoucherCap.selector, 2 * VOUCHER_CAP, 3 * VOUCHER_CAP);
        } else if (i == 3) {
            kind = _amount("sweep", reserve.announceSweep.selector, 60, 70);
        } else if (i == 4) {
            kind.target = vrf;
            kind.subject = "vrf config";
            kind.data = abi.encode(config);
            kind.call = abi.encodeCall(vrf.announceConfig, (config));
            config.confirmations = 30;
            kind.otherData = abi.encode(config);
            kind.otherCall = abi.encodeCall(vrf.announceConfig, (config));
        } else {
            kind.target = charityVault;
            kind.subject = bytes32(uint256(uint160(NEXT)));
            kind.data = abi.encode(NEXT, "Water");
            kind.call = abi.encodeCall(charityVault.announceCharity, (NEXT, "Water"));
            kind.otherData = abi.encode(NEXT, "Fresh water");
            kind.otherCall = abi.encodeCall(charityVault.announceCharity, (NEXT, "Fresh water"));
        }
    }

    function _receiver(bytes32 subject, bytes4 selector) private view returns (Kind memory kind) {
        kind.target = reserve;
        kind.subject = subject;
        kind.data = abi.encode(NEXT);
        kind.call = abi.encodeWithSelector(selector, NEXT);
        kind.otherData = abi.encode(address(0xC2));
        kind.otherCall = abi.encodeWithSelector(selector, address(0xC2));
    }

    function _amount(bytes32 subject, bytes4 selector, uint256 amount, uint256 other)
        private
        view
        returns (Kind memory kind)
    {
        kind.target = reserve;
        kind.subject = subject;
        kind.data = abi.encode(amount);
        kind.call = abi.encodeWithSelector(selector, amount);
        kind.otherData = abi.encode(other);
        kind.otherCall = abi.encodeWithSelector(selector, other);
    }

    function _announce(Timelocked target, bytes memory call) private {
        vm.prank(owner);
        (bool ok,) = address(target).call(call);
        vm.assertTrue(ok);
    }

    function _refuse(Kind memory kind, bytes memory reason) private {
        vm.expectRevert(reason);
        kind.target.execute(kind.subject);
    }

    function _refuseReceivers(address account, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        reserve.announceFeeReceiver(account);
        vm.expectRevert(reason);
        vm.prank(owner);
        reserve.announceGasSafe(account);
        vm.expectRevert(reason);
        vm.prank(owner);
        charityVault.announceCharity(account, "Ours");
    }

    function _assertNothing(Kind memory kind) private {
        (bytes memory data, uint256 notBefore, uint256 notAfter) = kind.target.announcementOf(kind.subject);
        vm.assertEq(data.length + notBefore + notAfter, 0);
        _refuse(kind, abi.encodeWithSelector(Timelocked.NothingAnnounced.selector, kind.subject));
    }
}
