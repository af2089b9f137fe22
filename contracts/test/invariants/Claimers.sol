// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimRouter} from "../../src/ClaimRouter.sol";
import {ClaimVault} from "../../src/ClaimVault.sol";
import {Nights} from "./Nights.sol";
import {Tree} from "./Tree.sol";

/// @notice Claims, one by one and many at once, and the other ways out: fees, charity.
abstract contract Claimers is Nights {
    address[2] private _charities = [address(0xC4A1), address(0xC4A2)];

    /// @dev Where a leaf stands.
    struct Place {
        uint256 vault;
        uint256 day;
        uint256 index;
    }

    function anybodyClaims(uint256 seed) external move(seed) {
        Place memory place = _anyPlace();
        vm.assume(_isClaimable(place));
        vm.prank(everybody[_below(everybody.length)]);
        (bool ok,) = address(_vault(place.vault)).call(_claimCall(place));
        require(ok, "claims: what is promised is paid");
        _bookClaim(place.vault, place.day, _leafAt(place));
    }

    /// @dev Good and bad claims mixed: the good ones are paid, the others hinder nobody.
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

    function anybodyWithdrawsFees(uint256 seed) external move(seed) {
        vm.assume(fees != 0);
        _withdrawFees();
    }

    function anybodyWithdrawsCharity(uint256 seed) external move(seed) {
        vm.assume(charity != 0);
        _withdrawCharity();
    }

    function ownerPaysACharity(uint256 seed) external move(seed) {
        address receiver = _charities[_below(2)];
        vm.assume(!usdt.isBlocked(receiver) && due[address(charityVault)] + charity != 0);
        if (due[address(charityVault)] == 0) _withdrawCharity();
        _payCharity(receiver, 1 + _below(due[address(charityVault)]));
        if (_oneIn(3)) {
            vm.prank(owner);
            charityVault.removeCharity(receiver);
        }
    }

    function guardianPausesClaims(uint256 seed) external move(seed) {
        ClaimVault vault = _vault(_below(2));
        uint256 until = vault.pausedUntil();
        vm.assume(until == 0 || block.timestamp >= until + 7 days);
        vm.prank(guardian);
        vault.pauseClaims();
    }

    function aPauseOfClaimsEndsEarly(uint256 seed) external move(seed) {
        ClaimVault vault = _vault(_below(2));
        vm.assume(block.timestamp < vault.pausedUntil());
        vm.prank(_oneIn(2) ? guardian : owner);
        vault.unpauseClaims();
    }

    // ------------------------------------------------------------------------------------- what they do

    function _withdrawFees() internal {
        if (usdt.isBlocked(feeReceiver)) usdt.setBlocked(feeReceiver, false);
        vm.prank(thief);
        require(reserve.withdrawFees() == fees, "accrual: all net fees are withdrawn");
        _moved(address(reserve), feeReceiver, fees);
        fees = 0;
    }

    function _withdrawCharity() internal {
        vm.prank(thief);
        require(reserve.withdrawCharity() == charity, "accrual: all charity is withdrawn");
        _moved(address(reserve), address(charityVault), charity);
        charity = 0;
    }

    function _payCharity(address receiver, uint256 amount) internal {
        _meet(receiver);
        if (!charityVault.isCharity(receiver)) {
            vm.prank(owner);
            charityVault.registerCharity(receiver, "good");
        }
        vm.prank(owner);
        charityVault.pay(receiver, amount);
        _moved(address(charityVault), receiver, amount);
    }

    function _isClaimable(Place memory place) internal view returns (bool) {
        Promise storage promised = promises[place.vault][place.day];
        if (place.index >= promised.leaves.length) return false;
        Leaf memory leaf = promised.leaves[place.index];
        return block.timestamp >= _vault(place.vault).pausedUntil()
            && !isPaid[place.vault][place.day][leaf.account] && !usdt.isBlocked(leaf.account)
            && promised.claimed + leaf.amount <= promised.total;
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

    /// @dev Some leaf of an ended day, looked for from a random day on; discards the move if there is none.
    function _anyPlace() internal returns (Place memory place) {
        place = _placeOrNone();
        vm.assume(place.index < promises[place.vault][place.day].leaves.length);
    }

    function _placeOrNone() internal returns (Place memory place) {
        uint256 ended = next - FIRST_DAY;
        if (ended == 0) return Place(PRIZES, FIRST_DAY, 0);
        place.vault = _below(3) / 2;
        uint256 start = _below(ended);
        for (uint256 i = 0; i < ended; ++i) {
            place.day = FIRST_DAY + (start + i) % ended;
            uint256 count = promises[place.vault][place.day].leaves.length;
            if (count == 0) continue;
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
