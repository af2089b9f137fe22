// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../src/CharityVault.sol";
import {GameManager} from "../src/GameManager.sol";
import {ReserveVault} from "../src/ReserveVault.sol";
import {RoleBound} from "../src/RoleBound.sol";
import {Roles} from "../src/Roles.sol";
import {BuyPermit, Settlement} from "../src/Types.sol";
import {Base} from "./Base.sol";
import {HostileUSDT} from "./HostileUSDT.sol";

/// @notice What each role may do, and that none of it traps or takes players' money.
contract PowersTest is Base {
    // ------------------------------------------------------------------------------------- roles

    function test_FiveDistinctAccounts() public {
        vm.expectRevert(abi.encodeWithSelector(Roles.RoleTaken.selector, owner));
        new Roles(owner, guardian, owner, settler, promotions);
        vm.expectRevert(Roles.ZeroRole.selector);
        new Roles(owner, guardian, relayer, address(0), promotions);
        vm.expectRevert(abi.encodeWithSelector(Roles.RoleTaken.selector, relayer));
        vm.prank(owner);
        roles.setSettler(relayer);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, guardian));
        vm.prank(guardian);
        roles.setGuardian(address(0xC1));
    }

    function test_TheOwnerReplacesTheOthersByEvent() public {
        vm.expectEmit(true, true, true, true, address(roles));
        emit Roles.GuardianSet(guardian, address(0xC1));
        vm.prank(owner);
        roles.setGuardian(address(0xC1));
        vm.prank(owner);
        roles.setRelayer(address(0xC2));
        vm.prank(owner);
        roles.setSettler(address(0xC3));
        vm.assertEq(roles.guardian(), address(0xC1));
        vm.assertEq(roles.relayer(), address(0xC2));
        vm.assertEq(roles.settler(), address(0xC3));
        // The old ones have no power any more.
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettler.selector, settler));
        vm.prank(settler);
        settlement.commitMerkleSettlement(_empty(FIRST_DAY));
    }

    function test_OwnershipMovesInTwoStepsAndNeverOntoAnotherRole() public {
        vm.prank(owner);
        roles.transferOwnership(address(0xC1));
        vm.assertEq(roles.owner(), owner);
        vm.prank(owner);
        roles.setGuardian(address(0xC1));
        vm.expectRevert(abi.encodeWithSelector(Roles.RoleTaken.selector, address(0xC1)));
        vm.prank(address(0xC1));
        roles.acceptOwnership();
        vm.prank(owner);
        roles.transferOwnership(address(0xC2));
        vm.expectRevert(abi.encodeWithSelector(Roles.NotPendingOwner.selector, address(0xC1)));
        vm.prank(address(0xC1));
        roles.acceptOwnership();
        vm.prank(address(0xC2));
        roles.acceptOwnership();
        vm.assertEq(roles.owner(), address(0xC2));
        vm.assertEq(roles.pendingOwner(), address(0));
    }

    function test_NobodyBecomesThePromotionsAccountAgainstHisWill() public {
        vm.prank(owner);
        roles.setPromotions(player);
        // The player has approved the vault for his own tickets; a voucher is still paid by the old account.
        bytes memory tips = _tips(2);
        BuyPermit memory permit = _permit(player, 0, 1, 1, tips);
        bytes memory signature = _sign(permit);
        uint256 before = usdt.balanceOf(player);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        vm.assertEq(before - usdt.balanceOf(player), 250_000);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotPendingPromotions.selector, owner));
        vm.prank(owner);
        roles.acceptPromotions();
        vm.prank(owner);
        roles.setPromotions(address(0xC4));
        vm.prank(address(0xC4));
        roles.acceptPromotions();
        vm.assertEq(roles.promotions(), address(0xC4));
        vm.assertEq(roles.pendingPromotions(), address(0));
    }

    // ------------------------------------------------------------------------------------- pause of purchases

    function test_TheGuardianPausesPurchasesAndNothingElse() public {
        _buy(0, 1);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardian.selector, owner));
        vm.prank(owner);
        game.pausePurchases();
        vm.prank(guardian);
        game.pausePurchases();
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.expectRevert(GameManager.PurchasesArePaused.selector);
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
        _settle(_empty(FIRST_DAY));
        reserve.withdrawFees();
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, relayer));
        vm.prank(relayer);
        game.unpausePurchases();
        vm.prank(owner);
        game.unpausePurchases();
        vm.warp((FIRST_DAY + 1) * 1 days + 12 hours);
        _buy(0, 1);
    }

    // ------------------------------------------------------------------------------------- schedules

    function test_ARulesetIsAnnouncedSevenDaysAhead() public {
        vm.assertEq(game.rulesetHashOf(FIRST_DAY - 1), bytes32(0));
        vm.assertEq(game.rulesetHashOf(FIRST_DAY), RULESET);
        uint256 earliest = FIRST_DAY + 7;
        bytes4 tooEarly = GameManager.TooEarly.selector;
        _refuseRuleset("two", earliest - 1, abi.encodeWithSelector(tooEarly, earliest - 1, earliest));
        _refuseRuleset(0, earliest, abi.encodeWithSelector(GameManager.ZeroHash.selector));
        uint256 latest = FIRST_DAY + 366;
        _refuseRuleset("two", latest + 1, abi.encodeWithSelector(GameManager.TooFarAhead.selector, latest + 1, latest));
        vm.prank(owner);
        game.scheduleRuleset("two", earliest);
        // The same day again corrects it; an earlier day would change what is announced.
        vm.prank(owner);
        game.scheduleRuleset("three", earliest);
        vm.assertEq(game.rulesetHashOf(earliest - 1), RULESET);
        vm.assertEq(game.rulesetHashOf(earliest), bytes32("three"));
        vm.assertEq(game.rulesetHashOf(earliest + 1000), bytes32("three"));
        vm.prank(owner);
        game.scheduleRuleset("four", earliest + 2);
        vm.expectRevert();
        vm.prank(owner);
        game.scheduleRuleset("five", earliest + 1);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, settler));
        vm.prank(settler);
        game.scheduleRuleset("six", earliest + 3);
    }

    function testFuzz_AffiliateRatesHoldFromTheirDay(uint16 rateBps, uint256 inDays) public {
        address affiliate = address(0xAFF);
        uint256 from = FIRST_DAY + inDays % 400;
        if (rateBps > 1_000) {
            _refuseRate(affiliate, rateBps, from, abi.encodeWithSelector(GameManager.RateTooHigh.selector, rateBps));
            rateBps %= 1_001;
        }
        if (from == FIRST_DAY) {
            _refuseRate(
                affiliate, rateBps, from, abi.encodeWithSelector(GameManager.TooEarly.selector, from, FIRST_DAY + 1)
            );
        } else if (from > FIRST_DAY + 366) {
            bytes memory reason = abi.encodeWithSelector(GameManager.TooFarAhead.selector, from, FIRST_DAY + 366);
            _refuseRate(affiliate, rateBps, from, reason);
        } else {
            vm.expectEmit(true, true, true, true, address(game));
            emit GameManager.AffiliateRateSet(affiliate, rateBps, from);
            vm.prank(owner);
            game.setAffiliateRate(affiliate, rateBps, from);
            vm.assertEq(game.affiliateRateOf(affiliate, from - 1), 500);
            vm.assertEq(game.affiliateRateOf(affiliate, from), rateBps);
            vm.assertEq(game.affiliateRateCount(), 1);
        }
        vm.assertEq(game.affiliateRateOf(address(0xBFF), from), 500);
    }

    function test_OnlyTheOwnerSetsRates() public {
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, relayer));
        vm.prank(relayer);
        game.setAffiliateRate(address(0xAFF), 1, FIRST_DAY + 1);
    }

    // ------------------------------------------------------------------------------------- receivers

    function test_ABlockedReceiverStopsNoSettlementAndCanBeReplaced() public {
        usdt.setBlocked(feeReceiver, true);
        usdt.setBlocked(address(charityVault), true);
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY);
        s.charityTotal = 687_500;
        _settle(s);
        vm.expectRevert(abi.encodeWithSelector(HostileUSDT.Blocked.selector, feeReceiver));
        reserve.withdrawFees();
        vm.assertEq(reserve.accruedFees(), 6_187_500);
        vm.prank(owner);
        reserve.setFeeReceiver(address(0xB9));
        reserve.withdrawFees();
        vm.assertEq(usdt.balanceOf(address(0xB9)), 6_187_500);
        vm.assertEq(reserve.accruedFees(), 0);
        // Twice gives nothing more.
        reserve.withdrawFees();
        vm.assertEq(usdt.balanceOf(address(0xB9)), 6_187_500);
        _assertSolvent();
    }

    function test_ReceiversAreOutsideAndSetByTheOwner() public {
        vm.expectRevert(ReserveVault.ReceiverIsOurs.selector);
        vm.prank(owner);
        reserve.setFeeReceiver(address(prizes));
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        vm.prank(owner);
        reserve.setGasSafe(address(0));
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, relayer));
        vm.prank(relayer);
        reserve.setGasSafe(address(0xB9));
        vm.prank(owner);
        reserve.setGasSafe(address(0xB9));
        vm.assertEq(reserve.gasSafe(), address(0xB9));
    }

    function test_ATokenThatTakesAFeeCannotMakeUsInsolvent() public {
        usdt.setFee(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, _tips(1));
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.WrongAmountReceived.selector, 250_000, 249_999));
        vm.prank(player);
        game.buyTicket(permit, _tips(1));
    }

    // ------------------------------------------------------------------------------------- charity

    function test_CharityMoneyReachesRegisteredCharitiesOnly() public {
        address charity = address(0xCA);
        _buy(0, 100);
        Settlement memory s = _empty(FIRST_DAY);
        s.charityTotal = 687_500;
        _settle(s);
        vm.prank(address(0xE0));
        reserve.withdrawCharity();
        vm.assertEq(usdt.balanceOf(address(charityVault)), 687_500);
        vm.expectRevert(abi.encodeWithSelector(CharityVault.NotRegistered.selector, charity));
        vm.prank(owner);
        charityVault.pay(charity, 1);
        vm.prank(owner);
        charityVault.registerCharity(charity, "Water");
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, charity));
        vm.prank(charity);
        charityVault.pay(charity, 1);
        vm.expectEmit(true, true, true, true, address(charityVault));
        emit CharityVault.CharityPaid(charity, 687_500);
        vm.prank(owner);
        charityVault.pay(charity, 687_500);
        vm.assertEq(usdt.balanceOf(charity), 687_500);
        vm.assertEq(charityVault.paidTo(charity), 687_500);
        vm.prank(owner);
        charityVault.removeCharity(charity);
        vm.expectRevert(abi.encodeWithSelector(CharityVault.NotRegistered.selector, charity));
        vm.prank(owner);
        charityVault.removeCharity(charity);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuseRuleset(bytes32 hash, uint256 from, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        game.scheduleRuleset(hash, from);
    }

    function _refuseRate(address affiliate, uint16 rateBps, uint256 from, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        game.setAffiliateRate(affiliate, rateBps, from);
    }
}
