// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../src/ClaimVault.sol";
import {GameManager} from "../../src/GameManager.sol";
import {Roles} from "../../src/Roles.sol";
import {SettlementV4} from "../../src/SettlementV4.sol";
import {BuyPermit, Settlement} from "../../src/Types.sol";
import {VRFReceiver} from "../../src/VRFReceiver.sol";
import {Intruders} from "./Intruders.sol";

/// @notice After every move somebody also tries what nobody may do: too early, twice, too much, forged.
abstract contract Mischief is Intruders {
    function _tryForbidden() internal override {
        _intrude();
        uint256 kind = _below(6);
        if (kind == 0) _releaseWrongly();
        else if (kind == 1) _voidWrongly();
        else if (kind == 2) _commitAgain();
        else if (kind == 3) _claimWrongly();
        else if (kind == 4) _buyWrongly();
        else _giveTwoRoles();
    }

    function _giveTwoRoles() private {
        address holder = [owner, guardian, relayer, settler, promotions][_below(5)];
        bytes4 taken = Roles.RoleTaken.selector;
        bytes4[5] memory all = [
            Roles.setGuardian.selector,
            Roles.setRelayer.selector,
            Roles.setSettler.selector,
            Roles.setPromotions.selector,
            Roles.transferOwnership.selector
        ];
        bytes memory data = abi.encodeWithSelector(all[_below(5)], holder);
        _refused(owner, address(roles), data, taken, "roles: nobody holds two");
    }

    function _releaseWrongly() private {
        address target = address(settlement);
        if (lastReleased.length != 0) {
            _refused(thief, target, lastReleased, SettlementV4.NotCommitted.selector, "release: no day is paid twice");
        }
        if (!hasPending) return;
        Settlement memory s = _pendingResult();
        uint256 now_ = block.timestamp;
        uint256 until = committedAt[next] + CHALLENGE;
        if (now_ < until) {
            if (_oneIn(2)) vm.warp(until - 1);
            bytes4 early = SettlementV4.ChallengePeriodRuns.selector;
            bytes memory data = abi.encodeCall(SettlementV4.release, (s));
            _refused(settler, target, data, early, "challenge: no release before the period is over");
            vm.warp(now_);
        }
        uint256 kind = _below(4);
        if (kind == 0) s.merkleRoot = bytes32(_random());
        else if (kind == 1) s.poolPayout[_below(5)] += 1;
        else if (kind == 2) s.affiliateTotal += 1;
        else s.charityTotal += 1;
        bytes memory other = abi.encodeCall(SettlementV4.release, (s));
        _refused(settler, target, other, SettlementV4.WrongSettlement.selector, "release: only what was committed");
    }

    function _voidWrongly() private {
        uint256 now_ = block.timestamp;
        if (_oneIn(2)) _warpTo((next + 4) * 1 days + _below(5 days));
        else if (_oneIn(2)) _warpTo((next + 31) * 1 days);
        if (!_isVoidable()) _failToVoid("void: not before its time");
        uint256 more = _stakeOf(next) + 1;
        bytes memory data = abi.encodeCall(SettlementV4.voidDay, (next, bytes32("root"), more));
        _refused(owner, address(settlement), data, 0, "void: the whole stake and no more");
        vm.warp(now_);
    }

    function _tryFalseResult(Settlement memory s) internal override {
        bytes memory data = abi.encode(s);
        _refuseResult(_spoilt(abi.decode(data, (Settlement)), _below(12)));
        _refuseResult(_spoilt(abi.decode(data, (Settlement)), 5 + _below(4)));
    }

    function _commitAgain() private {
        if (!hasPending) return;
        Settlement memory s = _pendingResult();
        if (_oneIn(2)) s.runHash = bytes32(_random() | 1);
        _refuseResult(s);
    }

    function _refuseResult(Settlement memory s) private {
        bytes memory data = abi.encodeCall(SettlementV4.commitMerkleSettlement, (s));
        _refused(settler, address(settlement), data, 0, "commit: a false result is refused");
    }

    /// @dev A result with one thing wrong.
    function _spoilt(Settlement memory s, uint256 kind) private returns (Settlement memory) {
        uint256 p = _below(5);
        (uint256 budget, uint256 limit) = _limits(next, p);
        if (kind == 0) s.totalPayout += 1;
        else if (kind == 1) s.jackpotHit[p] = !s.jackpotHit[p];
        else if (kind == 2) s.merkleRoot = s.totalPayout == 0 ? bytes32("root") : bytes32(0);
        else if (kind == 3) s.affiliateRoot = s.affiliateTotal == 0 ? bytes32("root") : bytes32(0);
        else if (kind == 4) s.runHash = 0;
        else if (kind == 5) s.charityTotal = _feeOf(next) - s.affiliateTotal + 1;
        else if (kind == 6) s.charityTotal = type(uint256).max - _below(2) * s.affiliateTotal;
        else if (kind == 7) _raise(s, p, budget + 1 - s.poolPayout[p], 0);
        else if (kind == 8) _raise(s, p, 0, limit + 1 - s.poolJackpotPayout[p]);
        else if (kind == 9) s.dayId = next + 1 + _below(3);
        else if (kind == 10) s.dayId = next - 1 - _below(3);
        else s.dayId = type(uint256).max - _below(2);
        return s;
    }

    /// @dev Everything but the limit agrees.
    function _raise(Settlement memory s, uint256 p, uint256 payout, uint256 jackpot) private pure {
        s.poolPayout[p] += payout;
        s.poolJackpotPayout[p] += jackpot;
        s.totalPayout += payout + jackpot;
        s.jackpotHit[p] = s.poolJackpotPayout[p] != 0;
        if (s.merkleRoot == 0) s.merkleRoot = bytes32("root");
    }

    function _claimWrongly() private {
        ClaimVault vault = _vault(_below(2));
        uint256 until = vault.pausedUntil();
        if (until != 0 && block.timestamp < until + 7 days) {
            bytes memory again = abi.encodeCall(ClaimVault.pauseClaims, ());
            _refused(guardian, address(vault), again, 0, "a pause of claims is not renewed at once");
        }
        Place memory place = _placeOrNone();
        bytes32[] memory none = new bytes32[](0);
        // A commit that waits pays nobody.
        bytes memory soon = abi.encodeCall(ClaimVault.claim, (next, thief, 1, none));
        _refused(thief, address(prizes), soon, 0, "claims: no day is paid before its release");
        if (place.index >= promises[place.vault][place.day].leaves.length) return;
        Leaf memory leaf = _leafAt(place);
        address target = address(_vault(place.vault));
        if (isPaid[place.vault][place.day][leaf.account]) {
            _refused(thief, target, _claimCall(place), 0, "claims: once per day and account");
        }
        if (block.timestamp < _vault(place.vault).pausedUntil()) {
            bytes4 paused = ClaimVault.ClaimsArePaused.selector;
            _refused(thief, target, _claimCall(place), paused, "claims: none during a pause");
        }
        if (promises[place.vault][place.day].claimed + leaf.amount > promises[place.vault][place.day].total) {
            _refused(thief, target, _claimCall(place), 0, "claims: never above a day's total");
        }
        if (usdt.isBlocked(leaf.account)) {
            _refused(thief, target, _claimCall(place), 0, "claims: a blocked account keeps its claim");
        }
        bytes32[] memory proof = _proof(place);
        bytes memory other = abi.encodeCall(ClaimVault.claim, (place.day, leaf.account, leaf.amount + 7, proof));
        _refused(leaf.account, target, other, 0, "claims: no other amount");
        other = abi.encodeCall(ClaimVault.claim, (place.day, address(0xFACE), leaf.amount, proof));
        _refused(thief, target, other, 0, "claims: nobody else");
        _refused(thief, address(_vault(1 - place.vault)), _claimCall(place), 0, "claims: no proof fits another vault");
    }

    function _buyWrongly() private {
        address target = address(game);
        if (lastSale.length != 0) _refused(lastSender, target, lastSale, 0, "sales: a permit is used once");
        address buyer = players[_below(5)];
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, true);
        uint256 kind = _below(9);
        if (kind == 0) permit.dayId += 1;
        else if (kind == 1) permit.deadline = uint64(block.timestamp - 1);
        else if (kind == 2) permit.tipsHash = bytes32(_random());
        else if (kind == 3) permit.gasCostUsdt = 5_000_001;
        else if (kind == 4) permit.poolId = 5;
        else if (kind == 5) permit.paidTips += 1;
        else if (kind == 6) permit.tipsHash = _spoilTip(tips);
        else if (kind == 7) usdt.setFee(1);
        bytes memory signature = _signed(permit, keyOf[buyer]);
        // Signed for one amount, sent with another.
        if (kind == 8) permit.gasCostUsdt += 1;
        bytes memory data = abi.encodeCall(GameManager.buyTicketFor, (permit, tips, signature));
        _refused(relayer, target, data, 0, "sales: a false permit is refused");
        usdt.setFee(0);
        if (!isBound[buyer]) _referOneself(buyer);
        _requestWrongly();
    }

    /// @dev The first tip gets five numbers only.
    function _spoilTip(bytes memory tips) private pure returns (bytes32) {
        tips[7] = 0x3e;
        return keccak256(tips);
    }

    function _referOneself(address buyer) private {
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, false);
        permit.affiliate = buyer;
        bytes memory data = _purchase(permit, tips, false);
        _refused(buyer, address(game), data, 0, "sales: nobody refers himself");
    }

    /// @dev A day's word is asked for after its close, once, and only if it sold tips.
    function _requestWrongly() private {
        uint256 day = _oneIn(3) || soldDays.length == 0 ? _today() : soldDays[_below(soldDays.length)];
        if (day < _today() && requestOf[day] == 0) return;
        bytes memory request = abi.encodeCall(VRFReceiver.requestSeed, (day));
        _refused(settler, address(vrf), request, 0, "seeds: after the close, and once");
    }
}
