// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NOTICE, NOTICE_EXPIRY, Office} from "../../../src/lottery/Types.sol";
import {Timelocked} from "../../../src/lottery/Timelocked.sol";
import {DayChecks} from "./DayChecks.sol";

/// @notice Powers after every move: offices, announcements, settings, the sale window and the end.
abstract contract PowerChecks is DayChecks {
    function check() external view {
        _checkMoney();
        _checkDays();
        _checkOffices();
        _checkAnnouncements();
        _checkSettings();
        _checkEnd();
    }

    function _checkOffices() private view {
        for (uint256 i = 0; i < 5; ++i) {
            require(roles.holderOf(Office(i)) == holder[i], "offices: another holder");
            for (uint256 j = 0; j < i; ++j) {
                require(holder[i] != holder[j] || holder[i] == address(0), "offices: one account holds two");
            }
            (address account, uint256 notBefore, uint256 notAfter) = roles.naming(Office(i));
            require(account == named[i].account, "offices: another account is named");
            if (account == address(0)) continue;
            require(notBefore == named[i].since + NOTICE, "offices: a named account waits 48 hours");
            require(notAfter == named[i].since + NOTICE_EXPIRY, "offices: a naming lapses after 14 days");
        }
        require(roles.owner() == holder[0] && roles.guardian() == holder[1], "offices: owner and guardian");
        require(roles.promotions() == holder[4], "offices: promotions account");
        require(roles.relayer() == _acting(Office.Relayer), "offices: a suspended relayer acts");
        require(roles.settler() == _acting(Office.Settler), "offices: a suspended settler acts");
        for (uint256 i = 0; i < known.length; ++i) {
            require(roles.isSuspended(known[i]) == isSuspended[known[i]], "offices: a suspension sticks until lifted");
        }
    }

    function _checkAnnouncements() private view {
        for (uint256 i = 0; i < 7; ++i) {
            (Timelocked target, bytes32 key) = _placeOf(Subject(i));
            (bytes memory data, uint256 notBefore,) = target.announcementOf(key);
            require(keccak256(data) == keccak256(notices[i].data), "announcements: another value");
            uint256 expected = notices[i].since == 0 ? 0 : notices[i].since + NOTICE;
            require(notBefore == expected, "announcements: in force after 48 hours");
        }
    }

    function _checkSettings() private view {
        require(reserve.feeReceiver() == feeReceiver, "settings: fee receiver");
        require(reserve.gasSafe() == gasSafe, "settings: gas safe");
        require(reserve.voucherCap() == voucherCap, "settings: voucher cap");
        (bytes32 keyHash, uint32 gas_,, uint96 link) = vrf.config();
        require(keyHash == lane && gas_ == callbackGas && link == linkPerRequest, "settings: vrf");
        for (uint256 i = 0; i < 2; ++i) {
            require(charityVault.isCharity(charities[i]) == isCharity[charities[i]], "settings: charities");
            require(_vault(i).pausedUntil() == claimsPausedUntil[i], "pauses: claims");
            require(claimsPausedUntil[i] <= block.timestamp + 7 days, "pauses: claims are paused for 7 days at most");
        }
        for (uint256 i = 0; i < everybody.length; ++i) {
            address account = everybody[i];
            require(reserve.payeeOf(account) == payeeOf[account], "payees: only the account names its payee");
        }
        _checkRules();
    }

    function _checkRules() private view {
        uint256 today = _today();
        require(game.affiliateRateCount() == rates.length, "rates: counted one by one");
        for (uint256 i = 0; i < affiliates.length; ++i) {
            for (uint256 day = today; day < today + 6; ++day) {
                uint256 rate = game.affiliateRateOf(affiliates[i], day);
                require(rate == _rateOf(affiliates[i], day), "rates: the last event for a day rules");
            }
        }
        require(game.rulesetHashOf(today) == _rulesetOf(today), "rulesets: today's");
        require(game.rulesetHashOf(FIRST_DAY - 1) == _rulesetOf(FIRST_DAY - 1), "rulesets: before the first day");
        require(game.rulesetHashOf(today + 400) == _rulesetOf(today + 400), "rulesets: the waiting one");
        (bytes32 hash, uint256 fromDay) = game.waitingRuleset();
        bool isWaiting = _isRulesetWaiting();
        require((hash != 0) == isWaiting, "rulesets: one waits");
        if (isWaiting) require(fromDay == rules[rules.length - 1].fromDay, "rulesets: from which day");
    }

    function _checkEnd() private view {
        (uint256 lastDay, address receiver, bool abandoned) = settlement.end();
        require(lastDay == ending.lastDay && receiver == ending.receiver, "end: another end");
        require(abandoned == ending.abandoned, "end: abandoned or not");
        require(settlement.finished() == isFinished, "end: over or not");
        require(settlement.aliveAt() == aliveAt, "end: since when silence counts");
        require(settlement.drawnVoidAt() == drawnVoidAt, "end: when a drawn day was last voided");
        bool isHeirsTime = drawnVoidAt != 0 && block.timestamp < drawnVoidAt + 180 days;
        bool isHeirs = receiver == address(0) || receiver == HEIR;
        require(!isHeirsTime || isHeirs, "end: who let a drawn day lapse names the receiver");
        (uint256 count, uint256 nextDay, uint256 last, bool paused) = game.sales();
        require(count == tickets.length, "sales: tickets are counted one by one");
        require(nextDay == next, "sale window: opens with the oldest unsettled day");
        require(last == _lastDay(), "sale window: ends with the last day");
        require(paused == isPaused, "pauses: purchases");
    }
}
