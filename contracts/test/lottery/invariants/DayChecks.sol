// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {DayRecord, PoolDay} from "../../../src/lottery/Types.sol";
import {MoneyChecks} from "./MoneyChecks.sol";

/// @notice Order after every move: days, their sales, promises, refunds and words.
abstract contract DayChecks is MoneyChecks {
    function _checkDays() internal view {
        _checkNextDay();
        _checkTickets();
        for (uint256 i = 0; i < soldDays.length; ++i) {
            _checkDay(soldDays[i]);
            _checkSales(soldDays[i]);
        }
        for (uint256 day = _max(next, FIRST_DAY + 2) - 2; day < next + 2; ++day) _checkDay(day);
    }

    function _checkNextDay() private view {
        require(settlement.nextDay() == next, "sequence: a day is skipped");
        require(next == FIRST_DAY || next <= _today(), "sequence: a day ended before its close");
        require(next >= FIRST_DAY, "sequence: a day before the first ended");
        bytes32 hash = keccak256(abi.encode(settlement.openingState()));
        require(settlement.openingStateHash(next) == hash, "sequence: the opening state is not the closing state");
        require(settlement.openingStateHash(next + 1) == 0, "sequence: a later day has an opening state");
        (uint256 byOwner, uint256 byAnyone) = _voidableFrom(next);
        (uint256 owner_, uint256 anyone) = settlement.voidableFrom(next);
        require(byOwner == owner_ && byAnyone == anyone, "void: from when the next day can be voided");
        // Sales stop on lag, so tickets can stand only on these days.
        uint256 last = soldDays.length == 0 ? 0 : soldDays[soldDays.length - 1];
        require(last <= next + 5, "sales: a day was sold beyond the lag");
        require(last <= _lastDay() || isFinished, "sales: a day was sold after the last");
    }

    /// @dev Where a day stands, its promises, refunds and word.
    function _checkDay(uint256 day) internal view {
        DayRecord memory record = settlement.dayRecord(day);
        require(record.takebacks == takebacks[day], "takebacks: another count than ends of commits");
        require(settlement.openingStateHash(day) == openingHash[day], "sequence: an opening state changed");
        if (day < next) {
            require(record.status == endedAs[day], "sequence: an ended day changed");
            require(record.releasedAt == endedAt[day], "sequence: a day ended twice");
            require(record.releasedAt >= _closeOf(day), "sequence: a day ended before its close");
        } else {
            require(record.status == (committedAt[day] == 0 ? 0 : 1), "sequence: an open day's status");
            require(record.releasedAt == 0, "sequence: an open day has ended");
            require(day == next || record.status == 0, "sequence: a later day is committed");
        }
        require(record.committedAt == committedAt[day], "commits: noted when made, gone when taken back");
        require(record.settlementHash == committedHash[day], "commits: another hash than the one sent");
        require((record.runHash != 0) == (record.committedAt != 0), "commits: a run hash without a commit");
        if (endedAs[day] == RELEASED) {
            bool waited = record.releasedAt >= record.committedAt + CHALLENGE;
            require(waited, "challenge: a day was paid before its period was over");
        }
        _checkPromise(PRIZES, day);
        _checkPromise(COMMISSIONS, day);
        _checkRefunds(day);
        _checkWord(day);
    }

    function _checkPromise(uint256 which, uint256 day) private view {
        ClaimVault vault = _vault(which);
        Promise storage promised = promises[which][day];
        if (endedAs[day] != RELEASED) {
            bool isUntouched = vault.rootOf(day) == 0 && vault.totalOf(day) == 0 && vault.claimedOf(day) == 0;
            require(isUntouched, "sequence: a day pays before its release");
            return;
        }
        require(vault.rootOf(day) == promised.root, "claims: a root changed");
        require(vault.totalOf(day) == promised.total, "claims: a total changed");
        require(vault.claimedOf(day) == promised.claimed, "claims: the sum of a day");
        require(promised.claimed <= promised.total, "claims: above a day's total");
        for (uint256 i = 0; i < promised.leaves.length; ++i) {
            address account = promised.leaves[i].account;
            require(vault.claimed(day, account) == isPaid[which][day][account], "claims: not once and for good");
        }
    }

    function _checkRefunds(uint256 day) private view {
        Book storage book = books[day];
        uint256 left = endedAs[day] == VOIDED ? _stakeOf(day) - book.refunded : 0;
        require(reserve.refundable(day) == left, "refunds: a day owes its stake less what was refunded");
        (address payer, uint256 vouchers, bool areRefunded) = reserve.vouchersOf(day);
        require(payer == book.voucherPayer, "vouchers: who paid the first of a day pays all of them");
        require(vouchers == book.vouchers, "vouchers: the stake of a day");
        require(areRefunded == book.areVouchersRefunded, "vouchers: refunded once");
    }

    function _checkWord(uint256 day) private view {
        (bool isThere, uint256 word) = vrf.wordOf(day);
        require(isThere == hasWord[day] && word == wordOf[day], "seeds: the first word does not stay");
        (uint256 requestId, uint64 asked,) = vrf.requestOf(day);
        require(requestId == requestOf[day] && asked == requestedAt[day], "seeds: a word was asked for twice");
    }

    /// @dev What was sold stands, to the last digest.
    function _checkSales(uint256 day) internal view {
        PoolDay[5] memory poolDays = game.poolDays(day);
        Book storage book = books[day];
        for (uint256 p = 0; p < 5; ++p) {
            require(poolDays[p].ticketCount == book.tickets[p], "sales: tickets of a pool");
            require(poolDays[p].tipCount == book.tips[p], "sales: tips of a pool");
            require(poolDays[p].stake == book.stake[p], "sales: stake of a pool");
            require(poolDays[p].digest == book.digest[p], "sales: digest of a pool");
        }
    }

    function _checkTickets() private view {
        for (uint256 i = 0; i < tickets.length; ++i) {
            Ticket storage ticket = tickets[i];
            (uint256 day, uint256 stake, bool isRefunded) = game.noteOf(ticket.buyer, ticket.nonce);
            require(day == ticket.day && stake == ticket.paid, "sales: a ticket's note changed");
            require(isRefunded == ticket.isRefunded, "refunds: a ticket's note says otherwise");
        }
        for (uint256 i = 0; i < players.length; ++i) {
            (bool bound, address affiliate) = game.affiliateOf(players[i]);
            require(bound == isBound[players[i]], "sales: a player is bound at his first purchase");
            require(affiliate == boundTo[players[i]], "sales: a player's affiliate changed");
        }
    }
}
