// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {MAX_LAG_DAYS, PoolDay, PoolState} from "../../../src/lottery/Types.sol";
import {Entries} from "./Entries.sol";

/// @notice Money after every move. Each reason names its invariant, so a failing campaign says what broke.
abstract contract MoneyChecks is Entries {
    function _checkMoney() internal view {
        _checkSolvency();
        _checkBalances();
        _checkPools();
        _checkVaults();
    }

    /// @dev Rule G12. It holds exactly, also while the token takes a fee out of what arrives: purchases stop then, and
    ///      what leaves lowers the balance by the amount that was owed.
    function _checkSolvency() private view {
        uint256 balance = usdt.balanceOf(address(reserve));
        require(reserve.held() == _sumOfDebts(), "solvency: held is not the sum of rule G12");
        require(reserve.held() == owed, "solvency: held is not what the books say");
        require(balance >= owed, "solvency: less is here than is owed");
        require(balance == owed + gifts, "solvency: the balance is not debts and gifts");
    }

    /// @dev G12 in the contracts' own numbers.
    function _sumOfDebts() internal view returns (uint256 sum) {
        sum = reserve.accruedFees() + reserve.accruedCharity() + reserve.accruedGas() + reserve.refundableTotal();
        sum += prizes.totalReleased() - prizes.totalClaimed();
        sum += commissions.totalReleased() - commissions.totalClaimed();
        PoolState[5] memory states = settlement.openingState();
        for (uint256 p = 0; p < 5; ++p) sum += states[p].carry + states[p].reserve + states[p].lastRollover;
        // Later days cannot have sold anything, or the sum would be too small.
        uint256 nextDay = settlement.nextDay();
        for (uint256 day = nextDay; day <= nextDay + MAX_LAG_DAYS; ++day) {
            PoolDay[5] memory poolDays = game.poolDays(day);
            for (uint256 p = 0; p < 5; ++p) sum += poolDays[p].stake;
        }
    }

    /// @dev Who has an atom more or less than the books say got or lost it where he should not.
    function _checkBalances() private view {
        uint256 all;
        for (uint256 i = 0; i < everybody.length; ++i) {
            uint256 balance = usdt.balanceOf(everybody[i]);
            require(balance == due[everybody[i]], "balances: an account holds another amount than it should");
            all += balance;
        }
        require(all == usdt.totalSupply(), "balances: money went to an account that is not in the books");
    }

    function _checkPools() private view {
        PoolState[5] memory states = settlement.openingState();
        uint256 paid;
        uint256 fee;
        uint256 voided;
        for (uint256 p = 0; p < 5; ++p) {
            require(states[p].streak == pools[p].streak, "pools: streak");
            require(states[p].carry == pools[p].carry, "pools: carry");
            require(states[p].reserve == pools[p].reserve, "pools: reserve");
            require(states[p].lastRollover == pools[p].lastRollover, "pools: rollover");
            PoolSums storage sum = sums[p];
            uint256 kept = states[p].carry + states[p].reserve + states[p].lastRollover + _unsettledStake(p);
            uint256 gone = sum.tiers + sum.jackpots + sum.fees + sum.voided + sum.ended;
            require(sum.stakes == kept + gone, "conservation: a pool's stakes are neither kept nor gone");
            paid += sum.tiers + sum.jackpots;
            fee += sum.fees;
            voided += sum.voided;
        }
        require(paid == prizes.totalReleased(), "conservation: prizes and jackpots are not what was released");
        require(fee >= fees + charity + commissions.totalReleased(), "conservation: more accrued than the fees");
        require(voided >= refundable, "conservation: more is refundable than was voided");
    }

    function _unsettledStake(uint256 p) private view returns (uint256 stake) {
        for (uint256 i = soldDays.length; i != 0 && soldDays[i - 1] >= next; --i) {
            stake += books[soldDays[i - 1]].stake[p];
        }
    }

    function _checkVaults() private view {
        require(reserve.accruedFees() == fees, "accrual: net fees");
        require(reserve.accruedCharity() == charity, "accrual: charity");
        require(reserve.accruedGas() == gasCosts, "accrual: gas costs");
        require(reserve.refundableTotal() == refundable, "refunds: what is refundable in all");
        for (uint256 which = 0; which < 2; ++which) {
            ClaimVault vault = _vault(which);
            require(vault.totalReleased() == released[which], "claims: another total released than the days gave");
            require(vault.totalClaimed() == claimed[which], "claims: another total claimed than was paid");
            require(vault.totalClaimed() <= vault.totalReleased(), "claims: more claimed than released");
        }
    }
}
