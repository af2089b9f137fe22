// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {VRFReceiver} from "../../src/lottery/VRFReceiver.sol";
import {Base} from "./Base.sol";

/// @notice One word per day, asked for once, the first answer counts; refused while it would not be served.
contract VrfTest is Base {
    // ------------------------------------------------------------------------------------- requests

    function test_AnyoneRequestsTheWordOfAClosedDayWithTipsOnce() public {
        _buy(0, 1);
        vm.warp(CLOSE - 1);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.DayNotClosed.selector, FIRST_DAY));
        vrf.requestSeed(FIRST_DAY);
        vm.warp(CLOSE);
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.SeedRequested(FIRST_DAY, 1);
        vm.prank(stranger);
        uint256 id = vrf.requestSeed(FIRST_DAY);
        (uint256 requestId, uint64 requestedAt, uint64 requestedBlock) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestId, id);
        vm.assertEq(requestedAt, block.timestamp);
        vm.assertEq(requestedBlock, block.number);
        (uint64 since, bool hasWord) = vrf.seedStatus(FIRST_DAY);
        vm.assertEq(since, CLOSE);
        vm.assertFalse(hasWord);
        // Never again, answered or not.
        _refuse(FIRST_DAY, abi.encodeWithSelector(VRFReceiver.AlreadyRequested.selector, FIRST_DAY));
        coordinator.fulfillRandomWords(id, address(vrf));
        _refuse(FIRST_DAY, abi.encodeWithSelector(VRFReceiver.AlreadyRequested.selector, FIRST_DAY));
    }

    function test_ADayWithoutTipsNeedsNoWord() public {
        _warpToClose(FIRST_DAY);
        _refuse(FIRST_DAY, abi.encodeWithSelector(VRFReceiver.DayWithoutTips.selector, FIRST_DAY));
    }

    function test_ASettledOrVoidedDayIsNotAskedForAnyMore() public {
        _buy(0, 1);
        _settle(_empty(FIRST_DAY));
        _refuse(FIRST_DAY, abi.encodeWithSelector(VRFReceiver.DaySettled.selector, FIRST_DAY));
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 1);
        vm.warp((FIRST_DAY + 2) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 1);
        _refuse(FIRST_DAY + 1, abi.encodeWithSelector(VRFReceiver.DaySettled.selector, FIRST_DAY + 1));
    }

    function test_ARequestIsRefusedWhileTheCoordinatorDoesNotKnowTheKeyAndBurnsNoDay() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        coordinator.setProvingKey(KEY_HASH, false);
        _refuse(FIRST_DAY, abi.encodeWithSelector(VRFReceiver.UnknownKeyHash.selector, KEY_HASH));
        (, uint64 requestedAt,) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestedAt, 0);
        coordinator.setProvingKey(KEY_HASH, true);
        vrf.requestSeed(FIRST_DAY);
    }

    function test_ARequestIsRefusedWithoutFundsAndBurnsNoDay() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        _setBalance(LINK_PER_REQUEST - 1);
        _refuse(
            FIRST_DAY,
            abi.encodeWithSelector(
                VRFReceiver.SubscriptionUnderfunded.selector, LINK_PER_REQUEST - 1, LINK_PER_REQUEST
            )
        );
        (, uint64 requestedAt,) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestedAt, 0);
        _setBalance(LINK_PER_REQUEST);
        vrf.requestSeed(FIRST_DAY);
    }

    function test_EachUnsettledDayWithoutItsWordNeedsFundsToo() public {
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 6; ++day) {
            _warpToNoon(day);
            _buy(0, 1);
        }
        vm.warp((FIRST_DAY + 6) * 1 days);
        uint96 floor = LINK_PER_REQUEST;
        for (uint96 i = 0; i < 6; ++i) {
            // The latest first: all requested days wait for their word, the last one that can have tips too.
            _setBalance((i + 1) * floor - 1);
            _refuse(
                FIRST_DAY + 5 - i,
                abi.encodeWithSelector(
                    VRFReceiver.SubscriptionUnderfunded.selector, (i + 1) * floor - 1, (i + 1) * floor
                )
            );
            _setBalance((i + 1) * floor);
            vrf.requestSeed(FIRST_DAY + 5 - i);
        }
    }

    function test_AWordThatIsThereOrADayThatIsSettledNeedsNoFundsAnyMore() public {
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 3; ++day) {
            _warpToNoon(day);
            _buy(0, 1);
        }
        vm.warp(CLOSE + 3 days);
        uint256 answered = vrf.requestSeed(FIRST_DAY);
        vrf.requestSeed(FIRST_DAY + 1);
        _setBalance(3 * LINK_PER_REQUEST - 1);
        _refuse(
            FIRST_DAY + 2,
            abi.encodeWithSelector(
                VRFReceiver.SubscriptionUnderfunded.selector, 3 * LINK_PER_REQUEST - 1, 3 * LINK_PER_REQUEST
            )
        );
        vm.clearMockedCalls();
        coordinator.fulfillRandomWords(answered, address(vrf));
        _setBalance(2 * LINK_PER_REQUEST);
        vrf.requestSeed(FIRST_DAY + 2);
        // Voided without its word: the second day.
        vm.clearMockedCalls();
        _makeDue(FIRST_DAY);
        _commit(_empty(FIRST_DAY));
        _release(_empty(FIRST_DAY));
        vm.warp((FIRST_DAY + 3) * 1 days + 7 days);
        settlement.voidDay(FIRST_DAY + 1);
        settlement.voidDay(FIRST_DAY + 2);
        _warpToNoon(FIRST_DAY + 3);
        _buy(0, 1);
        _warpToClose(FIRST_DAY + 3);
        _setBalance(LINK_PER_REQUEST);
        vrf.requestSeed(FIRST_DAY + 3);
    }

    function test_TheSubscriptionIsOursAloneAndAnyoneFundsIt() public {
        (uint96 balance,,, address subscriber, address[] memory consumers) =
            coordinator.getSubscription(vrf.subscriptionId());
        vm.assertEq(subscriber, address(vrf));
        vm.assertEq(consumers.length, 1);
        vm.assertEq(consumers[0], address(vrf));
        vm.prank(stranger);
        coordinator.fundSubscription(vrf.subscriptionId(), 5);
        (uint96 after_,,,,) = coordinator.getSubscription(vrf.subscriptionId());
        vm.assertEq(after_, balance + 5);
    }

    // ------------------------------------------------------------------------------------- answers

    function testFuzz_TheCoordinatorsFirstWordCountsAndZeroIsAWord(uint256 word) public {
        if (word % 3 == 0) word = 0;
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        _seed(FIRST_DAY, word);
        _assertWord(word);
        (uint256 id,,) = vrf.requestOf(FIRST_DAY);
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(id, _words(1, word ^ 1));
        _assertWord(word);
    }

    function test_TheCallbackNeverRevertsForTheCoordinator() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        uint256 id = vrf.requestSeed(FIRST_DAY);
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(id + 1, _words(1, 5));
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(id, _words(0, 0));
        (bool fulfilled,) = vrf.wordOf(FIRST_DAY);
        vm.assertFalse(fulfilled);
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.SeedFulfilled(FIRST_DAY, id, 5);
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(id, _words(2, 5));
        _assertWord(5);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.OnlyCoordinator.selector, owner));
        vm.prank(owner);
        vrf.rawFulfillRandomWords(id, _words(1, 6));
    }

    function test_AWordThatComesAfterTheVoidChangesNothing() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        uint256 id = vrf.requestSeed(FIRST_DAY);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        coordinator.fulfillRandomWords(id, address(vrf));
        vm.assertEq(_status(FIRST_DAY), 3);
        vm.assertEq(settlement.drawnVoidAt(), 0);
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 1);
    }

    // ------------------------------------------------------------------------------------- configuration

    function test_OnlyTheOwnerConfiguresAndNeverWithTooLittleGas() public {
        VRFReceiver.VrfConfig memory config = VRFReceiver.VrfConfig(KEY_HASH, 99_999, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, settler));
        vm.prank(settler);
        vrf.announceConfig(config);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.CallbackGasTooLow.selector, 99_999));
        vm.prank(owner);
        vrf.announceConfig(config);
        config.callbackGasLimit = 100_000;
        _announce(config);
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.VrfConfigSet(KEY_HASH, 100_000, 3, 1);
        vrf.execute("vrf config");
    }

    function test_AConfigurationComesIntoForceOnlyWhenTheCoordinatorWouldServeIt() public {
        // Announced, a key may still be unknown.
        bytes32 next = "next lane";
        _announce(VRFReceiver.VrfConfig(next, 100_000, 3, 2e18));
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.UnknownKeyHash.selector, next));
        vrf.execute("vrf config");
        coordinator.setProvingKey(next, true);
        _setBalance(2e18 - 1);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.SubscriptionUnderfunded.selector, 2e18 - 1, 2e18));
        vrf.execute("vrf config");
        _setBalance(2e18);
        vrf.execute("vrf config");
        (bytes32 keyHash,,,) = vrf.config();
        vm.assertEq(keyHash, next);
    }

    function test_TheConstructorAsksForGasButForNeitherKeyNorFunds() public {
        VRFReceiver.VrfConfig memory config = VRFReceiver.VrfConfig("unknown", 99_999, 3, 1e18);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.CallbackGasTooLow.selector, 99_999));
        new VRFReceiver(address(coordinator), roles, game, config);
        config.callbackGasLimit = 100_000;
        new VRFReceiver(address(coordinator), roles, game, config);
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        new VRFReceiver(address(0), roles, game, config);
    }

    function test_ARequestAlreadyMadeKeepsItsTerms() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        uint256 id = vrf.requestSeed(FIRST_DAY);
        _announce(VRFReceiver.VrfConfig(KEY_HASH, 200_000, 9, 3e18));
        vrf.execute("vrf config");
        coordinator.fulfillRandomWords(id, address(vrf));
        (bool fulfilled,) = vrf.wordOf(FIRST_DAY);
        vm.assertTrue(fulfilled);
    }

    function test_TheSubscriptionIsClosedOnlyAfterTheEnd() public {
        vm.expectRevert(VRFReceiver.GameGoesOn.selector);
        vm.prank(owner);
        vrf.closeSubscription();
        vm.mockCall(address(settlement), abi.encodeCall(settlement.finished, ()), abi.encode(true));
        vm.expectCall(
            address(coordinator),
            abi.encodeCall(coordinator.cancelSubscription, (vrf.subscriptionId(), feeReceiver)),
            1
        );
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.SubscriptionClosed(feeReceiver);
        vm.prank(stranger);
        vrf.closeSubscription();
    }

    // ------------------------------------------------------------------------------------- block numbers, drand

    function test_TheBlockNumberIsTheChainsOwnAlsoOnArbitrum() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        // Answers 0xA4B1 whatever is asked, as the precompile would with its height.
        vm.etch(address(0x64), hex"61a4b160005260206000f3");
        vrf.requestSeed(FIRST_DAY);
        (,, uint64 requestedBlock) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestedBlock, 0xa4b1);
    }

    function test_ABrokenPrecompileStopsNoRequest() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        vm.etch(address(0x64), hex"fe");
        vrf.requestSeed(FIRST_DAY);
        (,, uint64 requestedBlock) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestedBlock, block.number);
    }

    function test_DrandIsNotedByEventAndIsNoAuthority() public {
        uint8[3] memory bad = [0, 47, 95];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VRFReceiver.BadDrandSignature.selector, bad[i]));
            vrf.recordDrand(FIRST_DAY, 9, new bytes(bad[i]));
        }
        for (uint256 length = 48; length <= 96; length += 48) {
            bytes memory signature = new bytes(length);
            vm.expectEmit(true, true, true, true, address(vrf));
            emit VRFReceiver.DrandRecorded(FIRST_DAY, 9, signature, stranger);
            vm.prank(stranger);
            vrf.recordDrand(FIRST_DAY, 9, signature);
        }
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuse(uint256 day, bytes memory reason) private {
        vm.expectRevert(reason);
        vrf.requestSeed(day);
    }

    /// @dev The mock cannot take LINK away again.
    function _setBalance(uint96 balance) private {
        vm.mockCall(
            address(coordinator),
            abi.encodeCall(coordinator.getSubscription, (vrf.subscriptionId())),
            abi.encode(balance, uint96(1e24), uint64(0), address(vrf), new address[](1))
        );
    }

    function _announce(VRFReceiver.VrfConfig memory config) private {
        vm.prank(owner);
        vrf.announceConfig(config);
        vm.warp(block.timestamp + 48 hours);
    }

    function _words(uint256 count, uint256 first) private pure returns (uint256[] memory words) {
        words = new uint256[](count);
        if (count > 0) words[0] = first;
    }

    function _assertWord(uint256 expected) private view {
        (bool fulfilled, uint256 word) = vrf.wordOf(FIRST_DAY);
        vm.assertTrue(fulfilled);
        vm.assertEq(word, expected);
    }
}
