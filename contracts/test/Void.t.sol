// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../src/RoleBound.sol";
import {SettlementV4} from "../src/SettlementV4.sol";
import {DayRecord, PoolState, Settlement} from "../src/Types.sol";
import {Base} from "./Base.sol";

/// @notice The way out for a day that cannot be settled: everybody gets his stake back.
contract VoidTest is Base {
    uint256 private constant CLOSE = (FIRST_DAY + 1) * 1 days;
    bytes32 private constant ROOT = keccak256("refunds");

    function test_AMissingWordVoidsAfterThreeDays() public {
        _buy(0, 4);
        vm.warp(CLOSE + 3 days - 1);
        _refuse(FIRST_DAY, ROOT, 1_000_000, abi.encodeWithSelector(SettlementV4.VoidNotAllowedYet.selector, FIRST_DAY));
        vm.warp(CLOSE + 3 days);
        vm.assertTrue(settlement.voidable(FIRST_DAY));
        _void(FIRST_DAY, ROOT, 1_000_000);
        vm.assertEq(settlement.dayRecord(FIRST_DAY).status, 3);
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 1);
        vm.assertEq(prizes.rootOf(FIRST_DAY), ROOT);
        vm.assertEq(prizes.totalOf(FIRST_DAY), 1_000_000);
        vm.assertEq(usdt.balanceOf(address(prizes)), 1_000_000);
        vm.assertEq(usdt.balanceOf(address(reserve)), 0);
        vm.assertEq(commissions.rootOf(FIRST_DAY), bytes32(0));
        _assertSolvent();
    }

    function test_ALateWordDoesNotHinderAVoidButAnEarlierOneDoes() public {
        _buy(0, 1);
        vm.warp(CLOSE + 3 days);
        _seed(FIRST_DAY, 1);
        vm.assertFalse(settlement.voidable(FIRST_DAY));
        _refuse(FIRST_DAY, ROOT, 250_000, abi.encodeWithSelector(SettlementV4.VoidNotAllowedYet.selector, FIRST_DAY));
    }

    function test_AnyOldDayVoidsAfterThirtyDaysAndSevenDaysNotice() public {
        _buy(0, 1);
        vm.warp(CLOSE - 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.DayNotClosed.selector, FIRST_DAY));
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
        vm.warp(CLOSE + 28 days);
        _seed(FIRST_DAY, 1);
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.AlreadyAnnounced.selector, FIRST_DAY));
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
        vm.warp(CLOSE + 35 days - 1);
        _refuse(FIRST_DAY, ROOT, 250_000, abi.encodeWithSelector(SettlementV4.VoidNotAllowedYet.selector, FIRST_DAY));
        vm.warp(CLOSE + 35 days);
        _void(FIRST_DAY, ROOT, 250_000);
        _assertSolvent();
    }

    function test_AnAnnouncementAloneIsNotEnough() public {
        vm.warp(CLOSE);
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
        vm.warp(CLOSE + 30 days - 1);
        vm.assertFalse(settlement.voidable(FIRST_DAY));
        vm.warp(CLOSE + 30 days);
        // An empty day has nothing to give back.
        _void(FIRST_DAY, 0, 0);
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 1);
    }

    function test_NoVoidWhileACommitIsPending() public {
        _buy(0, 1);
        vm.warp(CLOSE + 24 days);
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
        vm.warp(CLOSE + 40 days);
        _seed(FIRST_DAY, 1);
        _commit(_empty(FIRST_DAY));
        _refuse(FIRST_DAY, ROOT, 250_000, abi.encodeWithSelector(SettlementV4.AlreadyCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "stuck");
        _void(FIRST_DAY, ROOT, 250_000);
    }

    function test_OnlyTheOwnerOnlyTheNextDayOnlyTheWholeStake() public {
        _buy(0, 1);
        vm.warp(CLOSE + 3 days);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, settler));
        vm.prank(settler);
        settlement.voidDay(FIRST_DAY, ROOT, 250_000);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, guardian));
        vm.prank(guardian);
        settlement.announceVoid(FIRST_DAY);
        _refuse(
            FIRST_DAY + 1, 0, 0, abi.encodeWithSelector(SettlementV4.NotNextDay.selector, FIRST_DAY + 1, FIRST_DAY)
        );
        bytes4 wrongTotal = SettlementV4.WrongRefundTotal.selector;
        _refuse(FIRST_DAY, ROOT, 249_999, abi.encodeWithSelector(wrongTotal, 250_000, 249_999));
        _refuse(FIRST_DAY, 0, 250_000, abi.encodeWithSelector(SettlementV4.RootTotalMismatch.selector, 0, 250_000));
        _void(FIRST_DAY, ROOT, 250_000);
        _refuse(
            FIRST_DAY, ROOT, 250_000, abi.encodeWithSelector(SettlementV4.NotNextDay.selector, FIRST_DAY, FIRST_DAY + 1)
        );
        bytes memory gone = abi.encodeWithSelector(SettlementV4.NotNextDay.selector, FIRST_DAY, FIRST_DAY + 1);
        vm.expectRevert(gone);
        vm.prank(settler);
        settlement.commitMerkleSettlement(_empty(FIRST_DAY));
        vm.expectRevert(gone);
        vm.prank(owner);
        settlement.announceVoid(FIRST_DAY);
    }

    function test_AVoidKeepsReserveAndStreakAndYesterdaysRollover() public {
        _buy(0, 40);
        _settle(_empty(FIRST_DAY));
        PoolState memory before = _state(0);
        vm.warp((FIRST_DAY + 1) * 1 days + 12 hours);
        _buy(0, 4);
        vm.warp((FIRST_DAY + 2) * 1 days + 3 days);
        _void(FIRST_DAY + 1, ROOT, 1_000_000);
        PoolState memory state = _state(0);
        vm.assertEq(state.carry, before.carry + before.lastRollover);
        vm.assertEq(state.lastRollover, 0);
        vm.assertEq(state.reserve, before.reserve);
        vm.assertEq(state.streak, before.streak);
        vm.assertEq(settlement.openingStateHash(FIRST_DAY + 2), keccak256(abi.encode(settlement.openingState())));
        _assertSolvent();
        // The next day is settled as if nothing had happened.
        _settle(_empty(FIRST_DAY + 2));
        _assertSolvent();
    }

    function test_RefundsAreClaimedLikePrizes() public {
        _buy(0, 4);
        vm.warp(CLOSE + 3 days);
        bytes32 root = prizes.leafOf(FIRST_DAY, player, 1_000_000);
        _void(FIRST_DAY, root, 1_000_000);
        uint256 before = usdt.balanceOf(player);
        prizes.claim(FIRST_DAY, player, 1_000_000, new bytes32[](0));
        vm.assertEq(usdt.balanceOf(player) - before, 1_000_000);
    }

    function _void(uint256 day, bytes32 root, uint256 total) private {
        vm.prank(owner);
        settlement.voidDay(day, root, total);
    }

    function _refuse(uint256 day, bytes32 root, uint256 total, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        settlement.voidDay(day, root, total);
    }
}
