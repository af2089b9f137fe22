// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../src/ClaimVault.sol";
import {DayRecord, PoolDay, PoolState, Split} from "../../src/Types.sol";
import {Ledger} from "./Ledger.sol";

/// @notice What must hold after every step. Each reason names its invariant, so a failing campaign says what broke.
abstract contract Checks is Ledger {
    function check() external view {
        _checkSolvency();
        _checkBalances();
        _checkPools();
        _checkCounters();
        _checkNextDay();
        for (uint256 i = 0; i < soldDays.length; ++i) {
            _checkDay(soldDays[i]);
            _checkSales(soldDays[i]);
        }
        for (uint256 day = next < FIRST_DAY + 2 ? FIRST_DAY : next - 2; day < next + 2; ++day) _checkDay(day);
    }

    /// @dev G12, in the contracts' own numbers.
    function _checkSolvency() internal view {
        uint256 owed = reserve.accruedFees() + reserve.accruedCharity();
        PoolState[5] memory states = settlement.openingState();
        for (uint256 p = 0; p < 5; ++p) owed += states[p].carry + states[p].reserve + states[p].lastRollover;
        for (uint256 day = settlement.nextDay(); day <= _today(); ++day) {
            PoolDay[5] memory poolDays = game.poolDays(day);
            for (uint256 p = 0; p < 5; ++p) owed += poolDays[p].stake;
        }
        uint256 held = usdt.balanceOf(address(reserve));
        require(held >= owed, "solvency G12: the reserve vault owes more than it holds");
        require(held == owed + stray[address(reserve)], "no trapped atom: the reserve vault holds what it owes nobody");
        _checkClaimVault(PRIZES);
        _checkClaimVault(COMMISSIONS);
    }

    function _checkClaimVault(uint256 which) private view {
        ClaimVault vault = _vault(which);
        uint256 owed = vault.totalReleased() - vault.totalClaimed();
        require(usdt.balanceOf(address(vault)) >= owed, "solvency G12: a claim vault owes more than it holds");
        require(vault.totalReleased() == released[which], "conservation: released as much as the days gave");
        require(vault.totalClaimed() == claimed[which], "conservation: claimed as much as was paid");
        require(vault.pausedUntil() <= block.timestamp + 7 days, "a pause of claims ends within seven days");
    }

    /// @dev Whoever has an atom more or less than his own bookkeeping says, got it from a wrong place.
    function _checkBalances() private view {
        uint256 all;
        for (uint256 i = 0; i < everybody.length; ++i) {
            uint256 held = usdt.balanceOf(everybody[i]);
            require(held == due[everybody[i]], "conservation: an account holds another amount than it should");
            all += held;
        }
        require(all == usdt.totalSupply(), "conservation: money went to somebody unknown");
    }

    /// @dev Rules 2.5 to 2.7 and 2.11.
    function _checkPools() private view {
        PoolState[5] memory states = settlement.openingState();
        PoolSums memory total;
        for (uint256 p = 0; p < 5; ++p) {
            require(states[p].streak == pools[p].streak, "streak: rule 2.7");
            require(states[p].carry == pools[p].carry, "pool state: carry");
            require(states[p].reserve == pools[p].reserve, "pool state: reserve");
            require(states[p].lastRollover == pools[p].lastRollover, "pool state: rollover");
            PoolSums storage sum = sums[p];
            uint256 kept = states[p].carry + states[p].reserve + states[p].lastRollover + _unsettledStake(p);
            uint256 gone = sum.tiers + sum.jackpots + sum.fees + sum.refunds;
            require(sum.stakes == kept + gone, "conservation: a pool's stakes are kept or gone");
            total.tiers += sum.tiers + sum.jackpots + sum.refunds;
            total.fees += sum.fees;
        }
        uint256 paidOut = released[PRIZES];
        require(total.tiers == paidOut, "conservation: prizes, jackpots and refunds are what was released");
        require(reserve.accruedFees() == fees, "accrual: net fees");
        require(reserve.accruedCharity() == charity, "accrual: charity");
    }

    function _unsettledStake(uint256 p) private view returns (uint256 stake) {
        for (uint256 i = 0; i < soldDays.length; ++i) {
            if (soldDays[i] >= next) stake += books[soldDays[i]].stake[p];
        }
    }

    function _checkCounters() private view {
        require(game.ticketCount() == sold, "tickets are counted one by one");
        require(roles.owner() == owner, "roles: owner");
        require(roles.guardian() == guardian, "roles: guardian");
        require(roles.relayer() == relayer, "roles: relayer");
        require(roles.settler() == settler, "roles: settler");
        require(roles.promotions() == promotions, "roles: promotions account");
        address[5] memory five = [owner, guardian, relayer, settler, promotions];
        for (uint256 i = 1; i < 5; ++i) {
            for (uint256 j = 0; j < i; ++j) require(five[i] != five[j], "roles: five distinct accounts");
        }
        for (uint256 i = 0; i < players.length; ++i) {
            (bool bound, address affiliate) = game.affiliateOf(players[i]);
            require(bound == isBound[players[i]], "a player is bound at his first purchase");
            require(affiliate == boundTo[players[i]], "a player's affiliate never changes");
        }
    }

    function _checkNextDay() private view {
        require(settlement.nextDay() == next, "sequence: no day is skipped");
        require(next <= _today(), "sequence: a day ends after its close");
        bytes32 hash = keccak256(abi.encode(settlement.openingState()));
        require(settlement.openingStateHash(next) == hash, "sequence: the opening state is the closing state");
        require(settlement.openingStateHash(next + 1) == 0, "sequence: no later day has an opening state");
    }

    /// @dev Where a day stands, its promises and its word.
    function _checkDay(uint256 day) internal view {
        DayRecord memory record = settlement.dayRecord(day);
        require(record.vetoes == vetoes[day], "vetoes are counted");
        require(settlement.voidAnnouncedAt(day) == announcedAt[day], "an announcement stays");
        require(settlement.openingStateHash(day) == openingHash[day], "sequence: an opening state never changes");
        if (day < next) {
            require(record.status == endedAs[day], "sequence: a day ends once and stays as it ended");
            require(record.releasedAt == endedAt[day], "sequence: a day ends once");
            require(record.releasedAt >= (day + 1) * 1 days, "sequence: a day ends after its close");
        } else {
            require(record.status <= 1 && record.releasedAt == 0, "sequence: only ended days are released");
            require(day == next || record.status == 0, "sequence: only the next day is committed");
        }
        require(record.committedAt == committedAt[day], "a commit is noted when it is made and gone when vetoed");
        require((record.settlementHash != 0) == (record.committedAt != 0), "a commit and its hash go together");
        if (endedAs[day] == RELEASED) {
            bool waited = record.releasedAt >= record.committedAt + CHALLENGE;
            require(waited, "challenge: no day is paid before its period is over");
        }
        _checkPromise(PRIZES, day);
        _checkPromise(COMMISSIONS, day);
        (bool fulfilled, uint256 word) = vrf.wordOf(day);
        require(fulfilled == hasWord[day] && word == wordOf[day], "the first word stays");
        (uint256 requestId,,) = vrf.requestOf(day);
        require(requestId == requestOf[day], "a day's word is asked for once");
    }

    function _checkPromise(uint256 which, uint256 day) private view {
        ClaimVault vault = _vault(which);
        Promise storage promised = promises[which][day];
        if (day >= next) {
            bool untouched = vault.rootOf(day) == 0 && vault.totalOf(day) == 0 && vault.claimedOf(day) == 0;
            require(untouched, "sequence: nothing is promised before the day's end");
            return;
        }
        require(vault.rootOf(day) == promised.root, "a promise stays: root");
        require(vault.totalOf(day) == promised.total, "a promise stays: total");
        require(vault.claimedOf(day) == promised.claimed, "claims: the sum of the day");
        require(promised.claimed <= promised.total, "claims: never above a day's total");
        for (uint256 i = 0; i < promised.leaves.length; ++i) {
            address account = promised.leaves[i].account;
            require(vault.claimed(day, account) == isPaid[which][day][account], "claims: once and for good");
        }
    }

    /// @dev Rules 2.4 and 3.1: what was sold stands, to the last digest.
    function _checkSales(uint256 day) internal view {
        PoolDay[5] memory poolDays = game.poolDays(day);
        Split[5] memory splits = treasury.splits(day);
        Book storage book = books[day];
        for (uint256 p = 0; p < 5; ++p) {
            require(poolDays[p].ticketCount == book.tickets[p], "sales: tickets of a pool");
            require(poolDays[p].tipCount == book.tips[p], "sales: tips of a pool");
            require(poolDays[p].stake == book.stake[p], "sales: stake of a pool");
            require(poolDays[p].digest == book.digest[p], "sales: digest of a pool");
            bytes32 split = keccak256(abi.encode(splits[p]));
            require(split == keccak256(abi.encode(book.split[p])), "sales: split of a pool");
        }
    }

    function _vault(uint256 which) internal view returns (ClaimVault) {
        return which == PRIZES ? ClaimVault(address(prizes)) : ClaimVault(address(commissions));
    }
}
