// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PoolState, Settlement} from "../../../src/lottery/Types.sol";
import {Seeds} from "./Seeds.sol";
import {Tree} from "./Tree.sol";

/// @notice Results of a day that the contract accepts: honest ones, and forged ones, whose trees alone are false.
abstract contract Results is Seeds {
    enum Forgery {
        None,
        /// The thief gets all that the day can pay.
        All,
        /// The leaves add up to twice the total.
        TooMuch,
        /// The root belongs to no tree.
        Nothing,
        /// An account has two leaves.
        Twice,
        /// A leaf pays a contract of ours.
        Ours
    }

    /// @dev The leaves of the result that is being made, or waits to be released.
    mapping(uint256 vault => Leaf[]) internal drafts;

    function _result(uint256 day, Forgery forgery) internal returns (Settlement memory s) {
        s.dayId = day;
        s.runHash = bytes32(_random() | 1);
        for (uint256 p = 0; p < 5; ++p) {
            if (books[day].tips[p] == 0) continue;
            (uint256 budget, uint256 limit) = _limits(day, p);
            s.poolPayout[p] = forgery == Forgery.All ? budget : _share(budget);
            s.poolJackpotPayout[p] = forgery == Forgery.All ? limit : _oneIn(3) ? _share(limit) : 0;
            s.jackpotHit[p] = s.poolJackpotPayout[p] != 0;
            s.totalPayout += s.poolPayout[p] + s.poolJackpotPayout[p];
        }
        s.affiliateTotal = forgery == Forgery.All ? _feeOf(day) : _share(_feeOf(day));
        s.charityTotal = _share(_feeOf(day) - s.affiliateTotal);
        _draft(PRIZES, s.totalPayout, forgery);
        _draft(COMMISSIONS, s.affiliateTotal, forgery == Forgery.All ? forgery : Forgery.None);
        s.merkleRoot = forgery == Forgery.Nothing && s.totalPayout != 0
            ? bytes32(_random() | 1)
            : _draftRoot(PRIZES, day);
        s.affiliateRoot = _draftRoot(COMMISSIONS, day);
    }

    /// @dev Most that a pool's tiers and its jackpot can pay on the next day.
    function _limits(uint256 day, uint256 p) internal view returns (uint256 budget, uint256 limit) {
        (,, uint256 jackpot, uint256 pot) = _split(books[day].stake[p]);
        PoolState storage pool = pools[p];
        budget = pool.carry + pool.lastRollover + pot;
        limit = (pool.reserve + jackpot) * 9 / 10;
    }

    /// @dev Nothing, all, or some of it.
    function _share(uint256 whole) private returns (uint256) {
        uint256 kind = _below(6);
        return kind == 0 ? 0 : kind == 1 ? whole : whole * _below(10_001) / 10_000;
    }

    function _draft(uint256 vault, uint256 total, Forgery forgery) private {
        delete drafts[vault];
        if (total == 0 || forgery == Forgery.Nothing) return;
        if (forgery == Forgery.All) {
            drafts[vault].push(Leaf(thief, total));
            return;
        }
        address[] storage payees = vault == PRIZES ? players : affiliates;
        uint256 start = _below(payees.length);
        uint256 left = total;
        for (uint256 n = _below(payees.length); n != 0 && left > 1; --n) {
            uint256 part = 1 + _below(left - 1);
            drafts[vault].push(Leaf(payees[(start + n) % payees.length], part));
            left -= part;
        }
        drafts[vault].push(Leaf(forgery == Forgery.Ours ? address(reserve) : payees[start], left));
        if (forgery == Forgery.TooMuch) drafts[vault].push(Leaf(thief, total));
        if (forgery == Forgery.Twice) drafts[vault].push(Leaf(payees[start], left + 1));
    }

    function _draftRoot(uint256 vault, uint256 day) private view returns (bytes32) {
        return Tree.root(_hashes(vault, day, drafts[vault]));
    }

    function _hashes(uint256 vault, uint256 day, Leaf[] storage leaves) internal view returns (bytes32[] memory all) {
        all = new bytes32[](leaves.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = _vault(vault).leafOf(day, leaves[i].account, leaves[i].amount);
        }
    }

    /// @dev Notes what a released day promises.
    function _promise(uint256 vault, uint256 day, bytes32 root, uint256 total, bool isHonest) internal {
        Promise storage promised = promises[vault][day];
        promised.root = root;
        promised.total = total;
        promised.isHonest = isHonest;
        for (uint256 i = 0; i < drafts[vault].length; ++i) promised.leaves.push(drafts[vault][i]);
    }
}
