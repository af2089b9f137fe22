// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Base} from "./Base.sol";

/// @notice Rulesets and affiliate rates, announced ahead.
contract SchedulesTest is Base {
    address private constant ANNA = address(0xAFF);

    // ------------------------------------------------------------------------------------- rulesets

    function test_ARulesetIsAnnouncedSevenDaysAheadAndAtMostAYear() public {
        vm.assertEq(game.rulesetHashOf(FIRST_DAY - 1), bytes32(0));
        vm.assertEq(game.rulesetHashOf(FIRST_DAY), RULESET);
        uint256 earliest = FIRST_DAY + 7;
        uint256 latest = FIRST_DAY + 366;
        bytes4 tooEarly = GameManager.TooEarly.selector;
        _refuseRuleset("two", earliest - 1, abi.encodeWithSelector(tooEarly, earliest - 1, earliest));
        _refuseRuleset("two", latest + 1, abi.encodeWithSelector(GameManager.TooFarAhead.selector, latest + 1, latest));
        _refuseRuleset(0, earliest, abi.encodeWithSelector(GameManager.ZeroHash.selector));
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.RulesetScheduled("two", earliest);
        _schedule("two", earliest);
        _assertWaiting("two", earliest);
        vm.assertEq(game.rulesetHashOf(earliest - 1), RULESET);
        vm.assertEq(game.rulesetHashOf(earliest), bytes32("two"));
        vm.assertEq(game.rulesetHashOf(earliest + 1000), bytes32("two"));
        _schedule("three", latest);
    }

    function test_OnlyTheOwnerSchedulesRulesets() public {
        address[3] memory others = [guardian, settler, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, others[i]));
            vm.prank(others[i]);
            game.scheduleRuleset("two", FIRST_DAY + 7);
        }
    }

    function test_OneRulesetWaitsAndANewOneTakesItsPlace() public {
        _schedule("two", FIRST_DAY + 20);
        // Earlier, later or on the same day.
        _schedule("three", FIRST_DAY + 10);
        _assertWaiting("three", FIRST_DAY + 10);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 20), bytes32("three"));
        _schedule("four", FIRST_DAY + 12);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 11), RULESET);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 12), bytes32("four"));
    }

    function test_OwnerOrGuardianCancelsAWaitingRulesetUntilItsDayBegins() public {
        vm.expectRevert(GameManager.NoRulesetWaiting.selector);
        vm.prank(owner);
        game.cancelRuleset();
        address[2] memory may = [owner, guardian];
        for (uint256 i = 0; i < 2; ++i) {
            uint256 today = block.timestamp / 1 days;
            _schedule("two", today + 7);
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, settler));
            vm.prank(settler);
            game.cancelRuleset();
            vm.warp((today + 7) * 1 days - 1);
            vm.expectEmit(true, true, true, true, address(game));
            emit GameManager.RulesetCancelled("two", today + 7, may[i]);
            vm.prank(may[i]);
            game.cancelRuleset();
            _assertWaiting(0, 0);
            vm.assertEq(game.rulesetHashOf(today + 7), RULESET);
        }
        uint256 from = block.timestamp / 1 days + 7;
        _schedule("two", from);
        vm.warp(from * 1 days);
        vm.expectRevert(GameManager.NoRulesetWaiting.selector);
        vm.prank(guardian);
        game.cancelRuleset();
        _assertWaiting(0, 0);
        vm.assertEq(game.rulesetHashOf(from), bytes32("two"));
    }

    function test_DaysKeepTheRulesetThatRuledThem() public {
        for (uint256 i = 1; i <= 3; ++i) {
            _schedule(bytes32(i), FIRST_DAY + 10 * i);
            vm.warp((FIRST_DAY + 10 * i) * 1 days);
        }
        _schedule("waits", FIRST_DAY + 40);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 9), RULESET);
        for (uint256 i = 1; i <= 3; ++i) {
            vm.assertEq(game.rulesetHashOf(FIRST_DAY + 10 * i), bytes32(i));
            vm.assertEq(game.rulesetHashOf(FIRST_DAY + 10 * i + 9), bytes32(i));
        }
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 40), bytes32("waits"));
        vm.assertEq(game.rulesetHashOf(FIRST_DAY - 1), bytes32(0));
    }

    /// @dev A ruleset before the first day would make every later one revert.
    function test_NoRulesetBeginsBeforeTheFirstDay() public {
        _deploy(address(coordinator), FIRST_DAY + 30);
        bytes4 tooEarly = GameManager.TooEarly.selector;
        _refuseRuleset("two", FIRST_DAY + 7, abi.encodeWithSelector(tooEarly, FIRST_DAY + 7, FIRST_DAY + 30));
        _refuseRuleset("two", FIRST_DAY + 29, abi.encodeWithSelector(tooEarly, FIRST_DAY + 29, FIRST_DAY + 30));
        _schedule("two", FIRST_DAY + 30);
        vm.warp((FIRST_DAY + 30) * 1 days);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 30), bytes32("two"));
        _schedule("three", FIRST_DAY + 37);
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 36), bytes32("two"));
        vm.assertEq(game.rulesetHashOf(FIRST_DAY + 37), bytes32("three"));
    }

    // ------------------------------------------------------------------------------------- rates

    function test_WithoutAnEntryARateIsFivePercent() public view {
        vm.assertEq(game.affiliateRateOf(ANNA, 0), 500);
        vm.assertEq(game.affiliateRateOf(ANNA, type(uint256).max), 500);
        vm.assertEq(game.affiliateRateCount(), 0);
    }

    function test_OnlyTheOwnerSetsRates() public {
        address[3] memory others = [guardian, relayer, ANNA];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotOwner.selector, others[i]));
            vm.prank(others[i]);
            game.setAffiliateRate(ANNA, 1, FIRST_DAY + 3);
        }
    }

    function test_ARateIsAtMostTenPercentAndForAnAccountThatIsNotOurs() public {
        _refuseRate(ANNA, 1_001, FIRST_DAY + 3, abi.encodeWithSelector(GameManager.RateTooHigh.selector, 1_001));
        _setRate(ANNA, 1_000, FIRST_DAY + 3);
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            _refuseRate(
                ours[i], 1, FIRST_DAY + 3, abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i])
            );
        }
        _refuseRate(address(0), 1, FIRST_DAY + 3, abi.encodeWithSelector(RoleBound.ZeroAddress.selector));
    }

    function test_ARateThatRaisesNothingIsSetOneToThirtyDaysAhead() public {
        bytes4 tooEarly = GameManager.TooEarly.selector;
        _refuseRate(ANNA, 500, FIRST_DAY, abi.encodeWithSelector(tooEarly, FIRST_DAY, FIRST_DAY + 1));
        _refuseRate(ANNA, 500, 0, abi.encodeWithSelector(tooEarly, 0, FIRST_DAY + 1));
        _refuseRate(
            ANNA, 0, FIRST_DAY + 31, abi.encodeWithSelector(GameManager.TooFarAhead.selector, FIRST_DAY + 31, FIRST_DAY + 30)
        );
        vm.expectEmit(true, true, true, true, address(game));
        emit GameManager.AffiliateRateSet(ANNA, 400, FIRST_DAY + 30);
        _setRate(ANNA, 400, FIRST_DAY + 30);
        // As high as it is: nothing is raised.
        _setRate(ANNA, 500, FIRST_DAY + 1);
        _setRate(ANNA, 0, FIRST_DAY + 1);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY), 500);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 1), 0);
        vm.assertEq(game.affiliateRateCount(), 3);
        vm.assertEq(game.affiliateRateOf(address(0xBFF), FIRST_DAY + 30), 500);
    }

    function test_ARateThatRaisesWaitsThreeDays() public {
        bytes4 tooEarly = GameManager.TooEarly.selector;
        for (uint256 ahead = 1; ahead < 3; ++ahead) {
            _refuseRate(
                ANNA, 501, FIRST_DAY + ahead, abi.encodeWithSelector(tooEarly, FIRST_DAY + ahead, FIRST_DAY + 3)
            );
        }
        _setRate(ANNA, 501, FIRST_DAY + 3);
        // It is below today's rate, but above what is set for its own day.
        _setRate(ANNA, 100, FIRST_DAY + 1);
        _refuseRate(ANNA, 300, FIRST_DAY + 2, abi.encodeWithSelector(tooEarly, FIRST_DAY + 2, FIRST_DAY + 3));
        // It raises not its own day but the one after it.
        _setRate(ANNA, 50, FIRST_DAY + 2);
        _refuseRate(ANNA, 100, FIRST_DAY + 1, abi.encodeWithSelector(tooEarly, FIRST_DAY + 1, FIRST_DAY + 3));
        _setRate(ANNA, 50, FIRST_DAY + 1);
        _setRate(ANNA, 1_000, FIRST_DAY + 3);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 2), 50);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 3), 1_000);
    }

    function test_AnEntryReplacesAllEntriesFromItsDayOn() public {
        _setRate(ANNA, 600, FIRST_DAY + 10);
        _setRate(ANNA, 700, FIRST_DAY + 20);
        _setRate(ANNA, 800, FIRST_DAY + 30);
        _setRate(ANNA, 650, FIRST_DAY + 20);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 19), 600);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 20), 650);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 30), 650);
        _setRate(ANNA, 400, FIRST_DAY + 5);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 4), 500);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 5), 400);
        vm.assertEq(game.affiliateRateOf(ANNA, FIRST_DAY + 30), 400);
    }

    /// @dev Whatever is set and when: a day's rate is that of the last event with fromDay <= day, and no day that is
    ///      nearer than three is ever raised.
    function testFuzz_TheLastEventThatCoversADayIsItsRate(uint256 dice) public {
        uint256[12] memory fromDays;
        uint256[12] memory rates;
        uint256 count;
        for (uint256 i = 0; i < 12; ++i) {
            dice = uint256(keccak256(abi.encode(dice)));
            uint256 today = block.timestamp / 1 days;
            uint256 from = today + 1 + dice % 12;
            uint16 rate = uint16(dice >> 32) % 1_001;
            uint256[3] memory before;
            for (uint256 k = 0; k < 3; ++k) before[k] = game.affiliateRateOf(ANNA, today + k);
            vm.prank(owner);
            try game.setAffiliateRate(ANNA, rate, from) {
                (fromDays[count], rates[count]) = (from, rate);
                ++count;
            } catch {}
            for (uint256 k = 0; k < 3; ++k) vm.assertLe(game.affiliateRateOf(ANNA, today + k), before[k]);
            if (dice >> 64 & 1 == 1) vm.warp(block.timestamp + 1 days);
        }
        vm.assertEq(game.affiliateRateCount(), count);
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 40; ++day) {
            uint256 expected = 500;
            for (uint256 i = 0; i < count; ++i) if (fromDays[i] <= day) expected = rates[i];
            vm.assertEq(game.affiliateRateOf(ANNA, day), expected);
        }
    }

    function test_ManyRatesAreReadAtOnce() public {
        _setRate(ANNA, 400, FIRST_DAY + 1);
        address[] memory affiliates = new address[](2);
        (affiliates[0], affiliates[1]) = (address(0xBFF), ANNA);
        uint256[] memory rates = game.affiliateRatesOf(affiliates, FIRST_DAY + 1);
        vm.assertEq(rates[0], 500);
        vm.assertEq(rates[1], 400);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _schedule(bytes32 hash, uint256 from) private {
        vm.prank(owner);
        game.scheduleRuleset(hash, from);
    }

    function _refuseRuleset(bytes32 hash, uint256 from, bytes memory reason) private {
        vm.expectRevert(reason);
        _schedule(hash, from);
    }

    function _setRate(address affiliate, uint16 rateBps, uint256 from) private {
        vm.prank(owner);
        game.setAffiliateRate(affiliate, rateBps, from);
    }

    function _refuseRate(address affiliate, uint16 rateBps, uint256 from, bytes memory reason) private {
        vm.expectRevert(reason);
        _setRate(affiliate, rateBps, from);
    }

    function _assertWaiting(bytes32 hash, uint256 from) private view {
        (bytes32 waiting, uint256 fromDay) = game.waitingRuleset();
        vm.assertEq(waiting, hash);
        vm.assertEq(fromDay, from);
    }
}
