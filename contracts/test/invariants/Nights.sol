// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SettlementV4} from "../../src/SettlementV4.sol";
import {PoolState, Settlement, Split} from "../../src/Types.sol";
import {Buyers} from "./Buyers.sol";
import {Tree} from "./Tree.sol";

/// @notice Seeds, commits (honest and stolen), vetoes, releases and voids. A move that needs something first lets time
///         pass and does what the honest actors would do, so that the deep states are reached in few steps.
abstract contract Nights is Buyers {
    enum Theft {
        None,
        All,
        TooMuch,
        Nothing,
        Twice
    }

    /// @dev The commit that waits, as the settler sent it.
    Settlement private _pending;
    bool internal hasPending;
    bool internal isPendingHonest;
    /// @dev The leaves of the commit that is being made, or waits.
    mapping(uint256 vault => Leaf[]) internal drafts;
    bytes internal lastReleased;

    // ------------------------------------------------------------------------------------- seeds

    function anybodyRequestsASeed(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_isUnasked);
        if (_today() <= day) _warpToClose(day);
        _request(day);
    }

    /// @dev Early, late, or (a silent day) never.
    function coordinatorAnswers(uint256 seed) external move(seed) {
        _answer(_soldDay(_isAwaited));
    }

    /// @dev The coordinator's own contract answers a request once; a second word must be lost all the same.
    function coordinatorAnswersTwice(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_isAnswered);
        uint256[] memory words = new uint256[](_below(3));
        for (uint256 i = 0; i < words.length; ++i) words[i] = _random();
        uint256 requestId = _oneIn(3) ? _random() : requestOf[day];
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(requestId, words);
    }

    /// @dev A random one of the sold days of this kind; discards the move if there is none.
    function _soldDay(function(uint256) internal view returns (bool) isOfKind) private returns (uint256 day) {
        vm.assume(soldDays.length != 0);
        uint256 start = _below(soldDays.length);
        for (uint256 i = 0; i < soldDays.length; ++i) {
            day = soldDays[(start + i) % soldDays.length];
            if (isOfKind(day)) return day;
        }
        vm.assume(false);
    }

    function _isUnasked(uint256 day) private view returns (bool) {
        return requestOf[day] == 0;
    }

    function _isAwaited(uint256 day) private view returns (bool) {
        return requestOf[day] != 0 && !hasWord[day] && !_isSilent(day);
    }

    function _isAnswered(uint256 day) private view returns (bool) {
        return hasWord[day];
    }

    function _request(uint256 day) internal {
        vm.prank(players[_below(4)]);
        requestOf[day] = vrf.requestSeed(day);
    }

    function _answer(uint256 day) internal {
        uint256[] memory words = new uint256[](1);
        words[0] = _oneIn(8) ? 0 : _random();
        coordinator.fulfillRandomWordsWithOverride(requestOf[day], address(vrf), words);
        hasWord[day] = true;
        wordOf[day] = words[0];
    }

    /// @dev One sold day in five never gets its word.
    function _isSilent(uint256 day) internal view returns (bool) {
        return uint256(books[day].digest[0] ^ books[day].digest[1] ^ keccak256(abi.encode(day))) % 5 == 0;
    }

    function _bringWord(uint256 day) internal {
        if (!_hasTips(day)) return;
        if (requestOf[day] == 0) _request(day);
        if (!hasWord[day]) _answer(day);
    }

    // ------------------------------------------------------------------------------------- moves

    function settlerCommits(uint256 seed) external move(seed) {
        vm.assume(!hasPending && _canSettle() && _isWorthIt());
        _commitNext(Theft.None);
    }

    function stolenSettlerCommits(uint256 seed) external move(seed) {
        vm.assume(!hasPending && _canSettle() && _hasTips(next));
        _commitNext(Theft(1 + _below(4)));
    }

    function guardianVetoes(uint256 seed) external move(seed) {
        vm.assume(hasPending || (_canSettle() && _isWorthIt()));
        if (!hasPending) _commitNext(Theft(_below(5)));
        // During the period, or after it: a stalled sequencer does not eat the guardian's time.
        vm.warp(block.timestamp + _below(3 hours));
        _vetoNext();
    }

    function anybodyReleases(uint256 seed) external move(seed) {
        vm.assume(hasPending || (_canSettle() && _isWorthIt()));
        if (!hasPending) _commitNext(Theft.None);
        vm.assume(isPendingHonest);
        _warpTo(committedAt[next] + CHALLENGE);
        if (_oneIn(4)) _failToRelease();
        _releaseNext();
    }

    /// @dev Then the thief gets what the day could pay, and nothing of any other day.
    function guardianSleepsThroughATheft(uint256 seed) external move(seed) {
        vm.assume(hasPending ? !isPendingHonest : _hasTips(next) && _canSettle());
        if (!hasPending) _commitNext(Theft(1 + _below(4)));
        _warpTo(committedAt[next] + CHALLENGE);
        _releaseNext();
    }

    /// @dev The engine's nights after an outage: empty days mostly, up to a sold one or beyond.
    function engineCatchesUp(uint256 seed) external move(seed) {
        vm.assume(!hasPending && next + 1 < _today() && _canSettle());
        for (uint256 n = 40; n != 0 && next + 1 < _today() && _canSettle(); --n) {
            if (_hasTips(next) && n != 40 && _oneIn(2)) return;
            _commitNext(Theft.None);
            _warpTo(committedAt[next] + CHALLENGE);
            _releaseNext();
        }
    }

    function ownerAnnouncesAVoid(uint256 seed) external move(seed) {
        vm.assume(next < _today());
        uint256 day = next + _below(_today() - next);
        vm.assume(announcedAt[day] == 0);
        _announce(day);
    }

    function ownerVoidsASilentDay(uint256 seed) external move(seed) {
        vm.assume(!hasPending && _hasTips(next) && !hasWord[next]);
        if (_oneIn(2) && requestOf[next] == 0) {
            if (_today() <= next) _warpToClose(next);
            _request(next);
        }
        _warpTo((next + 4) * 1 days);
        _voidNext();
    }

    function ownerVoidsAnOldDay(uint256 seed) external move(seed) {
        vm.assume(_oneIn(4));
        if (_today() <= next) _warpToClose(next);
        if (_oneIn(2)) _warpTo((next + 31) * 1 days);
        if (announcedAt[next] == 0) _announce(next);
        // The month goes by and tickets are sold in it.
        for (uint256 n = _below(3); n != 0; --n) {
            vm.warp(block.timestamp + _below(8 days));
            if (!game.purchasesPaused() && !usdt.isBlocked(players[1])) _sell(players[1], false);
        }
        uint256 old = (next + 31) * 1 days;
        uint256 noticed = announcedAt[next] + 7 days;
        _warpTo((old > noticed ? old : noticed) - 1);
        if (!_isVoidable()) _failToVoid("void: not before its time");
        _warpTo(old > noticed ? old : noticed);
        if (!hasPending && _canSettle() && _oneIn(2)) _commitNext(Theft.None);
        if (hasPending) {
            _failToVoid("void: not while a commit waits");
            _vetoNext();
        }
        _voidNext();
    }

    // ------------------------------------------------------------------------------------- what they do

    /// @dev The next day has, or can get, all that a commit needs.
    function _canSettle() internal view returns (bool) {
        return !_hasTips(next) || hasWord[next] || !_isSilent(next);
    }

    /// @dev An empty day has little to tell.
    function _isWorthIt() private returns (bool) {
        return _hasTips(next) || _oneIn(6);
    }

    function _commitNext(Theft theft) internal {
        if (_today() <= next) _warpToClose(next);
        _bringWord(next);
        Settlement memory s = _result(next, theft);
        _tryFalseResult(s);
        _commit(s);
        committedAt[next] = block.timestamp;
        _pending = s;
        hasPending = true;
        isPendingHonest = theft == Theft.None;
    }

    /// @dev The settler tries to commit something else first.
    function _tryFalseResult(Settlement memory s) internal virtual;

    function _vetoNext() internal {
        vm.prank(guardian);
        settlement.veto(next, "not ours");
        vetoes[next] += 1;
        committedAt[next] = 0;
        hasPending = false;
    }

    function _pendingResult() internal view returns (Settlement memory) {
        return _pending;
    }

    /// @dev A vault that cannot be paid makes the whole release fail; it succeeds later as if nothing had happened.
    function _failToRelease() private {
        Settlement memory s = _pending;
        if (s.totalPayout == 0) return;
        usdt.setBlocked(address(prizes), true);
        bytes memory data = abi.encodeCall(SettlementV4.release, (s));
        _refused(thief, address(settlement), data, 0, "release: all of it or nothing");
        usdt.setBlocked(address(prizes), false);
    }

    function _releaseNext() internal {
        Settlement memory s = _pending;
        vm.prank(everybody[_below(everybody.length)]);
        settlement.release(s);
        _promise(PRIZES, s.dayId, s.merkleRoot, s.totalPayout, isPendingHonest);
        _promise(COMMISSIONS, s.dayId, s.affiliateRoot, s.affiliateTotal, true);
        _bookRelease(s);
        hasPending = false;
        lastReleased = abi.encodeCall(SettlementV4.release, (s));
    }

    function _announce(uint256 day) internal {
        vm.prank(owner);
        settlement.announceVoid(day);
        announcedAt[day] = block.timestamp;
    }

    function _voidNext() internal {
        delete drafts[PRIZES];
        Book storage book = books[next];
        for (uint256 i = 0; i < book.payers.length; ++i) {
            drafts[PRIZES].push(Leaf(book.payers[i], spent[next][book.payers[i]]));
        }
        bytes32 root = _draftRoot(PRIZES, next);
        uint256 stake = _stakeOf(next);
        vm.prank(owner);
        settlement.voidDay(next, root, stake);
        _promise(PRIZES, next, root, stake, true);
        _bookVoid(next);
    }

    function _failToVoid(string memory broken) internal {
        uint256 stake = _stakeOf(next);
        bytes32 root = stake == 0 ? bytes32(0) : bytes32("root");
        bytes memory data = abi.encodeCall(SettlementV4.voidDay, (next, root, stake));
        _refused(owner, address(settlement), data, 0, broken);
    }

    /// @dev Design, section 7: three days without a word, or thirty with seven days' notice.
    function _isVoidable() internal view returns (bool) {
        if (hasPending) return false;
        if (_hasTips(next) && !hasWord[next] && block.timestamp >= (next + 4) * 1 days) return true;
        uint256 announced = announcedAt[next];
        return announced != 0 && block.timestamp >= announced + 7 days && block.timestamp >= (next + 31) * 1 days;
    }

    // ------------------------------------------------------------------------------------- results

    /// @dev A result that the contract accepts; only its trees are false if it is a theft.
    function _result(uint256 day, Theft theft) internal returns (Settlement memory s) {
        s.dayId = day;
        s.runHash = bytes32(_random() | 1);
        for (uint256 p = 0; p < 5; ++p) {
            if (books[day].tips[p] == 0) continue;
            (uint256 budget, uint256 limit) = _limits(day, p);
            s.poolPayout[p] = theft == Theft.All ? budget : _share(budget);
            s.poolJackpotPayout[p] = theft == Theft.All ? limit : _oneIn(3) ? _share(limit) : 0;
            s.jackpotHit[p] = s.poolJackpotPayout[p] != 0;
            s.totalPayout += s.poolPayout[p] + s.poolJackpotPayout[p];
        }
        s.affiliateTotal = _share(_feeOf(day));
        s.charityTotal = _share(_feeOf(day) - s.affiliateTotal);
        _draft(PRIZES, s.totalPayout, theft);
        _draft(COMMISSIONS, s.affiliateTotal, Theft.None);
        s.merkleRoot = theft == Theft.Nothing && s.totalPayout != 0
            ? bytes32(_random() | 1)
            : _draftRoot(PRIZES, day);
        s.affiliateRoot = _draftRoot(COMMISSIONS, day);
    }

    /// @dev What stands to be committed, or could be. Never touches the leaves of a commit that waits.
    function _candidate() internal returns (Settlement memory) {
        return hasPending ? _pending : _result(next, Theft.All);
    }

    function _limits(uint256 day, uint256 p) internal view returns (uint256 budget, uint256 limit) {
        PoolState storage pool = pools[p];
        Split storage part = books[day].split[p];
        budget = pool.carry + pool.lastRollover + part.pot;
        limit = (pool.reserve + part.jackpot) * 9 / 10;
    }

    /// @dev Nothing, all, or some of it.
    function _share(uint256 whole) private returns (uint256) {
        uint256 kind = _below(6);
        return kind == 0 ? 0 : kind == 1 ? whole : whole * _below(10_001) / 10_000;
    }

    function _draft(uint256 vault, uint256 total, Theft theft) private {
        delete drafts[vault];
        if (total == 0 || theft == Theft.Nothing) return;
        if (theft == Theft.All) {
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
        drafts[vault].push(Leaf(payees[start], left));
        if (theft == Theft.TooMuch) drafts[vault].push(Leaf(thief, total));
        if (theft == Theft.Twice) drafts[vault].push(Leaf(payees[start], left + 1));
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

    function _promise(uint256 vault, uint256 day, bytes32 root, uint256 total, bool isHonest) private {
        Promise storage promised = promises[vault][day];
        promised.root = root;
        promised.total = total;
        promised.isHonest = isHonest;
        for (uint256 i = 0; i < drafts[vault].length; ++i) promised.leaves.push(drafts[vault][i]);
    }
}
