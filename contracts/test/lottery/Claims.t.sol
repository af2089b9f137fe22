// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimRouter} from "../../src/lottery/ClaimRouter.sol";
import {ClaimVault} from "../../src/lottery/ClaimVault.sol";
import {GameManager} from "../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Settlement} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {Vm} from "../shared/Vm.sol";

/// @notice Claims: once, to the account's payee, whoever calls, and never more than was released.
contract ClaimsTest is Base {
    address private constant ANNA = address(0xA);
    address private constant BERT = address(0xB);
    uint256 private constant ANNA_WINS = 700_000;
    uint256 private constant BERT_WINS = 300_000;

    /// @dev Kept, because asking the vault would come between an expectation and its call.
    bytes32 private _annasLeaf;
    bytes32 private _bertsLeaf;

    /// @dev A released day: Anna and Bert won, Bert also has a commission.
    function setUp() public override {
        super.setUp();
        _annasLeaf = prizes.leafOf(FIRST_DAY, ANNA, ANNA_WINS);
        _bertsLeaf = prizes.leafOf(FIRST_DAY, BERT, BERT_WINS);
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY);
        s.poolPayout[0] = ANNA_WINS + BERT_WINS;
        s.totalPayout = ANNA_WINS + BERT_WINS;
        s.merkleRoot = _pair(_annasLeaf, _bertsLeaf);
        s.affiliateTotal = 50_000;
        s.affiliateRoot = commissions.leafOf(FIRST_DAY, BERT, 50_000);
        _settle(s);
    }

    function test_AWinnerIsPaidOnceWhoeverCalls() public {
        uint256 held = reserve.held();
        vm.expectEmit(true, true, true, true, address(prizes));
        emit ClaimVault.Claimed(FIRST_DAY, ANNA, ANNA, ANNA_WINS);
        vm.prank(BERT);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(ANNA), ANNA_WINS);
        vm.assertTrue(prizes.claimed(FIRST_DAY, ANNA));
        vm.assertEq(prizes.claimedOf(FIRST_DAY), ANNA_WINS);
        vm.assertEq(prizes.totalClaimed(), ANNA_WINS);
        vm.assertEq(reserve.held(), held - ANNA_WINS);
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.AlreadyClaimed.selector, FIRST_DAY, ANNA));
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        _assertSolvent();
    }

    function test_PrizesNeverExpire() public {
        vm.warp(block.timestamp + 3650 days);
        prizes.claim(FIRST_DAY, BERT, BERT_WINS, _one(_annasLeaf));
        vm.assertEq(usdt.balanceOf(BERT), BERT_WINS);
    }

    function test_ACommissionIsClaimedLikeAPrize() public {
        vm.expectEmit(true, true, true, true, address(commissions));
        emit ClaimVault.Claimed(FIRST_DAY, BERT, BERT, 50_000);
        commissions.claim(FIRST_DAY, BERT, 50_000, new bytes32[](0));
        vm.assertEq(usdt.balanceOf(BERT), 50_000);
        _assertSolvent();
    }

    function testFuzz_NoOtherAmountDayAccountOrProofIsPaid(uint256 amount, uint256 day, address account, bytes32 node)
        public
    {
        if (amount != ANNA_WINS) _refuse(FIRST_DAY, ANNA, amount, _one(_bertsLeaf));
        if (account != ANNA) _refuse(FIRST_DAY, account, ANNA_WINS, _one(_bertsLeaf));
        if (node != _bertsLeaf) _refuse(FIRST_DAY, ANNA, ANNA_WINS, _one(node));
        _refuse(FIRST_DAY, ANNA, ANNA_WINS, new bytes32[](0));
        if (day != FIRST_DAY) {
            vm.expectRevert(abi.encodeWithSelector(ClaimVault.NothingToClaim.selector, day));
            prizes.claim(day, ANNA, ANNA_WINS, _one(_bertsLeaf));
        }
    }

    function test_AProofFitsNoOtherVaultDayOrChain() public {
        vm.assertTrue(prizes.leafDomain() != commissions.leafDomain());
        bytes32 domain = keccak256(abi.encode(bytes32("BO-ENGINE/LEAF/1"), block.chainid, address(prizes)));
        vm.assertEq(prizes.leafDomain(), domain);
        vm.assertEq(
            prizes.leafOf(FIRST_DAY, ANNA, ANNA_WINS),
            keccak256(bytes.concat(keccak256(abi.encode(domain, FIRST_DAY, ANNA, ANNA_WINS))))
        );
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.InvalidProof.selector, FIRST_DAY, ANNA, ANNA_WINS));
        commissions.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
    }

    function test_ATreeThatPromisesTooMuchCannotTouchOtherDays() public {
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY + 1);
        s.poolPayout[0] = 900_000;
        s.totalPayout = 900_000;
        bytes32 mine = prizes.leafOf(FIRST_DAY + 1, ANNA, 900_000);
        bytes32 other = prizes.leafOf(FIRST_DAY + 1, BERT, 1);
        s.merkleRoot = _pair(mine, other);
        _settle(s);
        prizes.claim(FIRST_DAY + 1, ANNA, 900_000, _one(other));
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.ClaimsExceedTotal.selector, FIRST_DAY + 1));
        prizes.claim(FIRST_DAY + 1, BERT, 1, _one(mine));
        _assertSolvent();
    }

    function test_ARootIsSetOnce() public {
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.RootAlreadySet.selector, FIRST_DAY));
        vm.prank(address(settlement));
        prizes.setRoot(FIRST_DAY, "other", 1);
    }

    function test_OnlyClaimVaultsAskForPayments() public {
        address[4] memory others = [owner, ANNA, address(settlement), address(router)];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotClaimVault.selector, others[i]));
            vm.prank(others[i]);
            reserve.payClaim(ANNA, 1);
        }
    }

    // ------------------------------------------------------------------------------------- payees

    function test_AnAccountsPayeeGetsItsClaimsWhoeverCalls() public {
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.PayeeSet(ANNA, stranger);
        vm.prank(ANNA);
        reserve.setPayee(stranger);
        vm.assertEq(reserve.payeeOf(ANNA), stranger);
        vm.expectEmit(true, true, true, true, address(prizes));
        emit ClaimVault.Claimed(FIRST_DAY, ANNA, stranger, ANNA_WINS);
        vm.prank(BERT);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(stranger), ANNA_WINS);
        vm.assertEq(usdt.balanceOf(ANNA), 0);
        _assertSolvent();
    }

    function test_ZeroTakesThePayeeBack() public {
        vm.prank(ANNA);
        reserve.setPayee(stranger);
        vm.prank(ANNA);
        reserve.setPayee(address(0));
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(ANNA), ANNA_WINS);
    }

    function test_APayeesPayeeGetsNothing() public {
        vm.prank(ANNA);
        reserve.setPayee(BERT);
        vm.prank(BERT);
        reserve.setPayee(stranger);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(BERT), ANNA_WINS);
    }

    function test_NoPayeeIsOurs() public {
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i]));
            vm.prank(ANNA);
            reserve.setPayee(ours[i]);
        }
    }

    // ------------------------------------------------------------------------------------- blocked accounts

    function test_ABlockedWinnerIsRefusedNotPaidAndHindersNobody() public {
        usdt.setBlocked(ANNA, true);
        bytes memory blocked = abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, ANNA);
        vm.expectRevert(blocked);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertFalse(prizes.claimed(FIRST_DAY, ANNA));
        prizes.claim(FIRST_DAY, BERT, BERT_WINS, _one(_annasLeaf));
        // It names a payee, or waits until the token lets it go.
        vm.prank(ANNA);
        reserve.setPayee(stranger);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(stranger), ANNA_WINS);
        _assertSolvent();
    }

    function test_ABlockedWinnerIsPaidWhenTheTokenLetsItGo() public {
        usdt.setBlocked(ANNA, true);
        usdt.setBlocked(ANNA, false);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.assertEq(usdt.balanceOf(ANNA), ANNA_WINS);
    }

    function test_ABlockedPayeeIsRefusedToo() public {
        usdt.setBlocked(stranger, true);
        vm.prank(ANNA);
        reserve.setPayee(stranger);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.BlockedByToken.selector, stranger));
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
    }

    // ------------------------------------------------------------------------------------- many at once

    function test_TheRouterPaysWhatCanBePaidAndReportsTheRest() public {
        ClaimRouter.Claim[] memory claims = new ClaimRouter.Claim[](5);
        claims[0] = ClaimRouter.Claim(address(prizes), FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        claims[1] = claims[0];
        claims[2] = ClaimRouter.Claim(address(usdt), FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        claims[3] = ClaimRouter.Claim(address(prizes), FIRST_DAY, BERT, BERT_WINS + 1, _one(_annasLeaf));
        claims[4] = ClaimRouter.Claim(address(commissions), FIRST_DAY, BERT, 50_000, new bytes32[](0));
        vm.recordLogs();
        vm.assertEq(router.claimMany(claims), 2);
        bytes[3] memory reasons = [
            abi.encodeWithSelector(ClaimVault.AlreadyClaimed.selector, FIRST_DAY, ANNA),
            abi.encodeWithSelector(ClaimRouter.UnknownVault.selector, address(usdt)),
            abi.encodeWithSelector(ClaimVault.InvalidProof.selector, FIRST_DAY, BERT, BERT_WINS + 1)
        ];
        uint256 found;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ClaimRouter.ClaimSkipped.selector) continue;
            (, bytes memory reason) = abi.decode(logs[i].data, (address, bytes));
            vm.assertEq(uint256(logs[i].topics[1]), found + 1);
            vm.assertEq(keccak256(reason), keccak256(reasons[found]));
            ++found;
        }
        vm.assertEq(found, 3);
        vm.assertEq(usdt.balanceOf(ANNA), ANNA_WINS);
        vm.assertEq(usdt.balanceOf(BERT), 50_000);
        _assertSolvent();
    }

    function test_TheRouterRefundsWhatCanBeRefundedAndReportsTheRest() public {
        _warpToNoon(FIRST_DAY + 1);
        bytes16 nonce = _buy(0, 1);
        _fund(stranger);
        bytes16 strangers = _buyAs(stranger, 1, 1);
        vm.warp((FIRST_DAY + 2) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 1);
        ClaimRouter.Refund[] memory refunds = new ClaimRouter.Refund[](4);
        refunds[0] = ClaimRouter.Refund(player, _nonce(nonce));
        refunds[1] = ClaimRouter.Refund(player, _nonce(nonce));
        refunds[2] = ClaimRouter.Refund(ANNA, _nonce("unknown"));
        refunds[3] = ClaimRouter.Refund(stranger, _nonce(strangers));
        uint256 before = usdt.balanceOf(player);
        vm.expectEmit(true, true, true, true, address(router));
        emit ClaimRouter.RefundSkipped(1, player, abi.encodeWithSelector(ReserveVault.NothingToRefund.selector));
        vm.expectEmit(true, true, true, true, address(router));
        emit ClaimRouter.RefundSkipped(
            2, ANNA, abi.encodeWithSelector(GameManager.UnknownNonce.selector, ANNA, bytes16("unknown"))
        );
        vm.assertEq(router.refundMany(refunds), 2);
        vm.assertEq(usdt.balanceOf(player) - before, 250_000);
        vm.assertEq(reserve.refundableTotal(), 0);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- pause

    function test_APauseEndsByItselfAfterSevenDaysAndTheNextComesSevenDaysLater() public {
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardian.selector, owner));
        vm.prank(owner);
        prizes.pauseClaims();
        uint256 start = block.timestamp;
        vm.expectEmit(true, true, true, true, address(prizes));
        emit ClaimVault.ClaimsPaused(guardian, start + 7 days);
        _pause();
        vm.warp(start + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.ClaimsArePaused.selector, start + 7 days));
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        _refusePause(start + 14 days);
        vm.warp(start + 7 days);
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
        vm.warp(start + 14 days - 1);
        _refusePause(start + 14 days);
        vm.warp(start + 14 days);
        _pause();
        // Only this vault.
        commissions.claim(FIRST_DAY, BERT, 50_000, new bytes32[](0));
    }

    function test_GuardianOrOwnerEndsAPauseEarly() public {
        address[2] memory may = [owner, guardian];
        for (uint256 i = 0; i < 2; ++i) {
            _pause();
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, relayer));
            vm.prank(relayer);
            prizes.unpauseClaims();
            vm.expectEmit(true, true, true, true, address(prizes));
            emit ClaimVault.ClaimsUnpaused(may[i]);
            vm.prank(may[i]);
            prizes.unpauseClaims();
            vm.expectRevert(ClaimVault.NotPaused.selector);
            vm.prank(guardian);
            prizes.unpauseClaims();
            _refusePause(block.timestamp + 7 days);
            vm.warp(block.timestamp + 7 days);
        }
        prizes.claim(FIRST_DAY, ANNA, ANNA_WINS, _one(_bertsLeaf));
    }

    function test_APauseOfClaimsStopsNoSettlementAndNoRefund() public {
        _warpToNoon(FIRST_DAY + 1);
        bytes16 nonce = _buy(0, 1);
        vm.warp((FIRST_DAY + 2) * 1 days + 7 days - 1 hours);
        _pause();
        vm.prank(guardian);
        commissions.pauseClaims();
        vm.warp(block.timestamp + 1 hours);
        settlement.voidDay(FIRST_DAY + 1);
        reserve.refund(player, _nonce(nonce));
        _settle(_empty(FIRST_DAY + 2));
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 3);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _pause() private {
        vm.prank(guardian);
        prizes.pauseClaims();
    }

    function _refusePause(uint256 notBefore) private {
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.PauseNotAllowedYet.selector, notBefore));
        vm.prank(guardian);
        prizes.pauseClaims();
    }

    function _refuse(uint256 day, address account, uint256 amount, bytes32[] memory proof) private {
        vm.expectRevert(abi.encodeWithSelector(ClaimVault.InvalidProof.selector, day, account, amount));
        prizes.claim(day, account, amount, proof);
    }
}
