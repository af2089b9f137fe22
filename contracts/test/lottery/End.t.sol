// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {Office, Settlement} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {EndReceiver} from "./Wallets.sol";

/// @notice The end of a game: announced by OWNER, or by anyone when the game is abandoned.
contract EndTest is Base {
    uint256 private constant LAST = FIRST_DAY + 30;

    EndReceiver private _receiver;

    function setUp() public override {
        super.setUp();
        _receiver = new EndReceiver(address(settlement));
    }

    // ------------------------------------------------------------------------------------- announcing

    function test_OnlyTheOwnerAnnouncesAnEnd() public {
        address[4] memory others = [guardian, settler, promotions, stranger];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, others[i]));
            vm.prank(others[i]);
            settlement.announceEnd(LAST, heir);
        }
    }

    function test_TheLastDayIs30To366DaysAhead() public {
        bytes4 early = SettlementV4.EndTooEarly.selector;
        bytes4 late = SettlementV4.EndTooLate.selector;
        _refuse(0, heir, abi.encodeWithSelector(early, 0, LAST));
        _refuse(FIRST_DAY - 1, heir, abi.encodeWithSelector(early, FIRST_DAY - 1, LAST));
        _refuse(LAST - 1, heir, abi.encodeWithSelector(early, LAST - 1, LAST));
        uint256 latest = FIRST_DAY + 366;
        _refuse(latest + 1, heir, abi.encodeWithSelector(late, latest + 1, latest));
        _refuse(type(uint256).max, heir, abi.encodeWithSelector(late, type(uint256).max, latest));
        // A day that would be small if it were cut to 64 bits.
        uint256 cut = (uint256(1) << 64) + LAST;
        _refuse(cut, heir, abi.encodeWithSelector(late, cut, latest));
        _announce(latest, heir);
        vm.prank(owner);
        settlement.cancelEnd();
        _announce(LAST, heir);
    }

    function test_TheLastDayIsNotBeforeTheFirst() public {
        _deploy(address(coordinator), LAST);
        vm.warp(block.timestamp - 1 days);
        _refuse(LAST - 1, heir, abi.encodeWithSelector(SettlementV4.EndTooEarly.selector, LAST - 1, LAST));
        _announce(LAST, heir);
    }

    function test_AnEndIsAnnouncedByEventAndMovesTheSaleWindow() public {
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndAnnounced(LAST, address(_receiver), false);
        _announce(LAST, address(_receiver));
        _assertEnd(LAST, address(_receiver), false);
        _assertLastSale(LAST);
        // One at a time.
        _refuse(LAST + 1, heir, abi.encodeWithSelector(SettlementV4.EndAlreadyAnnounced.selector));
    }

    function test_TheReceiverIsCharityVaultTheHeirOrAContractThatAcceptsThisEnd() public {
        bytes4 refuses = SettlementV4.ReceiverRefuses.selector;
        EndReceiver other = new EndReceiver(address(this));
        address[3] memory bad = [stranger, address(other), address(coordinator)];
        for (uint256 i = 0; i < 3; ++i) _refuse(LAST, bad[i], abi.encodeWithSelector(refuses, bad[i]));
        _refuse(LAST, address(0), abi.encodeWithSelector(RoleBound.ZeroAddress.selector));
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            if (ours[i] == address(charityVault)) continue;
            _refuse(LAST, ours[i], abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i]));
        }
        address[3] memory good = [address(charityVault), heir, address(_receiver)];
        for (uint256 i = 0; i < 3; ++i) {
            _announce(LAST, good[i]);
            vm.prank(owner);
            settlement.cancelEnd();
        }
    }

    function test_OwnerOrGuardianCancelsAnEndAndSalesGoOn() public {
        vm.expectRevert(SettlementV4.NoEndAnnounced.selector);
        vm.prank(owner);
        settlement.cancelEnd();
        address[2] memory may = [owner, guardian];
        for (uint256 i = 0; i < 2; ++i) {
            _announce(LAST, heir);
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, settler));
            vm.prank(settler);
            settlement.cancelEnd();
            vm.expectEmit(true, true, true, true, address(settlement));
            emit SettlementV4.EndCancelled(may[i]);
            vm.prank(may[i]);
            settlement.cancelEnd();
            _assertEnd(0, address(0), false);
            _assertLastSale(type(uint64).max);
        }
        // Cancelling an end of OWNER's is no sign of life.
        vm.assertEq(settlement.aliveAt(), FIRST_DAY * 1 days);
    }

    function test_AnEndIsCancelledUntilItIsFinished() public {
        _announce(LAST, heir);
        _voidUntil(LAST);
        vm.prank(guardian);
        settlement.cancelEnd();
        vm.expectRevert(SettlementV4.NoEndAnnounced.selector);
        settlement.finish();
    }

    // ------------------------------------------------------------------------------------- finishing

    function test_FinishWaitsForEveryDayUpToTheLast() public {
        vm.expectRevert(SettlementV4.NoEndAnnounced.selector);
        settlement.finish();
        _announce(LAST, heir);
        _voidUntil(LAST - 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.DaysOpen.selector, LAST, LAST));
        settlement.finish();
        _settle(_empty(LAST));
        settlement.finish();
        vm.expectRevert(SettlementV4.GameFinished.selector);
        settlement.finish();
    }

    function test_FinishSendsThePoolsMoneyAndNothingElse() public {
        // Debts of every kind: a prize, a commission, fees, charity, gas, and a voided day's stake and vouchers.
        _relay(0, 100, 0, 70_000);
        Settlement memory s = _empty(FIRST_DAY);
        s.poolPayout[0] = 700_000;
        s.totalPayout = 700_000;
        s.merkleRoot = prizes.leafOf(FIRST_DAY, player, 700_000);
        s.affiliateTotal = 50_000;
        s.affiliateRoot = commissions.leafOf(FIRST_DAY, stranger, 50_000);
        s.charityTotal = 600_000;
        _settle(s);
        _warpToNoon(FIRST_DAY + 1);
        _buy(2, 10);
        _settle(_empty(FIRST_DAY + 1));
        _warpToNoon(FIRST_DAY + 2);
        bytes16 nonce = _relay(4, 2, 1, 0);
        vm.warp((FIRST_DAY + 3) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 2);
        uint256 last = block.timestamp / 1 days + 30;
        _announce(last, address(_receiver));
        _voidUntil(last);

        uint256 held = reserve.held();
        uint256 pools;
        for (uint256 p = 0; p < 5; ++p) pools += _state(p).carry + _state(p).reserve + _state(p).lastRollover;
        vm.assertTrue(pools > 0);
        uint256 streak = _state(0).streak;
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndFinished(address(_receiver), pools);
        vm.prank(stranger);
        settlement.finish();

        vm.assertTrue(settlement.finished());
        vm.assertEq(usdt.balanceOf(address(_receiver)), pools);
        vm.assertEq(reserve.held(), held - pools);
        for (uint256 p = 0; p < 5; ++p) {
            vm.assertEq(_state(p).carry + _state(p).reserve + _state(p).lastRollover, 0);
        }
        vm.assertEq(_state(0).streak, streak);
        bytes32 opening = settlement.openingStateHash(settlement.nextDay());
        vm.assertEq(opening, keccak256(abi.encode(settlement.openingState())));
        _assertSolvent();
        // All debts stay payable.
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        commissions.claim(FIRST_DAY, stranger, 50_000, new bytes32[](0));
        reserve.refund(player, _nonce(nonce));
        reserve.refundVouchers(FIRST_DAY + 2);
        reserve.withdrawFees();
        reserve.withdrawCharity();
        reserve.withdrawGas();
        vm.assertEq(reserve.held(), 0);
        vm.assertEq(usdt.balanceOf(address(reserve)), 0);
    }

    function test_AfterFinishNothingIsCommittedVoidedAnnouncedOrSold() public {
        _announce(LAST, heir);
        _voidUntil(LAST);
        settlement.finish();
        uint256 next = settlement.nextDay();
        vm.warp((next + 40) * 1 days);
        _refuseCommit(_empty(next), abi.encodeWithSelector(SettlementV4.GameFinished.selector));
        vm.expectRevert(SettlementV4.GameFinished.selector);
        settlement.voidDay(next);
        _refuse(next + 70, heir, abi.encodeWithSelector(SettlementV4.GameFinished.selector));
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert(SettlementV4.GameFinished.selector);
        settlement.announceAbandonedEnd();
        vm.expectRevert(SettlementV4.NoEndAnnounced.selector);
        vm.prank(owner);
        settlement.cancelEnd();
        _assertLastSale(LAST);
    }

    function test_FinishTakesACommitOfALaterDayBack() public {
        _announce(LAST, heir);
        _voidUntil(LAST);
        _makeDue(LAST + 1);
        Settlement memory s = _empty(LAST + 1);
        _commit(s);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.TakenBack(LAST + 1, keccak256(abi.encode(s)));
        settlement.finish();
        vm.assertEq(settlement.takebacks(LAST + 1), 1);
        vm.warp(block.timestamp + CHALLENGE);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, LAST + 1));
        settlement.release(s);
        // The settler can still lose its office.
        vm.prank(guardian);
        roles.suspend(Office.Settler);
    }

    function test_TheReceiverIsAskedAgainAtFinish() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        uint256 last = block.timestamp / 1 days + 30;
        _announce(last, address(_receiver));
        _voidUntil(last);
        _receiver.setSettlement(address(0));
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.ReceiverRefuses.selector, address(_receiver)));
        settlement.finish();
        _receiver.setSettlement(address(settlement));
        settlement.finish();
        vm.assertTrue(usdt.balanceOf(address(_receiver)) > 0);
    }

    function test_AGameWithoutMoneyEndsToo() public {
        _announce(LAST, heir);
        _voidUntil(LAST);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndFinished(heir, 0);
        settlement.finish();
    }

    function test_AnEndsReceiverHasAPayeeToo() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        uint256 pools = _state(0).carry + _state(0).reserve + _state(0).lastRollover;
        uint256 last = block.timestamp / 1 days + 30;
        _announce(last, heir);
        _voidUntil(last);
        usdt.setBlocked(heir, true);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, heir));
        settlement.finish();
        vm.assertFalse(settlement.finished());
        vm.prank(heir);
        reserve.setPayee(address(0x7E1));
        settlement.finish();
        vm.assertEq(usdt.balanceOf(address(0x7E1)), pools);
    }

    // ------------------------------------------------------------------------------------- after a drawn day's void

    function test_TheVoidOfADrawnDayTurnsAnAnnouncedEndToTheHeir() public {
        _sleepOverADrawnDay(address(_receiver));
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndAnnounced(LAST, heir, false);
        settlement.voidDay(FIRST_DAY);
        _assertEnd(LAST, heir, false);
        _assertLastSale(LAST);
    }

    function test_TheVoidOfAWordlessDayLeavesTheEndAlone() public {
        _buy(0, 1);
        _announce(LAST, address(_receiver));
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        _assertEnd(LAST, address(_receiver), false);
    }

    function test_For180DaysAfterTheVoidOfADrawnDayNoEndNamesAnotherThanTheHeir() public {
        _sleepOverADrawnDay(address(0));
        settlement.voidDay(FIRST_DAY);
        uint256 until = block.timestamp + 180 days;
        vm.warp(until - 1);
        uint256 last = block.timestamp / 1 days + 100;
        bytes memory heirOnly = abi.encodeWithSelector(SettlementV4.HeirOnly.selector, until);
        _refuse(last, address(_receiver), heirOnly);
        _refuse(last, address(charityVault), heirOnly);
        _announce(last, heir);
        vm.prank(owner);
        settlement.cancelEnd();
        vm.warp(until);
        _announce(last, address(_receiver));
    }

    // ------------------------------------------------------------------------------------- abandoned

    function test_AnyoneEndsAnAbandonedGame180DaysAfterItsFirstDay() public {
        uint256 start = FIRST_DAY * 1 days;
        vm.warp(start + 180 days - 1);
        _refuseAbandoned(start + 180 days);
        vm.warp(start + 180 days);
        uint256 last = FIRST_DAY + 180 + 30;
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndAnnounced(last, heir, true);
        vm.prank(stranger);
        settlement.announceAbandonedEnd();
        _assertEnd(last, heir, true);
        _assertLastSale(last);
        vm.expectRevert(SettlementV4.EndAlreadyAnnounced.selector);
        settlement.announceAbandonedEnd();
        _refuse(last, heir, abi.encodeWithSelector(SettlementV4.EndAlreadyAnnounced.selector));
    }

    function test_TheFirstDaysStartCountsAlsoWhenTheDeploymentIsOlder() public {
        _deploy(address(coordinator), FIRST_DAY + 30);
        vm.warp((FIRST_DAY + 30 + 180) * 1 days - 1);
        _refuseAbandoned((FIRST_DAY + 30 + 180) * 1 days);
    }

    function test_TheReleaseOfADayWithTipsIsASignOfLifeAndAVoidOrAnEmptyDayIsNone() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        uint256 alive = block.timestamp;
        vm.assertEq(settlement.aliveAt(), alive);
        _settle(_empty(FIRST_DAY + 1));
        _warpToNoon(FIRST_DAY + 2);
        _buy(0, 1);
        vm.warp((FIRST_DAY + 3) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 2);
        settlement.voidDay(FIRST_DAY + 3);
        vm.assertEq(settlement.aliveAt(), alive);
        vm.warp(alive + 180 days - 1);
        _refuseAbandoned(alive + 180 days);
        vm.warp(alive + 180 days);
        settlement.announceAbandonedEnd();
    }

    function test_OnlyTheOwnerCancelsAnAbandonedEndAndTheSilenceCountsAnew() public {
        _abandon();
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, guardian));
        vm.prank(guardian);
        settlement.cancelEnd();
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndCancelled(owner);
        vm.prank(owner);
        settlement.cancelEnd();
        uint256 alive = block.timestamp;
        vm.assertEq(settlement.aliveAt(), alive);
        _assertLastSale(type(uint64).max);
        _refuseAbandoned(alive + 180 days);
        vm.warp(alive + 180 days - 1);
        _refuseAbandoned(alive + 180 days);
        vm.warp(alive + 180 days);
        settlement.announceAbandonedEnd();
    }

    function test_TheReleaseOfADayWithTipsCancelsAnAbandonedEnd() public {
        _abandon();
        // Empty days change nothing.
        _voidUntil(block.timestamp / 1 days - 3);
        _settle(_empty(settlement.nextDay()));
        (,, bool abandoned) = settlement.end();
        vm.assertTrue(abandoned);
        uint256 today = block.timestamp / 1 days;
        _buy(0, 1);
        _voidUntil(today - 1);
        _makeDue(today);
        _commit(_empty(today));
        vm.warp(block.timestamp + CHALLENGE);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.EndCancelled(stranger);
        vm.prank(stranger);
        settlement.release(_empty(today));
        _assertEnd(0, address(0), false);
        vm.assertEq(settlement.aliveAt(), block.timestamp);
    }

    function test_TheReleaseOfADayWithTipsLeavesAnOwnersEndAlone() public {
        _buy(0, 1);
        _announce(LAST, heir);
        _settle(_empty(FIRST_DAY));
        _assertEnd(LAST, heir, false);
    }

    function test_AnAbandonedEndTakesThePlaceOfTheOwnersWhoseReceiverRefuses() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        uint256 pools = _state(0).carry + _state(0).reserve + _state(0).lastRollover;
        _announce(block.timestamp / 1 days + 30, address(_receiver));
        _receiver.setSettlement(address(0));
        vm.warp(block.timestamp + 180 days);
        settlement.announceAbandonedEnd();
        uint256 last = block.timestamp / 1 days + 30;
        _assertEnd(last, heir, true);
        _voidUntil(last);
        settlement.finish();
        vm.assertEq(usdt.balanceOf(heir), pools);
    }

    /// @dev No key acts: tickets are refunded, prizes paid, and the pools' money leaves.
    function test_WithoutAnyKeyEveryAtomLeaves() public {
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY);
        s.poolPayout[0] = 700_000;
        s.totalPayout = 700_000;
        s.merkleRoot = prizes.leafOf(FIRST_DAY, player, 700_000);
        _settle(s);
        _warpToNoon(FIRST_DAY + 1);
        bytes16 wordless = _buy(1, 10);
        _warpToNoon(FIRST_DAY + 2);
        bytes16 drawn = _buy(2, 10);
        // From here on nobody but strangers and the player acts.
        vm.warp((FIRST_DAY + 3) * 1 days);
        _seed(FIRST_DAY + 2, 1);
        vm.warp((FIRST_DAY + 3) * 1 days + 30 days);
        vm.prank(stranger);
        settlement.voidDay(FIRST_DAY + 1);
        vm.prank(stranger);
        settlement.voidDay(FIRST_DAY + 2);
        reserve.refund(player, _nonce(wordless));
        reserve.refund(player, _nonce(drawn));
        vm.warp(settlement.aliveAt() + 180 days);
        settlement.announceAbandonedEnd();
        _voidUntil(block.timestamp / 1 days + 30);
        settlement.finish();
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        reserve.withdrawFees();
        vm.assertEq(reserve.held(), 0);
        vm.assertEq(usdt.balanceOf(address(reserve)), 0);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _announce(uint256 lastDay, address receiver) private {
        vm.prank(owner);
        settlement.announceEnd(lastDay, receiver);
    }

    function _refuse(uint256 lastDay, address receiver, bytes memory reason) private {
        vm.expectRevert(reason);
        _announce(lastDay, receiver);
    }

    function _refuseAbandoned(uint256 notBefore) private {
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotAbandoned.selector, notBefore));
        settlement.announceAbandonedEnd();
    }

    function _abandon() private {
        vm.warp(settlement.aliveAt() + 180 days);
        settlement.announceAbandonedEnd();
    }

    /// @dev A ticket, its word, and nobody who commits for thirty days. An end may be announced meanwhile.
    function _sleepOverADrawnDay(address receiver) private {
        _buy(0, 1);
        if (receiver != address(0)) _announce(LAST, receiver);
        vm.warp(CLOSE);
        _seed(FIRST_DAY, 1);
        vm.warp(CLOSE + 30 days);
    }

    /// @dev Voids all open days up to this one, which have no tips.
    function _voidUntil(uint256 day) private {
        if (block.timestamp < (day + 2) * 1 days) vm.warp((day + 2) * 1 days);
        while (settlement.nextDay() <= day) settlement.voidDay(settlement.nextDay());
    }

    function _assertEnd(uint256 lastDay, address receiver, bool abandoned) private view {
        (uint256 last, address to, bool left) = settlement.end();
        vm.assertEq(last, lastDay);
        vm.assertEq(to, receiver);
        vm.assertTrue(left == abandoned);
    }

    function _assertLastSale(uint256 expected) private view {
        (,, uint256 lastDay,) = game.sales();
        vm.assertEq(lastDay, expected);
    }
}
