// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../src/ClaimVault.sol";
import {SettlementV4} from "../../src/SettlementV4.sol";
import {BuyPermit, Settlement} from "../../src/Types.sol";
import {VRFReceiver} from "../../src/VRFReceiver.sol";
import {Intruders} from "./Intruders.sol";

/// @notice After every move somebody also tries what nobody may do: too early, twice, too much, forged.
abstract contract Mischief is Intruders {
    function _tryForbidden() internal override {
        _intrude();
        uint256 kind = _below(4);
        if (kind == 0) _releaseWrongly();
        else if (kind == 1) _commitOrVoidWrongly();
        else if (kind == 2) _claimWrongly();
        else _buyWrongly();
    }

    function _releaseWrongly() private {
        address at = address(settlement);
        if (lastReleased.length != 0) {
            _refused(thief, at, lastReleased, SettlementV4.NotCommitted.selector, "release: no day is paid twice");
        }
        if (!hasPending) return;
        Settlement memory s = _pendingResult();
        uint256 now_ = block.timestamp;
        uint256 until = committedAt[next] + CHALLENGE;
        if (now_ < until) {
            if (_oneIn(2)) vm.warp(until - 1);
            bytes4 early = SettlementV4.ChallengePeriodRuns.selector;
            bytes memory data = abi.encodeCall(SettlementV4.release, (s));
            _refused(settler, at, data, early, "challenge: no release before the period is over");
            vm.warp(now_);
        }
        uint256 kind = _below(4);
        if (kind == 0) s.merkleRoot = bytes32(_random());
        else if (kind == 1) s.poolPayout[_below(5)] += 1;
        else if (kind == 2) s.affiliateTotal += 1;
        else s.charityTotal += 1;
        bytes memory other = abi.encodeCall(SettlementV4.release, (s));
        _refused(settler, at, other, SettlementV4.WrongSettlement.selector, "release: only what was committed");
    }

    function _commitOrVoidWrongly() private {
        address at = address(settlement);
        if (_oneIn(3)) {
            uint256 stake = _stakeOf(next);
            if (hasPending || !settlement.voidable(next)) {
                bytes32 root = stake == 0 ? bytes32(0) : bytes32("root");
                bytes memory early = abi.encodeCall(SettlementV4.voidDay, (next, root, stake));
                _refused(owner, at, early, 0, "void: not before its time");
            }
            bytes memory more = abi.encodeCall(SettlementV4.voidDay, (next, bytes32("root"), stake + 1));
            _refused(owner, at, more, 0, "void: the whole stake and no more");
            return;
        }
        Settlement memory s = _spoilt(_below(12));
        bytes memory data = abi.encodeCall(SettlementV4.commitMerkleSettlement, (s));
        _refused(settler, at, data, 0, "commit: a false result is refused");
    }

    /// @dev A result with one thing wrong.
    function _spoilt(uint256 kind) private returns (Settlement memory s) {
        s = hasPending ? _pendingResult() : _result(next, Theft.All);
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
        Place memory place = _placeOrNone();
        bytes32[] memory none = new bytes32[](0);
        // A commit that waits pays nobody.
        bytes memory soon = abi.encodeCall(ClaimVault.claim, (next, thief, 1, none));
        _refused(thief, address(prizes), soon, 0, "claims: no day is paid before its release");
        if (place.index >= promises[place.vault][place.day].leaves.length) return;
        Leaf memory leaf = _leafAt(place);
        address at = address(_vault(place.vault));
        if (isPaid[place.vault][place.day][leaf.account]) {
            _refused(thief, at, _claimCall(place), 0, "claims: once per day and account");
        }
        if (block.timestamp < _vault(place.vault).pausedUntil()) {
            bytes4 paused = ClaimVault.ClaimsArePaused.selector;
            _refused(thief, at, _claimCall(place), paused, "claims: none during a pause");
        }
        bytes32[] memory proof = _proof(place);
        bytes memory other = abi.encodeCall(ClaimVault.claim, (place.day, leaf.account, leaf.amount + 7, proof));
        _refused(leaf.account, at, other, 0, "claims: no other amount");
        other = abi.encodeCall(ClaimVault.claim, (place.day, address(0xFACE), leaf.amount, proof));
        _refused(thief, at, other, 0, "claims: nobody else");
        _refused(thief, address(_vault(1 - place.vault)), _claimCall(place), 0, "claims: no proof fits another vault");
    }

    function _buyWrongly() private {
        address buyer = players[_below(5)];
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, true);
        address at = address(game);
        string memory broken = "sales: a false permit is refused";
        uint256 kind = _below(7);
        if (kind == 0) permit.dayId += 1;
        else if (kind == 1) permit.deadline = uint64(block.timestamp - 1);
        else if (kind == 2) permit.tipsHash = bytes32(_random());
        else if (kind == 3) permit.gasCostUsdt = 5_000_001;
        else if (kind == 4) permit.poolId = 5;
        else if (kind == 5) permit.paidTips += 1;
        bytes memory data = _purchase(permit, tips, true);
        if (kind == 6) {
            // Signed for one amount, sent with another.
            bytes memory signature = _signed(permit, keyOf[buyer]);
            permit.gasCostUsdt += 1;
            data = abi.encodeCall(game.buyTicketFor, (permit, tips, signature));
        }
        _refused(relayer, at, data, 0, broken);
        if (kind > 3) return;
        // A day's word is asked for after its close, once, and only if it sold tips.
        uint256 day = kind == 0 || soldDays.length == 0 ? _today() : soldDays[_below(soldDays.length)];
        if (day < _today() && requestOf[day] == 0) return;
        bytes memory request = abi.encodeCall(VRFReceiver.requestSeed, (day));
        _refused(settler, address(vrf), request, 0, "seeds: after the close, and once");
    }
}
