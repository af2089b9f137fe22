// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Roles} from "../../src/lottery/Roles.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {BuyPermit, Office, Settlement} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";

/// @notice Five offices: succession in public, removal and suspension at once.
contract RolesTest is Base {
    address private constant ANNA = address(0xA);
    address private constant BERT = address(0xB);

    // ------------------------------------------------------------------------------------- five accounts

    function test_FiveDistinctAccountsHoldTheOffices() public {
        vm.expectEmit(true, true, true, true);
        emit Roles.HolderSet(Office.Promotions, address(0), promotions);
        Roles fresh = new Roles(owner, guardian, relayer, settler, promotions, address(settlement));
        address[5] memory holders = _holders();
        for (uint8 i = 0; i < 5; ++i) vm.assertEq(fresh.holderOf(Office(i)), holders[i]);
        vm.assertEq(fresh.owner(), owner);
        vm.assertEq(fresh.guardian(), guardian);
        vm.assertEq(fresh.relayer(), relayer);
        vm.assertEq(fresh.settler(), settler);
        vm.assertEq(fresh.promotions(), promotions);

        vm.expectRevert(abi.encodeWithSelector(Roles.OfficeHeld.selector, owner));
        new Roles(owner, guardian, relayer, settler, owner, address(settlement));
        vm.expectRevert(abi.encodeWithSelector(Roles.OfficeHeld.selector, guardian));
        new Roles(owner, guardian, guardian, settler, promotions, address(settlement));
        vm.expectRevert(Roles.ZeroAddress.selector);
        new Roles(owner, guardian, relayer, address(0), promotions, address(settlement));
        vm.expectRevert(Roles.ZeroAddress.selector);
        new Roles(owner, guardian, relayer, settler, promotions, address(0));
    }

    // ------------------------------------------------------------------------------------- succession

    function test_TheNamedAccountTakesOfficeItselfFrom48HoursTo14DaysLater() public {
        for (uint8 i = 0; i < 5; ++i) {
            Office office = Office(i);
            address old = roles.holderOf(office);
            // The first holder comes as early as possible, the second as late.
            for (uint160 k = 0; k < 2; ++k) {
                address next = address(0xC0 + i * 2 + k);
                uint256 start = block.timestamp;
                vm.expectEmit(true, true, true, true, address(roles));
                emit Roles.HolderNamed(office, next, start + 48 hours, start + 14 days);
                _name(office, next);
                _assertNaming(office, next, start);
                vm.warp(start + 48 hours - 1);
                _refuseTaking(office, next, abi.encodeWithSelector(Roles.TooEarly.selector, start + 48 hours));
                vm.warp(start + 14 days + 1);
                _refuseTaking(office, next, abi.encodeWithSelector(Roles.TooLate.selector, start + 14 days));
                // Until then the old one keeps the office.
                vm.assertEq(roles.holderOf(office), old);
                vm.warp(k == 0 ? start + 48 hours : start + 14 days);
                vm.expectEmit(true, true, true, true, address(roles));
                emit Roles.HolderSet(office, old, next);
                vm.prank(next);
                roles.takeOffice(office);
                vm.assertEq(roles.holderOf(office), next);
                _assertNaming(office, address(0), 0);
                if (office == Office.Owner) owner = next;
                old = next;
            }
        }
        vm.assertEq(roles.relayer(), address(0xC5));
        vm.assertEq(roles.settler(), address(0xC7));
        vm.assertEq(roles.promotions(), address(0xC9));
    }

    function test_OnlyTheOwnerNamesAndOnlyAFreeAccount() public {
        address[5] memory holders = _holders();
        for (uint8 i = 1; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, holders[i]));
            vm.prank(holders[i]);
            roles.nameHolder(Office(i), ANNA);
        }
        for (uint8 i = 0; i < 5; ++i) {
            vm.expectRevert(Roles.ZeroAddress.selector);
            _name(Office(i), address(0));
            for (uint256 k = 0; k < 5; ++k) {
                vm.expectRevert(abi.encodeWithSelector(Roles.OfficeHeld.selector, holders[k]));
                _name(Office(i), holders[k]);
            }
        }
    }

    function test_NobodyElseTakesTheOffice() public {
        _refuseTaking(Office.Settler, ANNA, abi.encodeWithSelector(Roles.NotNamed.selector, Office.Settler, ANNA));
        _name(Office.Settler, ANNA);
        vm.warp(block.timestamp + 48 hours);
        _refuseTaking(Office.Settler, BERT, abi.encodeWithSelector(Roles.NotNamed.selector, Office.Settler, BERT));
        _refuseTaking(Office.Relayer, ANNA, abi.encodeWithSelector(Roles.NotNamed.selector, Office.Relayer, ANNA));
        vm.prank(ANNA);
        roles.takeOffice(Office.Settler);
        // Once.
        _refuseTaking(Office.Settler, ANNA, abi.encodeWithSelector(Roles.NotNamed.selector, Office.Settler, ANNA));
    }

    function test_NamingAgainStartsTheClockAnew() public {
        _name(Office.Guardian, ANNA);
        vm.warp(block.timestamp + 48 hours);
        _name(Office.Guardian, ANNA);
        _refuseTaking(
            Office.Guardian, ANNA, abi.encodeWithSelector(Roles.TooEarly.selector, block.timestamp + 48 hours)
        );
        vm.warp(block.timestamp + 48 hours);
        _name(Office.Guardian, BERT);
        _refuseTaking(Office.Guardian, ANNA, abi.encodeWithSelector(Roles.NotNamed.selector, Office.Guardian, ANNA));
        vm.warp(block.timestamp + 48 hours);
        vm.prank(BERT);
        roles.takeOffice(Office.Guardian);
    }

    function test_OwnerAndGuardianCancelAnyNamingButNotTheGuardianItsOwnSuccessors() public {
        for (uint8 i = 0; i < 5; ++i) {
            Office office = Office(i);
            _refuseCancelling(office, owner, abi.encodeWithSelector(Roles.NoNaming.selector, office));
            _name(office, ANNA);
            _refuseCancelling(office, relayer, abi.encodeWithSelector(Roles.NotGuardianOrOwner.selector, relayer));
            _refuseCancelling(office, ANNA, abi.encodeWithSelector(Roles.NotGuardianOrOwner.selector, ANNA));
            if (office == Office.Guardian) {
                _refuseCancelling(office, guardian, abi.encodeWithSelector(Roles.OwnSuccessor.selector));
            } else {
                _cancel(office, guardian);
                _name(office, ANNA);
            }
            vm.warp(block.timestamp + 48 hours);
            _cancel(office, owner);
            _refuseTaking(office, ANNA, abi.encodeWithSelector(Roles.NotNamed.selector, office, ANNA));
        }
    }

    function test_ThatTheAccountIsFreeIsCheckedAgainWhenItTakesOffice() public {
        _name(Office.Settler, ANNA);
        _name(Office.Relayer, ANNA);
        vm.warp(block.timestamp + 48 hours);
        vm.prank(ANNA);
        roles.takeOffice(Office.Relayer);
        _refuseTaking(Office.Settler, ANNA, abi.encodeWithSelector(Roles.OfficeHeld.selector, ANNA));
        vm.assertEq(roles.settler(), settler);
    }

    function test_AFormerHolderHasNoPowerAndTheNextOneHasIt() public {
        address old = owner;
        owner = ANNA;
        vm.prank(old);
        roles.nameHolder(Office.Owner, ANNA);
        vm.warp(block.timestamp + 48 hours);
        vm.prank(ANNA);
        roles.takeOffice(Office.Owner);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, old));
        vm.prank(old);
        roles.nameHolder(Office.Relayer, BERT);
        _name(Office.Relayer, BERT);
        // The office that was left is free for another one.
        _name(Office.Guardian, old);
    }

    // ------------------------------------------------------------------------------------- removal

    function test_TheOwnerRemovesSettlerOrRelayerAtOnce() public {
        for (uint8 i = 2; i < 4; ++i) {
            Office office = Office(i);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, guardian));
            vm.prank(guardian);
            roles.removeHolder(office);
            vm.expectEmit(true, true, true, true, address(roles));
            emit Roles.HolderSet(office, roles.holderOf(office), address(0));
            _remove(office);
            vm.assertEq(roles.holderOf(office), address(0));
            vm.expectRevert(abi.encodeWithSelector(Roles.NoHolder.selector, office));
            _remove(office);
        }
        vm.assertEq(roles.relayer(), address(0));
        vm.assertEq(roles.settler(), address(0));
        _makeDue(FIRST_DAY);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(RoleBound.NotSettler.selector, settler));
        // Named and waited for as always.
        _succeed(Office.Settler, settler);
        _commit(_empty(FIRST_DAY));
    }

    function test_TheOtherOfficesAreNeverEmptyOrSuspended() public {
        Office[3] memory others = [Office.Owner, Office.Guardian, Office.Promotions];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Roles.NotAKey.selector, others[i]));
            _remove(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotAKey.selector, others[i]));
            _suspend(others[i]);
        }
    }

    // ------------------------------------------------------------------------------------- suspension

    function test_TheGuardianSuspendsSettlerOrRelayerAtOnce() public {
        for (uint8 i = 2; i < 4; ++i) {
            Office office = Office(i);
            address holder = roles.holderOf(office);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, owner));
            vm.prank(owner);
            roles.suspend(office);
            vm.expectEmit(true, true, true, true, address(roles));
            emit Roles.Suspended(office, holder);
            _suspend(office);
            vm.assertTrue(roles.isSuspended(holder));
            vm.assertEq(roles.holderOf(office), holder);
            vm.expectRevert(abi.encodeWithSelector(Roles.AlreadySuspended.selector, holder));
            _suspend(office);
        }
        // Both read zero while suspended.
        vm.assertEq(roles.relayer(), address(0));
        vm.assertEq(roles.settler(), address(0));
    }

    function test_ASuspendedKeyActsNoMore() public {
        bytes memory tips = _tips(1);
        BuyPermit memory permit = _permit(player, 0, 1, 0, tips);
        bytes memory signature = _sign(permit);
        _suspend(Office.Relayer);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotRelayer.selector, relayer));
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        _suspend(Office.Settler);
        _makeDue(FIRST_DAY);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(RoleBound.NotSettler.selector, settler));
    }

    function test_NobodyIsSuspendedInAnEmptyOffice() public {
        _remove(Office.Settler);
        vm.expectRevert(abi.encodeWithSelector(Roles.NoHolder.selector, Office.Settler));
        _suspend(Office.Settler);
    }

    function test_ASuspensionSticksToTheAddressUntilTheOwnerLiftsIt() public {
        _suspend(Office.Settler);
        _remove(Office.Settler);
        _succeed(Office.Settler, settler);
        vm.assertEq(roles.holderOf(Office.Settler), settler);
        vm.assertEq(roles.settler(), address(0));
        // In the other office, too.
        _remove(Office.Settler);
        _succeed(Office.Relayer, settler);
        vm.assertEq(roles.relayer(), address(0));
        vm.expectRevert(abi.encodeWithSelector(Roles.NotOwner.selector, guardian));
        vm.prank(guardian);
        roles.liftSuspension(settler);
        vm.expectEmit(true, true, true, true, address(roles));
        emit Roles.SuspensionLifted(settler);
        _lift(settler);
        vm.assertFalse(roles.isSuspended(settler));
        vm.assertEq(roles.relayer(), settler);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotSuspended.selector, settler));
        _lift(settler);
    }

    function test_ASuspensionIsLiftedFromAnAddressWithoutOfficeToo() public {
        _suspend(Office.Relayer);
        _remove(Office.Relayer);
        _lift(relayer);
        _succeed(Office.Relayer, relayer);
        vm.assertEq(roles.relayer(), relayer);
    }

    function test_ASuccessorIsFreeAndTheGuardianCanSuspendItToo() public {
        _suspend(Office.Settler);
        _succeed(Office.Settler, ANNA);
        vm.assertEq(roles.settler(), ANNA);
        vm.assertTrue(roles.isSuspended(settler));
        // Lifting the old one's suspension changes nothing for the new one.
        _suspend(Office.Settler);
        _lift(settler);
        vm.assertEq(roles.settler(), address(0));
        _lift(ANNA);
        vm.assertEq(roles.settler(), ANNA);
    }

    // ------------------------------------------------------------------------------------- the pending commit

    function test_SuspendingTheSettlerTakesItsCommitBack() public {
        Settlement memory s = _commitFirstDay();
        _expectTakenBack(s);
        _suspend(Office.Settler);
        _assertTakenBack(1);
    }

    function test_RemovingTheSettlerTakesItsCommitBack() public {
        Settlement memory s = _commitFirstDay();
        _expectTakenBack(s);
        _remove(Office.Settler);
        _assertTakenBack(1);
    }

    function test_SucceedingTheSettlerTakesItsCommitBack() public {
        _name(Office.Settler, ANNA);
        vm.warp(block.timestamp + 48 hours);
        Settlement memory s = _commitFirstDay();
        _expectTakenBack(s);
        vm.prank(ANNA);
        roles.takeOffice(Office.Settler);
        _assertTakenBack(1);
        // The successor commits the same day again.
        settler = ANNA;
        _settle(s);
        vm.assertEq(settlement.takebacks(FIRST_DAY), 1);
    }

    function test_NoneOfThemRevertsForLackOfACommit() public {
        _suspend(Office.Settler);
        _remove(Office.Settler);
        _succeed(Office.Settler, ANNA);
        vm.assertEq(settlement.takebacks(FIRST_DAY), 0);
        // A released day keeps its result.
        settler = ANNA;
        _settle(_empty(FIRST_DAY));
        _suspend(Office.Settler);
        vm.assertEq(_status(FIRST_DAY), 2);
        vm.assertEq(settlement.takebacks(FIRST_DAY), 0);
    }

    function test_TheOtherOfficesLeaveTheCommitAlone() public {
        _commitFirstDay();
        _suspend(Office.Relayer);
        _lift(relayer);
        _remove(Office.Relayer);
        _succeed(Office.Relayer, ANNA);
        _succeed(Office.Guardian, BERT);
        _succeed(Office.Promotions, address(0xC));
        vm.assertEq(_status(FIRST_DAY), 1);
        vm.assertEq(settlement.takebacks(FIRST_DAY), 0);
    }

    function test_OnlyRolesTakesACommitBack() public {
        _commitFirstDay();
        address[5] memory holders = _holders();
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotRoles.selector, holders[i]));
            vm.prank(holders[i]);
            settlement.takeBack();
        }
    }

    function test_BeforeSettlementStandsTheSettlerCanBeSuspendedToo() public {
        roles = new Roles(owner, guardian, relayer, settler, promotions, address(0x5E771E));
        _suspend(Office.Settler);
        vm.assertEq(roles.settler(), address(0));
    }

    // ------------------------------------------------------------------------------------- helpers

    function _holders() private view returns (address[5] memory) {
        return [owner, guardian, relayer, settler, promotions];
    }

    function _name(Office office, address account) private {
        vm.prank(owner);
        roles.nameHolder(office, account);
    }

    function _remove(Office office) private {
        vm.prank(owner);
        roles.removeHolder(office);
    }

    function _suspend(Office office) private {
        vm.prank(guardian);
        roles.suspend(office);
    }

    function _lift(address account) private {
        vm.prank(owner);
        roles.liftSuspension(account);
    }

    function _cancel(Office office, address by) private {
        (address named,,) = roles.naming(office);
        vm.expectEmit(true, true, true, true, address(roles));
        emit Roles.NamingCancelled(office, named, by);
        vm.prank(by);
        roles.cancelNaming(office);
        _assertNaming(office, address(0), 0);
    }

    function _refuseTaking(Office office, address account, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(account);
        roles.takeOffice(office);
    }

    function _refuseCancelling(Office office, address by, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(by);
        roles.cancelNaming(office);
    }

    function _assertNaming(Office office, address expected, uint256 since) private view {
        (address named, uint256 notBefore, uint256 notAfter) = roles.naming(office);
        vm.assertEq(named, expected);
        vm.assertEq(notBefore, expected == address(0) ? 0 : since + 48 hours);
        vm.assertEq(notAfter, expected == address(0) ? 0 : since + 14 days);
    }

    function _commitFirstDay() private returns (Settlement memory s) {
        s = _empty(FIRST_DAY);
        _makeDue(FIRST_DAY);
        _commit(s);
    }

    function _expectTakenBack(Settlement memory s) private {
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.TakenBack(FIRST_DAY, keccak256(abi.encode(s)));
    }

    function _assertTakenBack(uint256 takebacks) private view {
        vm.assertEq(_status(FIRST_DAY), 0);
        vm.assertEq(settlement.settlementHash(FIRST_DAY), bytes32(0));
        vm.assertEq(settlement.dayRecord(FIRST_DAY).runHash, bytes32(0));
        vm.assertEq(settlement.dayRecord(FIRST_DAY).committedAt, 0);
        vm.assertEq(settlement.takebacks(FIRST_DAY), takebacks);
        vm.assertEq(settlement.nextDay(), FIRST_DAY);
    }
}
