// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {GameManager} from "../src/GameManager.sol";
import {ReserveVault} from "../src/ReserveVault.sol";
import {RoleBound} from "../src/RoleBound.sol";
import {TestUSDT} from "../src/test/TestUSDT.sol";
import {BuyPermit, PoolDay, Split} from "../src/Types.sol";
import {Base} from "./Base.sol";

/// @notice A contract wallet (EIP-1271): accepts what its owner's key has signed.
contract ContractWallet {
    address private immutable _key;

    constructor(address key, TestUSDT usdt, address spender) {
        _key = key;
        usdt.approve(spender, type(uint256).max);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(digest, signature) == _key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice Rules 2.1 to 2.4 and 2.8, and the permit.
contract BuyingTest is Base {
    // ------------------------------------------------------------------------------------- the relayed way

    function test_RelayedTicketTakesStakeGasAndVoucherBudget() public {
        bytes memory tips = _tips(5 + 3 + 2);
        BuyPermit memory permit = _permit(player, 3, 5, 2, tips);
        permit.gasCostUsdt = 70_000;
        permit.affiliate = address(0xAFF);
        bytes memory signature = _sign(permit);
        uint256 before = usdt.balanceOf(player);
        uint256 budget = usdt.balanceOf(promotions);

        vm.prank(relayer);
        uint256 id = game.buyTicketFor(permit, tips, signature);

        vm.assertEq(id, 1);
        vm.assertEq(before - usdt.balanceOf(player), 25_070_000);
        vm.assertEq(budget - usdt.balanceOf(promotions), 10_000_000);
        vm.assertEq(usdt.balanceOf(gasSafe), 70_000);
        vm.assertEq(usdt.balanceOf(address(reserve)), 35_000_000);
        PoolDay memory sold = game.poolDays(FIRST_DAY)[3];
        vm.assertEq(sold.ticketCount, 1);
        vm.assertEq(sold.tipCount, 10);
        vm.assertEq(sold.stake, 35_000_000);
        vm.assertTrue(game.nonceUsed(player, permit.nonce));
        (bool bound, address affiliate) = game.affiliateOf(player);
        vm.assertTrue(bound);
        vm.assertEq(affiliate, address(0xAFF));
    }

    function test_EventCarriesTheWholeTicketAndTheDigestAfterIt() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 1, 1, 0, tips);
        bytes32 digest = _digest(bytes32(0), 1, permit, address(0), 500_000);
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.TicketPurchased(
            1, FIRST_DAY, player, 1, 1, 0, address(0), 500_000, 0, permit.nonce, tips, digest
        );
        vm.prank(player);
        game.buyTicket(permit, tips);

        BuyPermit memory second = _permit(player, 1, 1, 0, tips);
        vm.prank(player);
        game.buyTicket(second, tips);
        vm.assertEq(game.poolDays(FIRST_DAY)[1].digest, _digest(digest, 2, second, address(0), 500_000));
        vm.assertEq(game.ticketCount(), 2);
    }

    function test_ContractWalletBuysBySignature() public {
        ContractWallet wallet = new ContractWallet(player, usdt, address(reserve));
        usdt.mint(address(wallet), 1e9);
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(address(wallet), 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        vm.assertEq(game.poolDays(FIRST_DAY)[0].ticketCount, 1);

        permit.nonce = "other";
        vm.expectRevert(GameManager.BadSignature.selector);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
    }

    function testFuzz_ASignatureCoversEveryField(uint8 field, uint256 change) public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        BuyPermit memory forged = permit;
        uint256 delta = change % 200 + 1;
        field = field % 10;
        if (field == 0) forged.buyer = address(uint160(permit.buyer) + uint160(delta));
        if (field == 1) forged.dayId += delta;
        if (field == 2) forged.poolId += uint8(delta);
        if (field == 3) forged.tipsHash = bytes32(uint256(permit.tipsHash) ^ delta);
        if (field == 4) forged.paidTips += uint8(delta);
        if (field == 5) forged.voucherTips += uint8(delta);
        if (field == 6) forged.affiliate = address(uint160(delta));
        if (field == 7) forged.gasCostUsdt += delta;
        if (field == 8) forged.deadline += uint64(delta);
        if (field == 9) forged.nonce = bytes16(uint128(permit.nonce) + uint128(delta));
        vm.expectRevert(GameManager.BadSignature.selector);
        vm.prank(relayer);
        game.buyTicketFor(forged, tips, signature);
    }

    function test_OnlyTheRelayerRelays() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotRelayer.selector, settler));
        vm.prank(settler);
        game.buyTicketFor(permit, tips, signature);
    }

    function test_GasCostIsCapped() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        permit.gasCostUsdt = 5_000_001;
        bytes memory signature = _sign(permit);
        vm.expectRevert(abi.encodeWithSelector(GameManager.GasCostTooHigh.selector, 5_000_001));
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
    }

    // ------------------------------------------------------------------------------------- the direct way

    function test_DirectTicketNeedsNoRelayerButItsOwnBuyer() public {
        _buy(2, 5);
        vm.assertEq(game.poolDays(FIRST_DAY)[2].tipCount, 8);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.expectRevert(abi.encodeWithSelector(GameManager.NotBuyer.selector, relayer));
        vm.prank(relayer);
        game.buyTicket(permit, _tips(1));
    }

    function test_DirectTicketHasNoVouchersAndNoGasCost() public {
        BuyPermit memory permit = _permit(player, 0, 1, 1, _tips(2));
        _refuseDirect(permit, _tips(2), abi.encodeWithSelector(GameManager.DirectTermsOnly.selector));
        permit = _permit(player, 0, 1, 0, _tips(1));
        permit.gasCostUsdt = 1;
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.DirectTermsOnly.selector));
    }

    // ------------------------------------------------------------------------------------- refusals

    function test_ANonceIsSpentOncePerBuyer() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.NonceUsed.selector, player, permit.nonce));
        bytes memory signature = _sign(permit);
        vm.expectRevert(abi.encodeWithSelector(GameManager.NonceUsed.selector, player, permit.nonce));
        vm.prank(relayer);
        game.buyTicketFor(permit, _tips(1), signature);
        // Another buyer's equal nonce is another nonce.
        _fund(address(0xD0));
        permit.buyer = address(0xD0);
        vm.prank(address(0xD0));
        game.buyTicket(permit, _tips(1));
    }

    function test_DeadlineCountsToTheSecond() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.deadline = uint64(block.timestamp);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        permit.nonce = "next";
        vm.warp(block.timestamp + 1);
        _refuseDirect(
            permit, _tips(1), abi.encodeWithSelector(GameManager.DeadlinePassed.selector, block.timestamp - 1)
        );
    }

    function test_OnlyTodayIsSoldAndNotBeforeTheFirstDay() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.dayId = FIRST_DAY + 1;
        _refuseDirect(
            permit, _tips(1), abi.encodeWithSelector(GameManager.WrongDay.selector, FIRST_DAY + 1, FIRST_DAY)
        );
        permit.dayId = FIRST_DAY;
        permit.deadline = type(uint64).max;
        _warpToClose(FIRST_DAY);
        _refuseDirect(
            permit, _tips(1), abi.encodeWithSelector(GameManager.WrongDay.selector, FIRST_DAY, FIRST_DAY + 1)
        );
        vm.warp(FIRST_DAY * 1 days - 1);
        permit.dayId = FIRST_DAY - 1;
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.NotOpenYet.selector, FIRST_DAY));
    }

    function test_CountsAndPoolsAreLimited() public {
        BuyPermit memory permit = _permit(player, 0, 0, 0, "");
        _refuseDirect(permit, "", abi.encodeWithSelector(GameManager.BadPaidTips.selector, 0));
        permit = _permit(player, 0, 145, 0, "");
        _refuseDirect(permit, "", abi.encodeWithSelector(GameManager.BadPaidTips.selector, 145));
        permit = _permit(player, 5, 1, 0, _tips(1));
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.BadPool.selector, 5));
        bytes memory tips = _tips(256);
        permit = _permit(player, 0, 144, 1, tips);
        bytes memory signature = _sign(permit);
        vm.expectRevert(abi.encodeWithSelector(GameManager.TooManyTips.selector, 256));
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
    }

    function test_TheLargestTicketIsSold() public {
        _buy(4, 144);
        vm.assertEq(game.poolDays(FIRST_DAY)[4].tipCount, 255);
    }

    function test_TipsMustBeTheSignedOnesAndComplete() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuseDirect(permit, _tips(2), abi.encodeWithSelector(GameManager.WrongTipsLength.selector, 8, 16));
        _refuseDirect(permit, hex"00", abi.encodeWithSelector(GameManager.WrongTipsLength.selector, 8, 1));
        bytes memory other = abi.encodePacked(uint64(0x7e));
        _refuseDirect(permit, other, abi.encodeWithSelector(GameManager.TipsHashMismatch.selector));
    }

    function testFuzz_ATipIsSixNumbersWithinRange(uint64 mask, bool small) public {
        // Most random masks have far too many bits; a sum of few bits comes close to the rule.
        if (small) mask = uint64(1) << (mask % 40) | uint64(0x1f) << (mask / 40 % 40);
        bytes memory tips = bytes.concat(_tips(1), abi.encodePacked(mask));
        BuyPermit memory permit = _permit(player, 0, 2, 0, tips);
        uint256 bits;
        for (uint256 i = 0; i < 64; ++i) bits += mask >> i & 1;
        if (bits == 6 && mask < 1 << NUMBER_MAX) {
            vm.prank(player);
            game.buyTicket(permit, tips);
        } else {
            _refuseDirect(permit, tips, abi.encodeWithSelector(GameManager.BadTip.selector, 1, mask));
        }
    }

    function test_EdgesOfTheRange() public {
        bytes memory tips = abi.encodePacked(uint64(0x3f) << 32);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        vm.prank(player);
        game.buyTicket(permit, tips);
        uint64[4] memory bad = [uint64(0x3f) << 33, 0, 0x1f, 0x7f];
        for (uint256 i = 0; i < 4; ++i) {
            tips = abi.encodePacked(bad[i]);
            permit = _permit(player, 0, 1, 0, tips);
            _refuseDirect(permit, tips, abi.encodeWithSelector(GameManager.BadTip.selector, 0, bad[i]));
        }
    }

    function test_WithoutMoneyNothingIsSold() public {
        address poor = address(0xDEAD1);
        BuyPermit memory permit = _permit(poor, 0, 1, 0, _tips(1));
        vm.expectRevert();
        vm.prank(poor);
        game.buyTicket(permit, _tips(1));
        vm.assertEq(game.ticketCount(), 0);
        vm.assertFalse(game.nonceUsed(poor, permit.nonce));
    }

    function test_OnlyGameManagerSpendsApprovalsAndRecordsStakes() public {
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotGameManager.selector, relayer));
        vm.prank(relayer);
        reserve.collect(player, 1, 0, 0);
        vm.expectRevert();
        treasury.record(FIRST_DAY, 0, 1);
    }

    // ------------------------------------------------------------------------------------- affiliates

    function test_TheFirstPurchaseBindsTheAffiliateForEver() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        permit.affiliate = address(0xAFF);
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
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.SelfReferral.selector));
    }

    // ------------------------------------------------------------------------------------- split and bonus

    function testFuzz_TheSplitLosesNothingAndRoundsDown(uint128 stake) public view {
        Split memory s = treasury.splitStake(stake);
        vm.assertEq(s.fee + s.rollover + s.jackpot + s.pot, stake);
        vm.assertEq(s.fee, uint256(stake) * 11 / 40);
        vm.assertEq(s.rollover, uint256(stake) / 20);
        vm.assertEq(s.jackpot, (stake - s.fee - s.rollover) * 2 / 5);
    }

    function test_TheSplitOfAHundred() public view {
        Split memory s = treasury.splitStake(100_000_000);
        vm.assertEq(s.fee, 27_500_000);
        vm.assertEq(s.rollover, 5_000_000);
        vm.assertEq(s.jackpot, 27_000_000);
        vm.assertEq(s.pot, 40_500_000);
    }

    function testFuzz_SplitsOfADayAreTheTicketsSum(uint8[6] memory paid) public {
        Split[5] memory expected;
        for (uint256 i = 0; i < 6; ++i) {
            uint8 n = paid[i] % 20 + 1;
            uint8 pool = uint8(i % 5);
            _buy(pool, n);
            Split memory part = treasury.splitStake(game.priceOf(pool) * n);
            expected[pool].fee += part.fee;
            expected[pool].rollover += part.rollover;
            expected[pool].jackpot += part.jackpot;
            expected[pool].pot += part.pot;
        }
        vm.assertEq(keccak256(abi.encode(treasury.splits(FIRST_DAY))), keccak256(abi.encode(expected)));
        _assertSolvent();
    }

    function test_BonusTips() public view {
        uint8[7] memory paid = [1, 4, 5, 9, 10, 50, 144];
        uint8[7] memory bonus = [0, 0, 3, 3, 7, 39, 111];
        for (uint256 i = 0; i < 7; ++i) vm.assertEq(game.bonusTips(paid[i]), bonus[i]);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuseDirect(BuyPermit memory permit, bytes memory tips, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(permit.buyer);
        game.buyTicket(permit, tips);
    }

    function _digest(bytes32 before, uint256 id, BuyPermit memory permit, address affiliate, uint256 stake)
        private
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                before, id, permit.buyer, permit.paidTips, permit.voucherTips, affiliate, stake, permit.tipsHash
            )
        );
    }
}
