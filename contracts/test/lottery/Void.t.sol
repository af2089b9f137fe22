// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {Office, PoolState} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";

/// @notice The way out for a day that is not settled: no root and no trust, everybody gets his stake back.
contract VoidTest is Base {
    // ------------------------------------------------------------------------------------- when

    function test_AnyoneVoidsADayWithoutTips24HoursAfterItsClose() public {
        _assertVoidableFrom(CLOSE + 24 hours, CLOSE + 24 hours);
        vm.warp(CLOSE + 24 hours - 1);
        _refuse(stranger, FIRST_DAY, _notYet(CLOSE + 24 hours));
        _refuse(owner, FIRST_DAY, _notYet(CLOSE + 24 hours));
        vm.warp(CLOSE + 24 hours);
        _void(stranger, FIRST_DAY);
        vm.assertEq(_status(FIRST_DAY), 3);
        vm.assertEq(settlement.dayRecord(FIRST_DAY).releasedAt, block.timestamp);
        vm.assertEq(reserve.refundable(FIRST_DAY), 0);
    }

    function test_ABacklogOfEmptyDaysTakesMinutes() public {
        uint256 today = FIRST_DAY + 200;
        vm.warp(today * 1 days);
        for (uint256 day = FIRST_DAY; day < today - 1; ++day) _void(stranger, day);
        _refuse(stranger, today - 1, abi.encodeWithSelector(
            SettlementV4.VoidNotAllowedYet.selector, today - 1, today * 1 days + 24 hours
        ));
        _buy(0, 1);
    }

    function test_AnEmptyDayIsVoidedIntoTheStateOfAReleasedOne() public {
        _buy(0, 100);
        _buy(1, 7);
        _settle(_empty(FIRST_DAY));
        PoolState[5] memory expected = settlement.openingState();
        for (uint256 p = 0; p < 5; ++p) {
            expected[p].carry += expected[p].lastRollover;
            expected[p].lastRollover = 0;
        }
        vm.warp(CLOSE + 2 days);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.DayVoided(FIRST_DAY + 1, 0, expected);
        _void(stranger, FIRST_DAY + 1);
        _settle(_empty(FIRST_DAY + 2));
        // A release of an empty day leaves what a void left.
        vm.assertEq(keccak256(abi.encode(settlement.openingState())), keccak256(abi.encode(expected)));
    }

    function test_WithoutAWordTheOwnerVoidsFromDayThreeAndAnyoneFromDaySeven() public {
        _buy(0, 1);
        _assertVoidableFrom(CLOSE + 3 days, CLOSE + 7 days);
        vm.warp(CLOSE + 3 days - 1);
        _refuse(owner, FIRST_DAY, _notYet(CLOSE + 3 days));
        vm.warp(CLOSE + 3 days);
        _refuse(stranger, FIRST_DAY, _notYet(CLOSE + 7 days));
        _refuse(guardian, FIRST_DAY, _notYet(CLOSE + 7 days));
        _refuse(settler, FIRST_DAY, _notYet(CLOSE + 7 days));
        _void(owner, FIRST_DAY);

        _warpToNoon(FIRST_DAY + 6);
        _buy(0, 1);
        uint256 close = (FIRST_DAY + 7) * 1 days;
        vm.warp(close + 7 days - 1);
        for (uint256 day = FIRST_DAY + 1; day < FIRST_DAY + 6; ++day) _void(stranger, day);
        vm.expectRevert(
            abi.encodeWithSelector(SettlementV4.VoidNotAllowedYet.selector, FIRST_DAY + 6, close + 7 days)
        );
        settlement.voidDay(FIRST_DAY + 6);
        vm.warp(close + 7 days);
        _void(stranger, FIRST_DAY + 6);
        _assertSolvent();
    }

    function test_ARequestYoungerThan24HoursPostponesTheVoid() public {
        _buy(0, 1);
        uint256 requestedAt = CLOSE + 3 days - 1;
        vm.warp(requestedAt);
        vrf.requestSeed(FIRST_DAY);
        _assertVoidableFrom(requestedAt + 24 hours, CLOSE + 7 days);
        vm.warp(requestedAt + 24 hours - 1);
        _refuse(owner, FIRST_DAY, _notYet(requestedAt + 24 hours));
        vm.warp(requestedAt + 24 hours);
        _void(owner, FIRST_DAY);
    }

    function test_ARequestYoungerThan24HoursPostponesAnyonesVoidToo() public {
        _buy(0, 1);
        uint256 requestedAt = CLOSE + 7 days - 1;
        vm.warp(requestedAt);
        vrf.requestSeed(FIRST_DAY);
        _assertVoidableFrom(requestedAt + 24 hours, requestedAt + 24 hours);
        vm.warp(requestedAt + 24 hours - 1);
        _refuse(stranger, FIRST_DAY, _notYet(requestedAt + 24 hours));
        vm.warp(requestedAt + 24 hours);
        _void(stranger, FIRST_DAY);
    }

    function test_ARequestOnTheThirtiethDayPostponesNothing() public {
        _buy(0, 1);
        vm.warp(CLOSE + 30 days - 1);
        vrf.requestSeed(FIRST_DAY);
        _assertVoidableFrom(CLOSE + 30 days, CLOSE + 30 days);
        vm.warp(CLOSE + 30 days);
        _void(stranger, FIRST_DAY);
    }

    function test_WithItsWordADayIsVoidedFromDayThirtyByAnyone() public {
        _buy(0, 1);
        vm.warp(CLOSE + 1 hours);
        _seed(FIRST_DAY, 0);
        _assertVoidableFrom(CLOSE + 30 days, CLOSE + 30 days);
        vm.warp(CLOSE + 30 days - 1);
        _refuse(owner, FIRST_DAY, _notYet(CLOSE + 30 days));
        vm.warp(CLOSE + 30 days);
        _void(stranger, FIRST_DAY);
        vm.assertEq(settlement.drawnVoidAt(), block.timestamp);
        _assertSolvent();
    }

    function test_AWordlessVoidIsNoVoidOfADrawnDay() public {
        _buy(0, 1);
        vm.warp(CLOSE + 7 days);
        _void(stranger, FIRST_DAY);
        vm.assertEq(settlement.drawnVoidAt(), 0);
    }

    function test_OnlyTheNextClosedDayWithoutACommitIsVoided() public {
        _buy(0, 1);
        vm.warp(CLOSE - 1);
        _refuse(owner, FIRST_DAY, abi.encodeWithSelector(SettlementV4.DayNotClosed.selector, FIRST_DAY));
        vm.warp(CLOSE + 40 days);
        _seed(FIRST_DAY, 1);
        vm.warp(block.timestamp + 3_600);
        bytes4 notNext = SettlementV4.NotNextDay.selector;
        _refuse(owner, FIRST_DAY + 1, abi.encodeWithSelector(notNext, FIRST_DAY + 1, FIRST_DAY));
        _commit(_empty(FIRST_DAY));
        _refuse(owner, FIRST_DAY, abi.encodeWithSelector(SettlementV4.AlreadyCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "stuck");
        _void(stranger, FIRST_DAY);
        // It counts as released: no commit, veto, release or second void follows.
        bytes memory gone = abi.encodeWithSelector(notNext, FIRST_DAY, FIRST_DAY + 1);
        _refuse(owner, FIRST_DAY, gone);
        _refuseCommit(_empty(FIRST_DAY), gone);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        settlement.release(_empty(FIRST_DAY));
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "late");
    }

    function test_AReleasedDayIsNotVoided() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        vm.warp(CLOSE + 40 days);
        _refuse(
            owner, FIRST_DAY, abi.encodeWithSelector(SettlementV4.NotNextDay.selector, FIRST_DAY, FIRST_DAY + 1)
        );
    }

    // ------------------------------------------------------------------------------------- what it does

    function test_AVoidMovesOnlyCarryAndBooksTheStakeAsRefundable() public {
        _buy(0, 40);
        _settle(_empty(FIRST_DAY));
        PoolState memory before = _state(0);
        _warpToNoon(FIRST_DAY + 1);
        _relay(0, 4, 2, 70_000);
        _buy(3, 1);
        uint256 held = reserve.held();
        uint256 balance = usdt.balanceOf(address(reserve));
        uint256 fees = reserve.accruedFees();
        PoolState[5] memory closing = settlement.openingState();
        closing[0].carry += closing[0].lastRollover;
        closing[0].lastRollover = 0;
        vm.warp(CLOSE + 1 days + 7 days);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.DayVoided(FIRST_DAY + 1, 6_500_000, closing);
        _void(stranger, FIRST_DAY + 1);

        PoolState memory state = _state(0);
        vm.assertEq(state.carry, before.carry + before.lastRollover);
        vm.assertEq(state.lastRollover, 0);
        vm.assertEq(state.reserve, before.reserve);
        vm.assertEq(state.streak, before.streak);
        vm.assertEq(_state(3).reserve + _state(3).carry + _state(3).lastRollover + _state(3).streak, 0);
        vm.assertEq(reserve.refundable(FIRST_DAY + 1), 6_500_000);
        vm.assertEq(reserve.refundableTotal(), 6_500_000);
        vm.assertEq(reserve.held(), held);
        vm.assertEq(usdt.balanceOf(address(reserve)), balance);
        vm.assertEq(reserve.accruedFees(), fees);
        vm.assertEq(reserve.accruedGas(), 70_000);
        vm.assertEq(prizes.rootOf(FIRST_DAY + 1), bytes32(0));
        vm.assertEq(settlement.settlementHash(FIRST_DAY + 1), bytes32(0));
        vm.assertEq(settlement.openingStateHash(FIRST_DAY + 2), keccak256(abi.encode(settlement.openingState())));
        (, uint256 nextDay,,) = game.sales();
        vm.assertEq(nextDay, FIRST_DAY + 2);
        _assertSolvent();
        // The next day is settled as if nothing had happened.
        _settle(_empty(FIRST_DAY + 2));
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- refunds

    function test_AnyoneRefundsABuyerOncePerNonceTheStakeAndNotTheGas() public {
        bytes16 first = _relay(0, 4, 3, 70_000);
        bytes16 second = _buy(4, 1);
        uint256 before = usdt.balanceOf(player);
        vm.warp(CLOSE + 7 days);
        _void(stranger, FIRST_DAY);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.Refunded(FIRST_DAY, player, first, player, 1_000_000);
        vm.prank(stranger);
        reserve.refund(player, _nonce(first));
        vm.assertEq(usdt.balanceOf(player) - before, 1_000_000);
        vm.assertEq(reserve.refundable(FIRST_DAY), 10_750_000);
        (uint256 day, uint256 stake, bool refunded) = game.noteOf(player, first);
        vm.assertEq(day, FIRST_DAY);
        vm.assertEq(stake, 1_000_000);
        vm.assertTrue(refunded);
        vm.assertTrue(game.nonceUsed(player, first));
        // A refunded nonce is skipped; if none is left, it reverts.
        reserve.refund(player, _three(first, second, second));
        vm.assertEq(usdt.balanceOf(player) - before, 11_000_000);
        _refuseRefund(player, _three(first, second, first), ReserveVault.NothingToRefund.selector);
        _refuseRefund(player, new bytes16[](0), ReserveVault.NothingToRefund.selector);
        vm.assertEq(reserve.refundable(FIRST_DAY), 750_000);
        _assertSolvent();
        reserve.refundVouchers(FIRST_DAY);
        vm.assertEq(reserve.refundable(FIRST_DAY), 0);
        vm.assertEq(reserve.refundableTotal(), 0);
        // Only the gas cost is left here.
        vm.assertEq(reserve.held(), 70_000);
        _assertSolvent();
    }

    function test_AnUnknownNonceOrAStrangersIsNotRefunded() public {
        bytes16 nonce = _buy(0, 1);
        vm.warp(CLOSE + 7 days);
        _void(stranger, FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(GameManager.UnknownNonce.selector, player, bytes16("unknown")));
        reserve.refund(player, _nonce("unknown"));
        vm.expectRevert(abi.encodeWithSelector(GameManager.UnknownNonce.selector, stranger, nonce));
        vm.prank(stranger);
        reserve.refund(stranger, _nonce(nonce));
        reserve.refund(player, _nonce(nonce));
    }

    function test_ATicketOfADayThatIsNotVoidedIsNotRefunded() public {
        bytes16 settled = _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        _warpToNoon(FIRST_DAY + 1);
        bytes16 voided = _buy(0, 2);
        _warpToNoon(FIRST_DAY + 2);
        bytes16 open = _buy(0, 3);
        vm.warp(CLOSE + 8 days);
        _void(stranger, FIRST_DAY + 1);
        _refuseRefundOf(settled, FIRST_DAY);
        _refuseRefundOf(open, FIRST_DAY + 2);
        // Not in one call with a voided one, either.
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotRefundable.selector, FIRST_DAY + 2));
        reserve.refund(player, _three(voided, open, voided));
        reserve.refund(player, _nonce(voided));
        vm.assertEq(reserve.refundableTotal(), 0);
        _assertSolvent();
    }

    function test_OneCallRefundsTicketsOfManyDays() public {
        bytes16 first = _buy(0, 1);
        _warpToNoon(FIRST_DAY + 1);
        bytes16 second = _buy(1, 1);
        vm.warp(CLOSE + 8 days);
        _void(stranger, FIRST_DAY);
        _void(stranger, FIRST_DAY + 1);
        uint256 before = usdt.balanceOf(player);
        reserve.refund(player, _three(first, second, first));
        vm.assertEq(usdt.balanceOf(player) - before, 750_000);
    }

    function test_VouchersGoBackOnceToTheAccountThatPaidThem() public {
        _relay(0, 1, 4, 0);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotRefundable.selector, FIRST_DAY));
        reserve.refundVouchers(FIRST_DAY);
        _succeed(Office.Promotions, address(0xD0));
        vm.warp(CLOSE + 7 days);
        _void(stranger, FIRST_DAY);
        vm.expectRevert(ReserveVault.NothingToRefund.selector);
        reserve.refundVouchers(FIRST_DAY + 1);
        uint256 before = usdt.balanceOf(promotions);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.VouchersRefunded(FIRST_DAY, promotions, promotions, 1_000_000);
        vm.prank(stranger);
        reserve.refundVouchers(FIRST_DAY);
        vm.assertEq(usdt.balanceOf(promotions) - before, 1_000_000);
        vm.assertEq(usdt.balanceOf(address(0xD0)), 0);
        (,, bool refunded) = reserve.vouchersOf(FIRST_DAY);
        vm.assertTrue(refunded);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.VouchersAlreadyRefunded.selector, FIRST_DAY));
        reserve.refundVouchers(FIRST_DAY);
        _assertSolvent();
    }

    function test_VouchersOfASettledDayAreNotRefunded() public {
        _relay(0, 1, 4, 0);
        _settle(_empty(FIRST_DAY));
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotRefundable.selector, FIRST_DAY));
        reserve.refundVouchers(FIRST_DAY);
    }

    /// @dev Whatever was sold, the refunds of a voided day add up to its stake, to the atom.
    function testFuzz_RefundsAddUpToTheStakeOfTheDay(uint8[6] memory paid, uint8[6] memory vouchers) public {
        bytes16[] memory nonces = new bytes16[](6);
        for (uint256 i = 0; i < 6; ++i) {
            nonces[i] = _relay(uint8(i % 5), paid[i] % 130 + 1, vouchers[i] % 8, i);
        }
        uint256 stake = _stakeOfDay(FIRST_DAY);
        vm.warp(CLOSE + 7 days);
        _void(stranger, FIRST_DAY);
        vm.assertEq(reserve.refundable(FIRST_DAY), stake);
        uint256 before = usdt.balanceOf(player) + usdt.balanceOf(promotions);
        reserve.refund(player, nonces);
        (, uint256 voucherStake,) = reserve.vouchersOf(FIRST_DAY);
        if (voucherStake > 0) reserve.refundVouchers(FIRST_DAY);
        vm.assertEq(reserve.refundable(FIRST_DAY), 0);
        vm.assertEq(usdt.balanceOf(player) + usdt.balanceOf(promotions) - before, stake);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- helpers

    function _void(address by, uint256 day) private {
        vm.prank(by);
        settlement.voidDay(day);
    }

    function _refuse(address by, uint256 day, bytes memory reason) private {
        vm.expectRevert(reason);
        _void(by, day);
    }

    function _notYet(uint256 notBefore) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SettlementV4.VoidNotAllowedYet.selector, FIRST_DAY, notBefore);
    }

    function _assertVoidableFrom(uint256 byOwner, uint256 byAnyone) private view {
        (uint256 ownerFrom, uint256 anyoneFrom) = settlement.voidableFrom(FIRST_DAY);
        vm.assertEq(ownerFrom, byOwner);
        vm.assertEq(anyoneFrom, byAnyone);
    }

    function _refuseRefund(address buyer, bytes16[] memory nonces, bytes4 reason) private {
        vm.expectRevert(abi.encodeWithSelector(reason));
        reserve.refund(buyer, nonces);
    }

    function _refuseRefundOf(bytes16 nonce, uint256 day) private {
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotRefundable.selector, day));
        reserve.refund(player, _nonce(nonce));
    }

    function _three(bytes16 a, bytes16 b, bytes16 c) private pure returns (bytes16[] memory nonces) {
        nonces = new bytes16[](3);
        (nonces[0], nonces[1], nonces[2]) = (a, b, c);
    }
}
