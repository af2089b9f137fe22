// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../src/RoleBound.sol";
import {VRFReceiver} from "../src/VRFReceiver.sol";
import {Base} from "./Base.sol";

/// @notice Rule 3.3: one word per day, asked for once, the first answer counts.
contract VrfTest is Base {
    function test_OnlyAClosedDayWithTipsIsAskedForAndOnlyOnce() public {
        _buy(0, 1);
        vm.warp((FIRST_DAY + 1) * 1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.DayNotClosed.selector, FIRST_DAY));
        vrf.requestSeed(FIRST_DAY);
        _warpToClose(FIRST_DAY + 1);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.DayWithoutTips.selector, FIRST_DAY + 1));
        vrf.requestSeed(FIRST_DAY + 1);
        // Anyone.
        vm.prank(address(0xE0));
        uint256 id = vrf.requestSeed(FIRST_DAY);
        (uint256 requestId, uint64 requestedAt, uint64 requestedBlock) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestId, id);
        vm.assertEq(requestedAt, block.timestamp);
        vm.assertEq(requestedBlock, block.number);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.AlreadyRequested.selector, FIRST_DAY));
        vrf.requestSeed(FIRST_DAY);
        (bool fulfilled,) = vrf.wordOf(FIRST_DAY);
        vm.assertFalse(fulfilled);
    }

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
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(id, _words(2, 5));
        _assertWord(5);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.OnlyCoordinator.selector, owner));
        vm.prank(owner);
        vrf.rawFulfillRandomWords(id, _words(1, 6));
    }

    function test_OnlyTheOwnerConfiguresAndNeverWithTooLittleGas() public {
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, settler));
        vm.prank(settler);
        vrf.setVrfConfig(bytes32(0), 200_000, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.CallbackGasTooLow.selector, 99_999));
        vm.prank(owner);
        vrf.setVrfConfig(bytes32(0), 99_999, 3, 1);
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.VrfConfigSet(bytes32("lane"), 100_000, 5, 77);
        vm.prank(owner);
        vrf.setVrfConfig(bytes32("lane"), 100_000, 5, 77);
        // A failed request is none: with the right subscription the day can still be asked for.
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        vm.expectRevert();
        vrf.requestSeed(FIRST_DAY);
        (, uint64 requestedAt,) = vrf.requestOf(FIRST_DAY);
        vm.assertEq(requestedAt, 0);
    }

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

    function test_DrandIsNotedByEvent() public {
        bytes memory signature = new bytes(48);
        vm.expectEmit(true, true, true, true, address(vrf));
        emit VRFReceiver.DrandRecorded(FIRST_DAY, 9, signature, address(this));
        vrf.recordDrand(FIRST_DAY, 9, signature);
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.BadDrandSignature.selector, 47));
        vrf.recordDrand(FIRST_DAY, 9, new bytes(47));
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
