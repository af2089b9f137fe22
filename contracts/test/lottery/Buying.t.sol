// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {BuyPermit, Office, PoolDay} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {Vm} from "../shared/Vm.sol";
import {ContractWallet, OddWallet, SlowWallet} from "./Wallets.sol";

/// @notice The permit, its signature, the tips, and what a purchase leaves on the chain.
contract BuyingTest is Base {
    // ------------------------------------------------------------------------------------- the relayed way

    function test_ARelayedTicketTakesStakeGasAndVoucherBudget() public {
        bytes memory tips = _tips(5 + 3 + 2);
        BuyPermit memory permit = _permit(player, 3, 5, 2, tips);
        permit.gasCostUsdt = 70_000;
        permit.affiliate = address(0xAFF);
        bytes memory signature = _sign(permit);
        uint256 before = usdt.balanceOf(player);
        uint256 budget = usdt.balanceOf(promotions);
        // Stake and gas cost in one transfer.
        vm.expectCall(
            address(usdt), abi.encodeCall(usdt.transferFrom, (player, address(reserve), 25_070_000)), 1
        );

        vm.prank(relayer);
        uint256 id = game.buyTicketFor(permit, tips, signature);

        vm.assertEq(id, 1);
        vm.assertEq(before - usdt.balanceOf(player), 25_070_000);
        vm.assertEq(budget - usdt.balanceOf(promotions), 10_000_000);
        vm.assertEq(reserve.accruedGas(), 70_000);
        vm.assertEq(reserve.held(), 35_070_000);
        vm.assertEq(usdt.balanceOf(address(reserve)), 35_070_000);
        PoolDay memory sold = game.poolDays(FIRST_DAY)[3];
        vm.assertEq(sold.ticketCount, 1);
        vm.assertEq(sold.tipCount, 10);
        vm.assertEq(sold.stake, 35_000_000);
        (bool bound, address affiliate) = game.affiliateOf(player);
        vm.assertTrue(bound);
        vm.assertEq(affiliate, address(0xAFF));
        _assertSolvent();
    }

    function test_TicketAndBindingAreTheOnlyEventsOfAPurchaseAndCarryAllOfIt() public {
        bytes memory tips = _tips(3);
        BuyPermit memory permit = _permit(player, 1, 2, 1, tips);
        permit.gasCostUsdt = 7;
        permit.affiliate = address(0xAFF);
        bytes memory signature = _sign(permit);
        bytes32 digest = _digest(bytes32(0), 1, permit, address(0xAFF), 1_500_000);
        bytes memory data = abi.encode(1, 2, 1, address(0xAFF), 1_500_000, 7, permit.nonce, tips, digest);
        vm.recordLogs();
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        _assertEventsOfAPurchase(data);
    }

    function _assertEventsOfAPurchase(bytes memory data) private {        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(usdt)) continue;
            vm.assertEq(logs[i].emitter, address(game));
            ++found;
            if (logs[i].topics[0] == GameManager.AffiliateBound.selector) {
                vm.assertEq(address(uint160(uint256(logs[i].topics[1]))), player);
                vm.assertEq(address(uint160(uint256(logs[i].topics[2]))), address(0xAFF));
                continue;
            }
            vm.assertEq(logs[i].topics[0], GameManager.TicketPurchased.selector);
            vm.assertEq(uint256(logs[i].topics[1]), 1);
            vm.assertEq(uint256(logs[i].topics[2]), FIRST_DAY);
            vm.assertEq(address(uint160(uint256(logs[i].topics[3]))), player);
            vm.assertEq(keccak256(logs[i].data), keccak256(data));
        }
        vm.assertEq(found, 2);
    }

    function test_TheDigestChainsAllTicketsOfAPoolsDay() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 1, 1, 0, tips);
        bytes32 digest = _digest(bytes32(0), 1, permit, address(0), 500_000);
        vm.prank(player);
        game.buyTicket(permit, tips);
        // A ticket of another pool stands between them.
        _buy(0, 1);
        BuyPermit memory second = _permit(player, 1, 1, 0, tips);
        digest = _digest(digest, 3, second, address(0), 500_000);
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.TicketPurchased(
            3, FIRST_DAY, player, 1, 1, 0, address(0), 500_000, 0, second.nonce, tips, digest
        );
        vm.prank(player);
        game.buyTicket(second, tips);
        PoolDay memory sold = game.poolDays(FIRST_DAY)[1];
        vm.assertEq(sold.digest, digest);
        vm.assertEq(sold.ticketCount, 2);
        vm.assertEq(sold.tipCount, 2);
        vm.assertEq(sold.stake, 1_000_000);
        vm.assertEq(_ticketCount(), 3);
        // The next day starts from zero.
        _warpToNoon(FIRST_DAY + 1);
        BuyPermit memory third = _permit(player, 1, 1, 0, tips);
        vm.prank(player);
        game.buyTicket(third, tips);
        vm.assertEq(game.poolDays(FIRST_DAY + 1)[1].digest, _digest(0, 4, third, address(0), 500_000));
    }

    function test_OnlyTheRelayerRelays() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        address[5] memory others = [owner, guardian, settler, promotions, player];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotRelayer.selector, others[i]));
            vm.prank(others[i]);
            game.buyTicketFor(permit, tips, signature);
        }
    }

    function test_TheGasCostIsAtMostFiveDollars() public {
        _relay(0, 1, 0, 5_000_000);
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        permit.gasCostUsdt = 5_000_001;
        _refuseRelayed(permit, tips, abi.encodeWithSelector(GameManager.GasCostTooHigh.selector, 5_000_001));
    }

    // ------------------------------------------------------------------------------------- signatures

    function test_APlayerSignsTypedData() public view {
        BuyPermit memory permit = BuyPermit(
            player, 1, 2, bytes32(uint256(3)), 4, 5, address(6), 7, 8, bytes16(uint128(9))
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("BO-Engine"),
                keccak256("1"),
                block.chainid,
                address(game)
            )
        );
        bytes32 fields = keccak256(
            abi.encode(
                keccak256(
                    "BuyPermit(address buyer,uint256 dayId,uint8 poolId,bytes32 tipsHash,uint8 paidTips,uint8 voucherTips,address affiliate,uint256 gasCostUsdt,uint64 deadline,bytes16 nonce)"
                ),
                player,
                uint256(1),
                uint256(2),
                bytes32(uint256(3)),
                uint256(4),
                uint256(5),
                address(6),
                uint256(7),
                uint256(8),
                bytes16(uint128(9))
            )
        );
        vm.assertEq(game.permitDigest(permit), keccak256(abi.encodePacked(hex"1901", domain, fields)));
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

    function test_ASignatureFitsNoOtherChainOrDeployment() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        vm.chainId(99);
        _refuseSignature(permit, tips, signature);
        vm.chainId(31_337);
        GameManager first = game;
        _deploy(address(coordinator), FIRST_DAY);
        vm.assertTrue(address(first) != address(game));
        _refuseSignature(permit, tips, signature);
        vm.prank(relayer);
        first.buyTicketFor(permit, tips, signature);
    }

    function test_ABrokenSignatureIsRefused() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        _refuseSignature(permit, tips, "");
        _refuseSignature(permit, tips, new bytes(64));
        _refuseSignature(permit, tips, new bytes(65));
        // Nobody can be buyer, whom a broken signature gives.
        permit.buyer = address(0);
        _refuseSignature(permit, tips, new bytes(65));
    }

    function test_AContractWalletBuysBySignature() public {
        ContractWallet wallet = new ContractWallet(player, usdt, address(reserve));
        usdt.mint(address(wallet), 1e9);
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(address(wallet), 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        vm.assertEq(game.poolDays(FIRST_DAY)[0].ticketCount, 1);
        vm.assertEq(usdt.balanceOf(address(wallet)), 1e9 - 250_000);
        permit.nonce = "other";
        _refuseSignature(permit, tips, signature);
    }

    function test_AWalletsCheckHas200000Gas() public {
        SlowWallet wallet = new SlowWallet(190_000, usdt, address(reserve));
        usdt.mint(address(wallet), 1e9);
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(address(wallet), 0, 1, 0, tips);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, "");

        wallet = new SlowWallet(200_000, usdt, address(reserve));
        usdt.mint(address(wallet), 1e9);
        permit = _permit(address(wallet), 0, 1, 0, tips);
        uint256 before = gasleft();
        _refuseSignature(permit, tips, "");
        // A wallet that burns all it gets costs the relayer no more than that.
        vm.assertLe(before - gasleft(), 240_000);
    }

    function test_AWalletSaysYesWithExactlyTheSelector() public {
        bytes memory tips = _tips(1);
        bytes4 yes = 0x1626ba7e;
        bytes[5] memory answers = [
            bytes(""),
            abi.encodePacked(yes),
            abi.encode(true),
            abi.encode(uint256(uint32(yes))),
            abi.encode(bytes32(yes) | bytes32(uint256(1)))
        ];
        for (uint256 i = 0; i < 5; ++i) {
            BuyPermit memory permit = _permit(address(new OddWallet(answers[i])), 0, 1, 0, tips);
            _refuseSignature(permit, tips, "");
        }
        address wallet = address(new OddWallet(abi.encode(yes)));
        usdt.mint(wallet, 1e9);
        vm.prank(wallet);
        usdt.approve(address(reserve), 1e9);
        BuyPermit memory good = _permit(wallet, 0, 1, 0, tips);
        vm.prank(relayer);
        game.buyTicketFor(good, tips, "");
    }

    /// @dev EIP-7702 puts code at an account whose key goes on signing.
    function test_AnAccountWithDelegatedCodeStillSignsByItsKey() public {
        vm.etch(player, address(new OddWallet("")).code);
        _relay(0, 1, 0, 0);
        vm.assertEq(_ticketCount(), 1);
    }

    function test_AnAccountWithDelegatedCodeMayAlsoLetItsCodeDecide() public {
        vm.etch(player, address(new SlowWallet(0, usdt, address(reserve))).code);
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, "of another kind");
        vm.assertEq(_ticketCount(), 1);
    }

    // ------------------------------------------------------------------------------------- the direct way

    function test_ADirectTicketNeedsNoKeyButItsOwnBuyers() public {
        vm.prank(owner);
        roles.removeHolder(Office.Relayer);
        _buy(2, 5);
        vm.assertEq(game.poolDays(FIRST_DAY)[2].tipCount, 8);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.expectRevert(abi.encodeWithSelector(GameManager.NotBuyer.selector, stranger));
        vm.prank(stranger);
        game.buyTicket(permit, _tips(1));
    }

    function test_ADirectTicketHasNoVouchersAndNoGasCost() public {
        BuyPermit memory permit = _permit(player, 0, 1, 1, _tips(2));
        _refuseDirect(permit, _tips(2), abi.encodeWithSelector(GameManager.DirectTermsOnly.selector));
        permit = _permit(player, 0, 1, 0, _tips(1));
        permit.gasCostUsdt = 1;
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.DirectTermsOnly.selector));
    }

    // ------------------------------------------------------------------------------------- tips

    function test_CountsAndPoolsAreLimited() public {
        BuyPermit memory permit = _permit(player, 0, 0, 0, "");
        _refuseDirect(permit, "", abi.encodeWithSelector(GameManager.BadPaidTips.selector, 0));
        permit = _permit(player, 0, 145, 0, "");
        _refuseDirect(permit, "", abi.encodeWithSelector(GameManager.BadPaidTips.selector, 145));
        permit = _permit(player, 5, 1, 0, _tips(1));
        _refuseDirect(permit, _tips(1), abi.encodeWithSelector(GameManager.BadPool.selector, 5));
        permit = _permit(player, 0, 144, 1, _tips(256));
        _refuseRelayed(permit, _tips(256), abi.encodeWithSelector(GameManager.TooManyTips.selector, 256));
    }

    function test_TheLargestTicketsAreSold() public {
        _buy(4, 144);
        vm.assertEq(game.poolDays(FIRST_DAY)[4].tipCount, 255);
        _relay(0, 1, 254, 0);
        vm.assertEq(game.poolDays(FIRST_DAY)[0].tipCount, 255);
    }

    function test_TipsMustBeTheSignedOnesAndComplete() public {
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        _refuseDirect(permit, _tips(2), abi.encodeWithSelector(GameManager.WrongTipsLength.selector, 8, 16));
        _refuseDirect(permit, hex"00", abi.encodeWithSelector(GameManager.WrongTipsLength.selector, 8, 1));
        bytes memory other = abi.encodePacked(uint64(0x7e));
        _refuseDirect(permit, other, abi.encodeWithSelector(GameManager.TipsHashMismatch.selector));
        // Bonus tips are no gift that one may leave out.
        permit = _permit(player, 0, 5, 0, _tips(5));
        _refuseDirect(permit, _tips(5), abi.encodeWithSelector(GameManager.WrongTipsLength.selector, 64, 40));
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
        uint64[6] memory bad = [uint64(0x3f) << 33, 0, 0x1f, 0x7f, uint64(0x1f) | uint64(1) << 63, type(uint64).max];
        for (uint256 i = 0; i < 6; ++i) {
            tips = abi.encodePacked(bad[i]);
            permit = _permit(player, 0, 1, 0, tips);
            _refuseDirect(permit, tips, abi.encodeWithSelector(GameManager.BadTip.selector, 0, bad[i]));
        }
    }

    // ------------------------------------------------------------------------------------- money

    function test_WithoutMoneyOrApprovalNothingIsSold() public {
        address poor = address(0xDEAD1);
        BuyPermit memory permit = _permit(poor, 0, 1, 0, _tips(1));
        vm.expectRevert(
            abi.encodeWithSignature(
                "ERC20InsufficientAllowance(address,uint256,uint256)", address(reserve), 0, 250_000
            )
        );
        vm.prank(poor);
        game.buyTicket(permit, _tips(1));
        vm.prank(poor);
        usdt.approve(address(reserve), 250_000);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientBalance(address,uint256,uint256)", poor, 0, 250_000)
        );
        vm.prank(poor);
        game.buyTicket(permit, _tips(1));
        vm.assertEq(_ticketCount(), 0);
        vm.assertFalse(game.nonceUsed(poor, permit.nonce));
        (bool bound,) = game.affiliateOf(poor);
        vm.assertFalse(bound);
    }

    function test_OnlyGameManagerSpendsApprovals() public {
        address[6] memory others = [owner, guardian, relayer, settler, promotions, address(settlement)];
        for (uint256 i = 0; i < 6; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotGameManager.selector, others[i]));
            vm.prank(others[i]);
            reserve.collect(player, FIRST_DAY, 1, 0, 0);
        }
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuseDirect(BuyPermit memory permit, bytes memory tips, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(permit.buyer);
        game.buyTicket(permit, tips);
    }

    function _refuseRelayed(BuyPermit memory permit, bytes memory tips, bytes memory reason) private {
        bytes memory signature = _sign(permit);
        vm.expectRevert(reason);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
    }

    function _refuseSignature(BuyPermit memory permit, bytes memory tips, bytes memory signature) private {
        vm.expectRevert(GameManager.BadSignature.selector);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
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
