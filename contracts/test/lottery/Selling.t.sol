// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {BuyPermit, Office} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";

/// @notice When tickets are sold, the note that each leaves, vouchers and affiliates.
contract SellingTest is Base {
    // ------------------------------------------------------------------------------------- when

    function test_TheDeadlineCountsToTheSecond() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.deadline = uint64(block.timestamp);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        permit.nonce = "next";
        vm.warp(block.timestamp + 1);
        _refuse(permit, abi.encodeWithSelector(GameManager.DeadlinePassed.selector, block.timestamp - 1));
    }

    function test_OnlyTodayIsSold() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.deadline = type(uint64).max;
        permit.dayId = FIRST_DAY + 1;
        bytes4 wrongDay = GameManager.WrongDay.selector;
        _refuse(permit, abi.encodeWithSelector(wrongDay, FIRST_DAY + 1, FIRST_DAY));
        permit.dayId = FIRST_DAY;
        vm.warp(CLOSE);
        _refuse(permit, abi.encodeWithSelector(wrongDay, FIRST_DAY, FIRST_DAY + 1));
        vm.warp(CLOSE - 1);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
    }

    function test_NothingIsSoldBeforeTheFirstDay() public {
        vm.warp((FIRST_DAY - 30) * 1 days);
        _deploy(address(coordinator), FIRST_DAY);
        _fund(player);
        vm.warp(FIRST_DAY * 1 days - 1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.NotOpenYet.selector, FIRST_DAY));
        vm.warp(FIRST_DAY * 1 days);
        _buy(0, 1);
    }

    function test_NothingIsSoldBeforeSettlementStands() public {
        _deployParts(address(coordinator), FIRST_DAY);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.SalesStopped.selector, FIRST_DAY, 0));
    }

    function test_SalesStopMoreThanFiveDaysAfterTheOldestUnsettledDayAndResumeByThemselves() public {
        vm.warp((FIRST_DAY + 6) * 1 days - 1);
        _buy(0, 1);
        vm.warp((FIRST_DAY + 6) * 1 days);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.SalesStopped.selector, FIRST_DAY + 6, FIRST_DAY));
        _settle(_empty(FIRST_DAY));
        _buy(0, 1);
        // A void counts as well.
        vm.warp((FIRST_DAY + 7) * 1 days);
        permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.SalesStopped.selector, FIRST_DAY + 7, FIRST_DAY + 1));
        settlement.voidDay(FIRST_DAY + 1);
        _buy(0, 1);
    }

    function test_SalesStopAfterTheLastDayOfTheGame() public {
        vm.prank(owner);
        settlement.announceEnd(FIRST_DAY + 30, heir);
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 30; ++day) {
            vm.warp((day + 2) * 1 days);
            settlement.voidDay(day);
        }
        vm.warp((FIRST_DAY + 31) * 1 days - 1);
        _buy(0, 1);
        vm.warp((FIRST_DAY + 31) * 1 days);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.GameEnds.selector, FIRST_DAY + 31, FIRST_DAY + 30));
        // Cancelled: they go on.
        vm.prank(guardian);
        settlement.cancelEnd();
        _buy(0, 1);
    }

    function test_OnlySettlementMovesTheWindow() public {
        address[3] memory others = [owner, settler, address(reserve)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettlement.selector, others[i]));
            vm.prank(others[i]);
            game.setSaleWindow(1, 2);
        }
        (, uint256 nextDay, uint256 lastDay, bool paused) = game.sales();
        vm.assertEq(nextDay, FIRST_DAY);
        vm.assertEq(lastDay, type(uint64).max);
        vm.assertFalse(paused);
    }

    function test_TheGuardianPausesPurchasesAndNothingElse() public {
        bytes16 nonce = _relay(0, 100, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardian.selector, owner));
        vm.prank(owner);
        game.pausePurchases();
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.PurchasesPaused(guardian);
        vm.prank(guardian);
        game.pausePurchases();
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.PurchasesArePaused.selector));
        bytes memory signature = _sign(permit);
        vm.expectRevert(GameManager.PurchasesArePaused.selector);
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(1), signature);
        // Commit, veto, release, void, refund, pulls and the end go on.
        _makeDue(FIRST_DAY);
        _commit(_empty(FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "once");
        _settle(_empty(FIRST_DAY));
        reserve.withdrawFees();
        reserve.withdrawGas();
        vm.warp((FIRST_DAY + 3) * 1 days);
        settlement.voidDay(FIRST_DAY + 1);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotRefundable.selector, FIRST_DAY));
        reserve.refund(player, _nonce(nonce));
        vm.prank(owner);
        settlement.announceEnd(FIRST_DAY + 33, heir);
        vm.prank(owner);
        settlement.cancelEnd();
        (,,, bool paused) = game.sales();
        vm.assertTrue(paused);
    }

    function test_OwnerOrGuardianEndsThePause() public {
        address[2] memory may = [owner, guardian];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(guardian);
            game.pausePurchases();
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, relayer));
            vm.prank(relayer);
            game.unpausePurchases();
            vm.expectEmit(true, true, true, true, address(game));
            emit GameManager.PurchasesUnpaused(may[i]);
            vm.prank(may[i]);
            game.unpausePurchases();
            _buy(0, 1);
        }
    }

    // ------------------------------------------------------------------------------------- notes

    function test_ANonceIsSpentForEverPerBuyerAndHoldsDayAndPaidStake() public {
        BuyPermit memory permit = _permit(player, 2, 3, 0, _tips(3));
        vm.assertFalse(game.nonceUsed(player, permit.nonce));
        vm.prank(player);
        game.buyTicket(permit, _tips(3));
        vm.assertTrue(game.nonceUsed(player, permit.nonce));
        _assertNote(player, permit.nonce, FIRST_DAY, 3_000_000, false);
        bytes memory used = abi.encodeWithSelector(GameManager.NonceUsed.selector, player, permit.nonce);
        vm.expectRevert(used);
        vm.prank(player);
        game.buyTicket(permit, _tips(3));
        bytes memory signature = _sign(permit);
        vm.expectRevert(used);
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(3), signature);
        // Another buyer's equal nonce is another nonce.
        _fund(stranger);
        permit.buyer = stranger;
        vm.prank(stranger);
        game.buyTicket(permit, _tips(3));
        _assertNote(address(0xBAD), permit.nonce, 0, 0, false);
    }

    function test_ARelayedTicketSpendsTheSameNoncesAndNotesOnlyWhatThePlayerPaid() public {
        bytes16 nonce = _relay(0, 2, 3, 70_000);
        _assertNote(player, nonce, FIRST_DAY, 500_000, false);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.nonce = nonce;
        _refuse(permit, abi.encodeWithSelector(GameManager.NonceUsed.selector, player, nonce));
    }

    function test_ZeroIsANonceLikeAnyOther() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.nonce = 0;
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        _refuse(permit, abi.encodeWithSelector(GameManager.NonceUsed.selector, player, bytes16(0)));
    }

    function test_OnlyReserveVaultTakesNotes() public {
        bytes16 nonce = _buy(0, 1);
        address[3] memory others = [owner, player, address(settlement)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(GameManager.NotReserveVault.selector, others[i]));
            vm.prank(others[i]);
            game.takeNote(player, nonce);
        }
    }

    // ------------------------------------------------------------------------------------- vouchers

    function test_VoucherStakeCountsAgainstADailyCap() public {
        // 100 tips of 10 USDT are the cap.
        _relay(4, 1, 99, 0);
        bytes memory tips = _tips(3);
        BuyPermit memory permit = _permit(player, 4, 1, 2, tips);
        bytes memory signature = _sign(permit);
        vm.expectRevert(
            abi.encodeWithSelector(ReserveVault.VoucherCapExceeded.selector, FIRST_DAY, VOUCHER_CAP + 10e6, VOUCHER_CAP)
        );
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        _relay(4, 1, 1, 0);
        _assertVouchers(FIRST_DAY, promotions, VOUCHER_CAP, false);
        // The smallest one is too many, and a ticket without vouchers is not.
        permit = _permit(player, 0, 1, 1, _tips(2));
        signature = _sign(permit);
        vm.expectRevert(
            abi.encodeWithSelector(ReserveVault.VoucherCapExceeded.selector, FIRST_DAY, VOUCHER_CAP + 250_000, VOUCHER_CAP)
        );
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(2), signature);
        _relay(0, 1, 0, 0);
        _assertSolvent();
        // The next day has a cap of its own.
        _warpToNoon(FIRST_DAY + 1);
        _relay(4, 1, 100, 0);
    }

    function test_ALowerCapCountsAtOnce() public {
        _relay(4, 1, 1, 0);
        vm.prank(owner);
        reserve.lowerVoucherCap(10e6);
        BuyPermit memory permit = _permit(player, 0, 1, 1, _tips(2));
        bytes memory signature = _sign(permit);
        vm.expectRevert(
            abi.encodeWithSelector(ReserveVault.VoucherCapExceeded.selector, FIRST_DAY, 10_250_000, 10e6)
        );
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(2), signature);
    }

    function test_TheAccountThatPaidADaysFirstVoucherPaysAllOfThatDays() public {
        vm.warp(FIRST_DAY * 1 days);
        vm.prank(owner);
        roles.nameHolder(Office.Promotions, address(0xD0));
        _fund(address(0xD0));
        vm.warp((FIRST_DAY + 2) * 1 days + 1 hours);
        uint256 today = FIRST_DAY + 2;
        _relay(0, 1, 1, 0);
        vm.prank(address(0xD0));
        roles.takeOffice(Office.Promotions);
        uint256 before = usdt.balanceOf(promotions);
        _relay(1, 1, 2, 0);
        vm.assertEq(before - usdt.balanceOf(promotions), 1_000_000);
        _assertVouchers(today, promotions, 1_250_000, false);
        // The next day is the successor's.
        _warpToNoon(today + 1);
        _relay(0, 1, 1, 0);
        vm.assertEq(before - usdt.balanceOf(promotions), 1_000_000);
        _assertVouchers(today + 1, address(0xD0), 250_000, false);
    }

    function test_NamedForPromotionsMeansNothingBeforeTheAccountTakesOffice() public {
        vm.prank(owner);
        roles.nameHolder(Office.Promotions, player);
        vm.warp(block.timestamp + 48 hours);
        uint256 before = usdt.balanceOf(player);
        // The player has approved the vault for his own tickets; a voucher is still paid by the old account.
        _relay(0, 1, 1, 0);
        vm.assertEq(before - usdt.balanceOf(player), 250_000);
    }

    // ------------------------------------------------------------------------------------- affiliates

    function test_TheFirstPurchaseBindsTheAffiliateForEver() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = address(0xAFF);
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.AffiliateBound(player, address(0xAFF));
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        permit = _permit(player, 0, 1, 0, _tips(1));
        // Ignored, even if it would be refused at a first purchase.
        permit.affiliate = player;
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        (, address affiliate) = game.affiliateOf(player);
        vm.assertEq(affiliate, address(0xAFF));
    }

    function test_NoneIsBoundForEverToo() public {
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.AffiliateBound(player, address(0));
        _buy(0, 1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = address(0xAFF);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        (bool bound, address affiliate) = game.affiliateOf(player);
        vm.assertTrue(bound);
        vm.assertEq(affiliate, address(0));
    }

    function test_NobodyRefersHimself() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = player;
        _refuse(permit, abi.encodeWithSelector(GameManager.SelfReferral.selector));
    }

    function test_NoAffiliateIsOurs() public {
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
            permit.affiliate = ours[i];
            _refuse(permit, abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i]));
        }
    }

    function test_EventAndDigestCarryTheBoundAffiliateWhateverAPermitSays() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = address(0xAFF);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        bytes32 digest = game.poolDays(FIRST_DAY)[0].digest;
        permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = address(0xBFF);
        digest = keccak256(
            abi.encode(digest, 2, player, 1, 0, address(0xAFF), 250_000, permit.tipsHash)
        );
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.TicketPurchased(
            2, FIRST_DAY, player, 0, 1, 0, address(0xAFF), 250_000, 0, permit.nonce, _tips(1), digest
        );
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuse(BuyPermit memory permit, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(permit.buyer);
        game.buyTicket(permit, _tips(1));
    }

    function _assertNote(address buyer, bytes16 nonce, uint256 dayId, uint256 stake, bool refunded) private view {
        (uint256 noted, uint256 paid, bool back) = game.noteOf(buyer, nonce);
        vm.assertEq(noted, dayId);
        vm.assertEq(paid, stake);
        vm.assertTrue(back == refunded);
    }

    function _assertVouchers(uint256 dayId, address account, uint256 stake, bool refunded) private view {
        (address payer, uint256 sum, bool back) = reserve.vouchersOf(dayId);
        vm.assertEq(payer, account);
        vm.assertEq(sum, stake);
        vm.assertTrue(back == refunded);
    }
}
