// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimRouter} from "../../../src/lottery/ClaimRouter.sol";
import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {RefusedSales} from "./RefusedSales.sol";
import {Tree} from "./Tree.sol";

/// @notice Claims, by anyone for anyone, one by one and many at once; and pauses of claims.
abstract contract Claimers is RefusedSales {
    /// @dev Where a leaf stands.
    struct Place {
        uint256 vault;
        uint256 day;
        uint256 index;
    }

    function anyoneClaims(uint256 seed) external move(seed) {
        Place memory place = _anyPlace();
        vm.assume(_isClaimable(place));
        _claim(place);
    }

    /// @dev Good and bad claims mixed: the good ones are paid, the others hinder none of them.
    function routerClaimsMany(uint256 seed) external move(seed) {
        vm.assume(next > FIRST_DAY);
        ClaimRouter.Claim[] memory claims = new ClaimRouter.Claim[](1 + _below(8));
        uint256 expected;
        for (uint256 i = 0; i < claims.length; ++i) {
            Place memory place = _placeOrNone();
            claims[i] = _routerClaim(place);
            uint256 spoilt = _below(8);
            if (spoilt == 0) claims[i].amount += 1;
            if (spoilt == 1) claims[i].vault = address(usdt);
            if (spoilt == 2) claims[i].dayId = next + 1;
            if (spoilt <= 2 || !_isClaimable(place)) continue;
            ++expected;
            // Booked at once, because the same leaf may come again in the same call.
            _bookClaim(place.vault, place.day, _leafAt(place));
        }
        vm.assume(expected != 0);
        vm.prank(thief);
        require(router.claimMany(claims) == expected, "claims: the router pays what can be paid");
    }

    function guardianPausesClaims(uint256 seed) external move(seed) {
        _pauseClaims(_below(2));
    }

    function aPauseOfClaimsEndsEarly(uint256 seed) external move(seed) {
        uint256 which = _below(2);
        if (block.timestamp >= claimsPausedUntil[which]) _pauseClaims(which);
        vm.prank(_guardianOrOwner());
        _vault(which).unpauseClaims();
        claimsPausedUntil[which] = block.timestamp;
    }

    /// @dev No key is needed for it: the pause ends by itself.
    function aPauseOfClaimsEndsByItself(uint256 seed) external move(seed) {
        Place memory place = _anyPlace();
        vm.assume(!_isPaidOff(place));
        if (block.timestamp >= claimsPausedUntil[place.vault]) _pauseClaims(place.vault);
        uint256 until = claimsPausedUntil[place.vault];
        bytes4 paused = ClaimVault.ClaimsArePaused.selector;
        vm.warp(until - 1);
        _refused(thief, address(_vault(place.vault)), _claimCall(place), paused, "claims: none during a pause");
        vm.warp(until);
        vm.assume(_isClaimable(place));
        _claim(place);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _pauseClaims(uint256 which) private {
        uint256 until = claimsPausedUntil[which];
        vm.assume(until == 0 || block.timestamp >= until + 7 days);
        vm.prank(_guardian());
        _vault(which).pauseClaims();
        claimsPausedUntil[which] = block.timestamp + 7 days;
    }

    function _isPaidOff(Place memory place) private view returns (bool) {
        return isPaid[place.vault][place.day][_leafAt(place).account];
    }

    function _claim(Place memory place) internal {
        _call(_anyone(), address(_vault(place.vault)), _claimCall(place), "claims: what is promised");
        _bookClaim(place.vault, place.day, _leafAt(place));
    }

    function _isClaimable(Place memory place) internal view returns (bool) {
        Promise storage promised = promises[place.vault][place.day];
        if (place.index >= promised.leaves.length) return false;
        Leaf memory leaf = promised.leaves[place.index];
        return block.timestamp >= claimsPausedUntil[place.vault] && !isPaid[place.vault][place.day][leaf.account]
            && !usdt.isBlocked(_receiverOf(leaf.account)) && promised.claimed + leaf.amount <= promised.total;
    }

    function _leafAt(Place memory place) internal view returns (Leaf memory) {
        return promises[place.vault][place.day].leaves[place.index];
    }

    function _claimCall(Place memory place) internal view returns (bytes memory) {
        Leaf memory leaf = _leafAt(place);
        return abi.encodeCall(ClaimVault.claim, (place.day, leaf.account, leaf.amount, _proof(place)));
    }

    function _proof(Place memory place) internal view returns (bytes32[] memory) {
        Leaf[] storage leaves = promises[place.vault][place.day].leaves;
        return Tree.proof(_hashes(place.vault, place.day, leaves), place.index);
    }

    /// @dev Some leaf of a released day; discards the move if there is none.
    function _anyPlace() internal returns (Place memory place) {
        place = _placeOrNone();
        vm.assume(place.index < promises[place.vault][place.day].leaves.length);
    }

    /// @dev Looks from a random sold day on; prefers what can be claimed.
    function _placeOrNone() internal returns (Place memory place) {
        place = Place(_below(3) / 2, FIRST_DAY, 0);
        if (soldDays.length == 0) return place;
        uint256 start = _below(soldDays.length);
        for (uint256 i = 0; i < soldDays.length; ++i) {
            uint256 day = soldDays[(start + i) % soldDays.length];
            uint256 count = promises[place.vault][day].leaves.length;
            if (count == 0) continue;
            place.day = day;
            place.index = _below(count);
            if (_isClaimable(place) || _oneIn(8)) return place;
        }
    }

    function _routerClaim(Place memory place) private view returns (ClaimRouter.Claim memory claim) {
        claim.vault = address(_vault(place.vault));
        claim.dayId = place.day;
        if (place.index >= promises[place.vault][place.day].leaves.length) return claim;
        Leaf memory leaf = _leafAt(place);
        claim.account = leaf.account;
        claim.amount = leaf.amount;
        claim.proof = _proof(place);
    }
}
