// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Timelocked} from "../../src/lottery/Timelocked.sol";
import {BuyPermit, Settlement} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {GasBurningUSDT, PlainUSDT, ShortAnswerUSDT} from "./HostileUSDT.sol";

/// @notice The one holder of money: what comes in arrives to the atom, what goes out is booked first, and a token that
///         misbehaves stops nothing but purchases.
contract ReserveTest is Base {
    // ------------------------------------------------------------------------------------- pulls

    function test_AnyonePullsFeesCharityAndGasToTheirReceivers() public {
        _relay(0, 100, 0, 70_000);
        _settleWithCharity(687_500);
        uint256 held = reserve.held();
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.FeesWithdrawn(feeReceiver, 6_187_500);
        vm.prank(stranger);
        vm.assertEq(reserve.withdrawFees(), 6_187_500);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.CharityWithdrawn(address(charityVault), 687_500);
        vm.prank(stranger);
        vm.assertEq(reserve.withdrawCharity(), 687_500);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.GasWithdrawn(gasSafe, 70_000);
        vm.prank(stranger);
        vm.assertEq(reserve.withdrawGas(), 70_000);
        vm.assertEq(usdt.balanceOf(feeReceiver), 6_187_500);
        vm.assertEq(usdt.balanceOf(address(charityVault)), 687_500);
        vm.assertEq(usdt.balanceOf(gasSafe), 70_000);
        vm.assertEq(held - reserve.held(), 6_945_000);
        _assertSolvent();
        // Twice gives nothing more.
        vm.expectRevert(ReserveVault.NothingToPay.selector);
        reserve.withdrawFees();
        vm.expectRevert(ReserveVault.NothingToPay.selector);
        reserve.withdrawCharity();
        vm.expectRevert(ReserveVault.NothingToPay.selector);
        reserve.withdrawGas();
    }

    function test_PullsOfTwoDaysAreAddedUp() public {
        _relay(0, 100, 0, 1);
        _settle(_empty(FIRST_DAY));
        _warpToNoon(FIRST_DAY + 1);
        _relay(0, 100, 0, 2);
        _settle(_empty(FIRST_DAY + 1));
        vm.assertEq(reserve.accruedFees(), 2 * 6_875_000);
        vm.assertEq(reserve.accruedGas(), 3);
    }

    function test_ABlockedReceiverStopsNoSaleAndNoSettlementAndCanBeRedirectedOrReplaced() public {
        usdt.setBlocked(feeReceiver, true);
        usdt.setBlocked(gasSafe, true);
        usdt.setBlocked(address(charityVault), true);
        _relay(0, 100, 0, 70_000);
        _settleWithCharity(687_500);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, feeReceiver));
        reserve.withdrawFees();
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, gasSafe));
        reserve.withdrawGas();
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, address(charityVault)));
        reserve.withdrawCharity();
        vm.assertEq(reserve.accruedFees(), 6_187_500);
        vm.assertEq(reserve.accruedGas(), 70_000);
        vm.assertEq(reserve.accruedCharity(), 687_500);
        // Its own key names a payee; else OWNER another receiver.
        vm.prank(gasSafe);
        reserve.setPayee(address(0xB8));
        reserve.withdrawGas();
        vm.assertEq(usdt.balanceOf(address(0xB8)), 70_000);
        vm.prank(owner);
        reserve.announceFeeReceiver(address(0xB9));
        vm.warp(block.timestamp + 48 hours);
        reserve.execute("fee receiver");
        reserve.withdrawFees();
        vm.assertEq(usdt.balanceOf(address(0xB9)), 6_187_500);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- what the token calls blocked

    function test_ABlockedBuyerIsRefusedItsRefundAndRedirectsIt() public {
        bytes16 nonce = _buy(0, 1);
        usdt.setBlocked(player, true);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, player));
        reserve.refund(player, _nonce(nonce));
        (,, bool refunded) = game.noteOf(player, nonce);
        vm.assertFalse(refunded);
        vm.prank(player);
        reserve.setPayee(stranger);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.Refunded(FIRST_DAY, player, nonce, stranger, 250_000);
        reserve.refund(player, _nonce(nonce));
        vm.assertEq(usdt.balanceOf(stranger), 250_000);
        _assertSolvent();
    }

    function test_ABlockedPromotionsAccountRedirectsItsVouchers() public {
        _relay(0, 1, 1, 0);
        usdt.setBlocked(promotions, true);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, promotions));
        reserve.refundVouchers(FIRST_DAY);
        vm.prank(promotions);
        reserve.setPayee(stranger);
        reserve.refundVouchers(FIRST_DAY);
        vm.assertEq(usdt.balanceOf(stranger), 250_000);
    }

    /// @dev No such function, an answer shorter than a word, or none for all the gas: the account is paid.
    function test_ASilentTokenBlocksNobodyAndCostsAtMost30000Gas() public {
        address[3] memory codes = [
            address(new PlainUSDT()), address(new ShortAnswerUSDT()), address(new GasBurningUSDT())
        ];
        usdt.setBlocked(player, true);
        bytes16[3] memory nonces = [_buyBeforeBlock(), _buyBeforeBlock(), _buyBeforeBlock()];
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        uint256[3] memory gasUsed;
        for (uint256 i = 0; i < 3; ++i) {
            vm.etch(address(usdt), codes[i].code);
            uint256 before = usdt.balanceOf(player);
            uint256 gasBefore = gasleft();
            reserve.refund(player, _nonce(nonces[i]));
            gasUsed[i] = gasBefore - gasleft();
            vm.assertEq(usdt.balanceOf(player) - before, 250_000);
        }
        vm.assertLe(gasUsed[2], gasUsed[1] + 30_500);
        vm.assertGe(gasUsed[2], gasUsed[1] + 29_000, "less than 30000 gas");
    }

    /// @dev Who gives a call too little gas for the token's answer has too little for the transfer, too.
    function testFuzz_StarvingTheQueryPaysNoBlockedAccount(uint256 gasGiven) public {
        bytes16 nonce = _buy(0, 1);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        usdt.setBlocked(player, true);
        uint256 before = usdt.balanceOf(player);
        (bool ok,) = address(reserve).call{gas: 20_000 + gasGiven % 130_000}(
            abi.encodeCall(reserve.refund, (player, _nonce(nonce)))
        );
        vm.assertFalse(ok);
        vm.assertEq(usdt.balanceOf(player), before);
    }

    // ------------------------------------------------------------------------------------- a token that takes a fee

    function test_WhatComesInMustArriveToTheAtom() public {
        usdt.setFee(1);
        _refusePurchase(abi.encodeWithSelector(ReserveVault.WrongAmountReceived.selector, 250_000, 249_999));
        usdt.setFee(0);
        usdt.setUnderPaid(2);
        _refusePurchase(abi.encodeWithSelector(ReserveVault.WrongAmountReceived.selector, 250_000, 249_998));
        usdt.setUnderPaid(0);
        _buy(0, 1);
        // The vouchers' transfer, too.
        usdt.setFee(1);
        BuyPermit memory permit = _permit(player, 0, 1, 1, _tips(2));
        bytes memory signature = _sign(permit);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.WrongAmountReceived.selector, 500_000, 499_998));
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(2), signature);
    }

    function test_AFeeOfTheTokenFallsOnTheReceiverAndStopsOnlyPurchases() public {
        bytes16 refunded = _fillEveryDebt();
        uint256 today = block.timestamp / 1 days;
        while (settlement.nextDay() < today - 1) settlement.voidDay(settlement.nextDay());
        usdt.setFee(1_000);
        _refusePurchase(abi.encodeWithSelector(ReserveVault.WrongAmountReceived.selector, 250_000, 249_000));
        uint256 before = usdt.balanceOf(player);
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        vm.assertEq(usdt.balanceOf(player) - before, 699_000);
        commissions.claim(FIRST_DAY, stranger, 50_000, new bytes32[](0));
        vm.assertEq(usdt.balanceOf(stranger), 49_000);
        reserve.refund(player, _nonce(refunded));
        reserve.withdrawFees();
        reserve.withdrawCharity();
        reserve.withdrawGas();
        vm.assertEq(usdt.balanceOf(gasSafe), 69_000);
        _settle(_empty(today - 1));
        // Not one atom is missing.
        vm.assertEq(usdt.balanceOf(address(reserve)), reserve.held());
        _assertSolvent();
    }

    function test_ATokenThatPaysLessThanAskedStopsOnlyPurchases() public {
        bytes16 refunded = _fillEveryDebt();
        usdt.setUnderPaid(1_000);
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        reserve.refund(player, _nonce(refunded));
        reserve.withdrawFees();
        _settle(_empty(FIRST_DAY + 2));
        vm.assertEq(usdt.balanceOf(address(reserve)), reserve.held() + 3_000);
        _assertSolvent();
    }

    function test_OurBalanceMayFallByAtMostTheAmount() public {
        bytes16 refunded = _fillEveryDebt();
        usdt.setSurcharge(1);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.TooMuchTaken.selector, 700_000, 700_001));
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.TooMuchTaken.selector, 250_000, 250_001));
        reserve.refund(player, _nonce(refunded));
        usdt.setSurcharge(0);
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        reserve.refund(player, _nonce(refunded));
        _assertSolvent();
    }

    function test_OneMissingAtomFreezesNothing() public {
        bytes16 refunded = _fillEveryDebt();
        usdt.destroy(address(reserve), 1);
        vm.assertEq(usdt.balanceOf(address(reserve)) + 1, reserve.held());
        prizes.claim(FIRST_DAY, player, 700_000, new bytes32[](0));
        reserve.refund(player, _nonce(refunded));
        reserve.withdrawFees();
        _warpToNoon(FIRST_DAY + 2);
        _buy(0, 1);
        _settle(_empty(FIRST_DAY + 2));
        _assertHeld();
    }

    // ------------------------------------------------------------------------------------- sweep

    function test_ASweepTakesOnlyWhatIsBeyondAllDebtsAndOnlyToCharityVault() public {
        _buy(0, 1);
        usdt.mint(address(reserve), 500);
        _announceSweep(1_000);
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.Swept(500);
        vm.prank(stranger);
        reserve.sweep();
        vm.assertEq(usdt.balanceOf(address(charityVault)), 500);
        vm.assertEq(usdt.balanceOf(address(reserve)), reserve.held());
        _assertSolvent();
    }

    function test_ASweepTakesAtMostTheAnnouncedAmountOnce() public {
        usdt.mint(address(reserve), 500);
        _announceSweep(300);
        reserve.sweep();
        vm.assertEq(usdt.balanceOf(address(charityVault)), 300);
        vm.expectRevert(abi.encodeWithSelector(Timelocked.NothingAnnounced.selector, bytes32("sweep")));
        reserve.sweep();
    }

    function test_NothingIsSweptUnannouncedTooEarlyOrWhenNothingIsOver() public {
        vm.expectRevert(abi.encodeWithSelector(Timelocked.NothingAnnounced.selector, bytes32("sweep")));
        reserve.sweep();
        vm.expectRevert(ReserveVault.NothingToPay.selector);
        vm.prank(owner);
        reserve.announceSweep(0);
        vm.prank(owner);
        reserve.announceSweep(1);
        vm.expectRevert(abi.encodeWithSelector(Timelocked.TooEarly.selector, block.timestamp + 48 hours));
        reserve.sweep();
        _buy(0, 1);
        vm.warp(block.timestamp + 48 hours);
        vm.expectRevert(ReserveVault.NothingToPay.selector);
        reserve.sweep();
        // It stays announced until something is over.
        usdt.mint(address(reserve), 1);
        reserve.sweep();
    }

    function test_OnlyTheOwnerAnnouncesASweep() public {
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, guardian));
        vm.prank(guardian);
        reserve.announceSweep(1);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _settleWithCharity(uint256 amount) private {
        Settlement memory s = _empty(FIRST_DAY);
        s.charityTotal = amount;
        _settle(s);
    }

    function _announceSweep(uint256 amount) private {
        vm.prank(owner);
        reserve.announceSweep(amount);
        vm.warp(block.timestamp + 48 hours);
    }

    function _buyBeforeBlock() private returns (bytes16 nonce) {
        usdt.setBlocked(player, false);
        nonce = _buy(0, 1);
        usdt.setBlocked(player, true);
    }

    function _refusePurchase(bytes memory reason) private {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.expectRevert(reason);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        vm.assertFalse(game.nonceUsed(player, permit.nonce));
    }

    /// @dev A prize, a commission, fees, charity and gas of the first day; the second one voided.
    function _fillEveryDebt() private returns (bytes16 nonce) {
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
        nonce = _buy(0, 1);
        vm.warp((FIRST_DAY + 2) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 1);
        _assertSolvent();
    }
}
