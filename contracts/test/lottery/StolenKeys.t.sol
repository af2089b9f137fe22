// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Roles} from "../../src/lottery/Roles.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {BuyPermit, Office, PoolState, Settlement, Split} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {EndReceiver} from "./Wallets.sol";

/// @notice What a thief of each key can do at worst, carried out. docs/contracts.md names these tests.
contract StolenKeysTest is Base {
    address private constant THIEF = address(0x7E1);
    /// @dev Holds the offices that the thief of OWNER names.
    address private constant PAL = address(0x7E2);

    // ------------------------------------------------------------------------------------- SETTLER

    function test_StolenSettler_ASuspensionTakesItsForgedRootBack() public {
        bytes32 money = _playTwoDays();
        Settlement memory forged = _forge(FIRST_DAY + 1);
        _commit(forged);
        vm.warp(block.timestamp + CHALLENGE - 1);
        vm.prank(guardian);
        roles.suspend(Office.Settler);
        vm.assertEq(settlement.takebacks(FIRST_DAY + 1), 1);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY + 1));
        settlement.release(forged);
        // It commits no more, and nothing has moved.
        _refuseCommit(forged, abi.encodeWithSelector(RoleBound.NotSettler.selector, settler));
        vm.assertEq(_money(), money);
        // A new one settles the day 48 hours later.
        _succeed(Office.Settler, address(0xC1));
        settler = address(0xC1);
        _settle(_empty(FIRST_DAY + 1));
        _assertSolvent();
    }

    function test_StolenSettler_WhileAllSleepItTakesOneDaysBudgetNineTenthsOfTheReserveAndTheFee() public {
        _playTwoDays();
        Settlement memory forged = _forge(FIRST_DAY + 1);
        uint256 debts = reserve.accruedFees() + prizes.totalReleased();
        uint256 tenth;
        for (uint256 p = 0; p < 5; ++p) {
            tenth += _state(p).reserve + _split(FIRST_DAY + 1, p).jackpot - forged.poolJackpotPayout[p];
        }
        uint256 rollover = _split(FIRST_DAY + 1, 0).rollover;
        _commit(forged);
        vm.warp(block.timestamp + CHALLENGE - 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, block.timestamp + 1));
        settlement.release(forged);
        vm.warp(block.timestamp + 1);
        settlement.release(forged);
        _takeLoot(forged);
        // What was owed before, a tenth of each reserve and the rollover are untouched.
        vm.assertEq(reserve.held(), debts + tenth + rollover);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- OWNER

    function test_StolenOwner_Needs50HoursWhileTheGuardianSleeps() public {
        uint256 start = block.timestamp;
        _name(Office.Guardian, PAL);
        _name(Office.Settler, THIEF);
        _playTwoDays();
        vm.warp(start + 48 hours - 1);
        _refuseOffice(Office.Guardian, PAL, start + 48 hours);
        _refuseOffice(Office.Settler, THIEF, start + 48 hours);
        vm.warp(start + 48 hours);
        _take(Office.Guardian, PAL);
        _take(Office.Settler, THIEF);
        _robAt(FIRST_DAY + 1, start + 50 hours);
    }

    function test_StolenOwner_Needs98HoursIfTheGuardianCancels() public {
        uint256 start = block.timestamp;
        _name(Office.Guardian, PAL);
        _name(Office.Settler, THIEF);
        _playTwoDays();
        vm.warp(start + 48 hours);
        // In its last second the guardian cancels; its own successor's naming it cannot.
        vm.expectRevert(Roles.OwnSuccessor.selector);
        vm.prank(guardian);
        roles.cancelNaming(Office.Guardian);
        vm.prank(guardian);
        roles.cancelNaming(Office.Settler);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotNamed.selector, Office.Settler, THIEF));
        vm.prank(THIEF);
        roles.takeOffice(Office.Settler);
        _take(Office.Guardian, PAL);
        _name(Office.Settler, THIEF);
        // The honest settler goes on.
        _settle(_empty(FIRST_DAY + 1));
        _warpToNoon(FIRST_DAY + 2);
        _buy(0, 100);
        _settle(_empty(FIRST_DAY + 2));
        _warpToNoon(FIRST_DAY + 3);
        _buy(0, 100);
        _warpToClose(FIRST_DAY + 3);
        _seed(FIRST_DAY + 3, 1);
        vm.warp(start + 96 hours - 1);
        _refuseOffice(Office.Settler, THIEF, start + 96 hours);
        vm.warp(start + 96 hours);
        _take(Office.Settler, THIEF);
        _robAt(FIRST_DAY + 3, start + 98 hours);
    }

    function test_StolenOwner_AWakefulGuardianVetoesTheSuccessorsCommitUntilItIsReplaced() public {
        _name(Office.Settler, THIEF);
        _playTwoDays();
        vm.warp(block.timestamp + 48 hours);
        _take(Office.Settler, THIEF);
        settler = THIEF;
        Settlement memory forged = _forge(FIRST_DAY + 1);
        _commit(forged);
        vm.prank(guardian);
        roles.suspend(Office.Settler);
        // Lifted by the thief, and taken back again.
        vm.prank(owner);
        roles.liftSuspension(THIEF);
        _commit(forged);
        vm.prank(guardian);
        settlement.veto(FIRST_DAY + 1, "forged");
        vm.assertEq(settlement.takebacks(FIRST_DAY + 1), 2);
    }

    function test_StolenOwner_TakesFeesGasAndCharityAfter48Hours() public {
        _relay(0, 100, 0, 70_000);
        Settlement memory s = _empty(FIRST_DAY);
        s.charityTotal = 687_500;
        _settle(s);
        reserve.withdrawCharity();
        vm.prank(owner);
        reserve.announceFeeReceiver(THIEF);
        vm.prank(owner);
        reserve.announceGasSafe(THIEF);
        vm.prank(owner);
        charityVault.announceCharity(THIEF, "Thieves");
        vm.warp(block.timestamp + 48 hours);
        reserve.execute("fee receiver");
        reserve.execute("gas safe");
        charityVault.execute(bytes32(uint256(uint160(THIEF))));
        reserve.withdrawFees();
        reserve.withdrawGas();
        vm.prank(owner);
        charityVault.pay(THIEF, 687_500);
        vm.assertEq(usdt.balanceOf(THIEF), 6_187_500 + 70_000 + 687_500);
        // No atom of a player.
        _assertSolvent();
        uint256 pools = _state(0).carry + _state(0).reserve + _state(0).lastRollover;
        vm.assertEq(reserve.held(), pools);
    }

    function test_StolenOwner_StopsTheKeysAtOnceAndThatMovesNoMoney() public {
        bytes32 money = _playTwoDays();
        vm.prank(owner);
        roles.removeHolder(Office.Settler);
        vm.prank(owner);
        roles.removeHolder(Office.Relayer);
        vm.prank(owner);
        reserve.lowerVoucherCap(0);
        vm.assertEq(_money(), money);
        // Players buy directly, and their day is refunded.
        bytes16 nonce = _buy(0, 1);
        vm.warp(block.timestamp + 31 days);
        settlement.voidDay(FIRST_DAY + 1);
        settlement.voidDay(FIRST_DAY + 2);
        reserve.refund(player, _nonce(nonce));
        _assertSolvent();
    }

    function test_StolenOwner_EndsTheGameForItselfAfter30DaysUnlessTheGuardianCancels() public {
        _playTwoDays();
        EndReceiver loot = new EndReceiver(address(settlement));
        uint256 last = block.timestamp / 1 days + 30;
        vm.prank(owner);
        settlement.announceEnd(last, address(loot));
        vm.prank(guardian);
        settlement.cancelEnd();
        vm.prank(owner);
        settlement.announceEnd(last, address(loot));
        _settle(_empty(FIRST_DAY + 1));
        vm.warp((last + 1) * 1 days + 1 hours);
        while (settlement.nextDay() < last) settlement.voidDay(settlement.nextDay());
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.DaysOpen.selector, last, last));
        settlement.finish();
        _settle(_empty(last));
        // The fees and the prize that nobody has claimed yet.
        uint256 debts = reserve.accruedFees() + 700_000;
        settlement.finish();
        vm.assertEq(reserve.held(), debts);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- GUARDIAN

    function test_StolenGuardian_DelaysAndTakesNothingAndLosesItsOfficeAfter48Hours() public {
        bytes32 money = _playTwoDays();
        _name(Office.Guardian, address(0xC1));
        uint256 named = block.timestamp;
        vm.prank(guardian);
        game.pausePurchases();
        vm.prank(guardian);
        prizes.pauseClaims();
        _makeDue(FIRST_DAY + 1);
        _commit(_empty(FIRST_DAY + 1));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY + 1, "no");
        vm.prank(guardian);
        roles.suspend(Office.Settler);
        vm.prank(guardian);
        roles.suspend(Office.Relayer);
        vm.expectRevert(Roles.OwnSuccessor.selector);
        vm.prank(guardian);
        roles.cancelNaming(Office.Guardian);
        vm.assertEq(_money(), money);
        vm.warp(named + 48 hours);
        _take(Office.Guardian, address(0xC1));
        vm.prank(owner);
        roles.liftSuspension(settler);
        vm.prank(owner);
        roles.liftSuspension(relayer);
        vm.prank(owner);
        game.unpausePurchases();
        vm.prank(owner);
        prizes.unpauseClaims();
        _buy(0, 1);
        _settle(_empty(FIRST_DAY + 1));
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- RELAYER

    function test_StolenRelayer_SpendsAtMostADaysVoucherCapAndIsSuspendedAtOnce() public {
        uint256 budget = usdt.balanceOf(promotions);
        // The thief's own account signs for vouchers, and pays one tip.
        _relay(4, 1, 100, 0);
        vm.assertEq(budget - usdt.balanceOf(promotions), VOUCHER_CAP);
        bytes memory tips = _tips(2);
        BuyPermit memory more = _permit(player, 0, 1, 1, tips);
        bytes memory signature = _sign(more);
        vm.expectRevert(
            abi.encodeWithSelector(
                ReserveVault.VoucherCapExceeded.selector, FIRST_DAY, VOUCHER_CAP + 250_000, VOUCHER_CAP
            )
        );
        vm.prank(relayer);
        game.buyTicketFor(more, tips, signature);
        vm.prank(guardian);
        roles.suspend(Office.Relayer);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotRelayer.selector, relayer));
        vm.prank(relayer);
        game.buyTicketFor(more, tips, signature);
        // Players go on by themselves.
        _buy(0, 1);
        _assertSolvent();
    }

    function test_StolenRelayer_CannotBuyForAPlayerWhoHasNotSigned() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        permit.gasCostUsdt = 5_000_000;
        vm.expectRevert(GameManager.BadSignature.selector);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
    }

    // ------------------------------------------------------------------------------------- promotions

    function test_StolenPromotions_TakesItsOwnMoneyAndItsOwnRefundsAndNothingElse() public {
        _relay(0, 1, 4, 0);
        vm.prank(promotions);
        usdt.approve(address(reserve), 0);
        vm.prank(promotions);
        reserve.setPayee(THIEF);
        bytes memory tips = _tips(2);
        BuyPermit memory permit = _permit(player, 0, 1, 1, tips);
        bytes memory signature = _sign(permit);
        vm.expectRevert();
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        // Tickets without vouchers are sold as before.
        bytes16 nonce = _relay(0, 1, 0, 0);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        reserve.refundVouchers(FIRST_DAY);
        vm.assertEq(usdt.balanceOf(THIEF), 1_000_000);
        reserve.refund(player, _nonce(nonce));
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- accounts without office

    function test_TheDeployer_HasNoPower() public {
        // This contract has deployed everything, and holds no office.
        bytes memory notOwner = abi.encodeWithSelector(RoleBound.NotOwner.selector, address(this));
        vm.expectRevert(notOwner);
        reserve.announceFeeReceiver(THIEF);
        vm.expectRevert(notOwner);
        settlement.announceEnd(FIRST_DAY + 30, heir);
        vm.expectRevert(notOwner);
        game.scheduleRuleset("mine", FIRST_DAY + 7);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, address(this)));
        roles.nameHolder(Office.Settler, THIEF);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, address(this)));
        roles.suspend(Office.Settler);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettlement.selector, address(this)));
        game.setSaleWindow(0, 0);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettlement.selector, address(this)));
        reserve.payEnd(THIEF, 1);
    }

    function test_StolenFeeReceiver_TakesTheFeesUntilItIsReplaced48HoursLater() public {
        _buy(0, 100);
        _settle(_empty(FIRST_DAY));
        vm.prank(owner);
        reserve.announceFeeReceiver(address(0xB9));
        vm.prank(feeReceiver);
        reserve.setPayee(THIEF);
        reserve.withdrawFees();
        vm.assertEq(usdt.balanceOf(THIEF), 6_875_000);
        vm.warp(block.timestamp + 48 hours);
        reserve.execute("fee receiver");
        uint256 today = block.timestamp / 1 days;
        _buy(0, 100);
        while (settlement.nextDay() < today - 1) settlement.voidDay(settlement.nextDay());
        _settle(_empty(today - 1));
        _settle(_empty(today));
        reserve.withdrawFees();
        vm.assertEq(usdt.balanceOf(address(0xB9)), 6_875_000);
        vm.assertEq(usdt.balanceOf(THIEF), 6_875_000);
        _assertSolvent();
    }

    function test_StolenHeir_GetsNothingBeforeAnEnd() public {
        bytes32 money = _playTwoDays();
        vm.prank(heir);
        reserve.setPayee(THIEF);
        vm.expectRevert(
            abi.encodeWithSelector(SettlementV4.NotAbandoned.selector, settlement.aliveAt() + 180 days)
        );
        vm.prank(heir);
        settlement.announceAbandonedEnd();
        vm.assertEq(_money(), money);
    }

    // ------------------------------------------------------------------------------------- helpers

    /// @dev A settled first day, with one winner who has not claimed, and a second one whose word is there.
    function _playTwoDays() private returns (bytes32 money) {
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY);
        s.poolPayout[0] = 700_000;
        s.totalPayout = 700_000;
        s.merkleRoot = prizes.leafOf(FIRST_DAY, player, 700_000);
        _settle(s);
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 100);
        _warpToClose(FIRST_DAY + 1);
        _seed(FIRST_DAY + 1, 1);
        vm.warp(settlement.earliestCommit(FIRST_DAY + 1));
        return _money();
    }

    /// @dev Everything that the contracts allow to one result, for the thief.
    function _forge(uint256 day) private view returns (Settlement memory s) {
        s = _empty(day);
        for (uint256 p = 0; p < 5; ++p) {
            if (game.poolDays(day)[p].tipCount == 0) continue;
            Split memory split = _split(day, p);
            PoolState memory state = _state(p);
            s.poolPayout[p] = state.carry + state.lastRollover + split.pot;
            s.poolJackpotPayout[p] = (state.reserve + split.jackpot) * 9 / 10;
            s.jackpotHit[p] = s.poolJackpotPayout[p] > 0;
            s.totalPayout += s.poolPayout[p] + s.poolJackpotPayout[p];
            s.affiliateTotal += split.fee;
        }
        s.merkleRoot = prizes.leafOf(day, THIEF, s.totalPayout);
        s.affiliateRoot = commissions.leafOf(day, THIEF, s.affiliateTotal);
    }

    /// @dev The thief, in the settler's office, commits at once and releases at the first possible second.
    function _robAt(uint256 day, uint256 time) private {
        settler = THIEF;
        Settlement memory forged = _forge(day);
        _commit(forged);
        vm.warp(time - 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, time));
        settlement.release(forged);
        vm.warp(time);
        settlement.release(forged);
        _takeLoot(forged);
        _assertSolvent();
    }

    function _takeLoot(Settlement memory forged) private {
        prizes.claim(forged.dayId, THIEF, forged.totalPayout, new bytes32[](0));
        commissions.claim(forged.dayId, THIEF, forged.affiliateTotal, new bytes32[](0));
        vm.assertEq(usdt.balanceOf(THIEF), forged.totalPayout + forged.affiliateTotal);
    }

    function _name(Office office, address account) private {
        vm.prank(owner);
        roles.nameHolder(office, account);
    }

    function _take(Office office, address account) private {
        vm.prank(account);
        roles.takeOffice(office);
    }

    function _refuseOffice(Office office, address account, uint256 notBefore) private {
        vm.expectRevert(abi.encodeWithSelector(Roles.TooEarly.selector, notBefore));
        _take(office, account);
    }

    /// @dev Debts, pools and balance in one value.
    function _money() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                usdt.balanceOf(address(reserve)),
                reserve.held(),
                settlement.openingState(),
                prizes.totalReleased(),
                reserve.accruedFees()
            )
        );
    }
}
