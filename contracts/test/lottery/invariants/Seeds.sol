// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {Moves} from "./Moves.sol";

/// @notice VRF: requests by anyone, words early, late, twice or never, an unknown key, an empty subscription.
abstract contract Seeds is Moves {
    function anyoneRequestsASeed(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_isUnasked);
        _warpTo(_closeOf(day));
        _request(day);
    }

    function coordinatorAnswers(uint256 seed) external move(seed) {
        _bringSoldDay();
        if (requestOf[next] == 0) {
            _warpTo(_closeOf(next));
            _request(next);
        }
        _answer(_soldDay(_isAwaited));
    }

    /// @dev Chainlink may answer after a day was given up: the word is stored and changes nothing.
    function coordinatorAnswersForAVoidedDay(uint256 seed) external move(seed) {
        _answer(_soldDay(_isGivenUp));
    }

    /// @dev The coordinator answers a request once; a second word must be lost all the same.
    function coordinatorAnswersTwice(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_hasItsWord);
        uint256[] memory words = new uint256[](_below(3));
        for (uint256 i = 0; i < words.length; ++i) words[i] = _random();
        uint256 requestId = _oneIn(3) ? _random() : requestOf[day];
        vm.prank(address(coordinator));
        vrf.rawFulfillRandomWords(requestId, words);
    }

    /// @dev The coordinator drops our key: a request is refused and burns no day.
    function keyIsUnknown(uint256 seed) external move(seed) {
        _bringSoldDay();
        uint256 day = _soldDay(_isUnasked);
        _warpTo(_closeOf(day));
        coordinator.setProvingKey(lane, false);
        _refuseRequest(day, VRFReceiver.UnknownKeyHash.selector, "seeds: a request with an unknown key");
        if (_oneIn(2)) coordinator.setProvingKey(lane, true);
    }

    /// @dev Too little LINK: a request is refused and burns no day.
    function subscriptionIsEmpty(uint256 seed) external move(seed) {
        _bringSoldDay();
        uint256 day = _soldDay(_isUnasked);
        vm.assume(!_isFunded());
        _warpTo(_closeOf(day));
        coordinator.setProvingKey(lane, true);
        _refuseRequest(day, VRFReceiver.SubscriptionUnderfunded.selector, "seeds: a request without LINK");
        if (_oneIn(2)) _fundSubscription();
    }

    /// @dev A word that is outstanding must be paid first.
    function aSecondWordNeedsItsOwnLink(uint256 seed) external move(seed) {
        _bringSoldDay();
        uint256 first = next;
        _warpTo(_closeOf(first));
        vm.assume(!hasWord[first] && !_isPending());
        if (requestOf[first] == 0) _request(first);
        _sellToday();
        uint256 day = _today();
        vm.assume(next == first && day != first && requestOf[day] == 0);
        _warpTo(_closeOf(day));
        coordinator.setProvingKey(lane, true);
        vm.assume(!_isFunded());
        _refuseRequest(day, VRFReceiver.SubscriptionUnderfunded.selector, "seeds: a second word without LINK");
        _request(day);
    }

    // ------------------------------------------------------------------------------------- what they do

    /// @dev A random one of the sold days of this kind; discards the move if there is none.
    function _soldDay(function(uint256) internal view returns (bool) isOfKind) internal returns (uint256 day) {
        vm.assume(soldDays.length != 0);
        uint256 start = _below(soldDays.length);
        for (uint256 i = 0; i < soldDays.length; ++i) {
            day = soldDays[(start + i) % soldDays.length];
            if (isOfKind(day)) return day;
        }
        vm.assume(false);
    }

    function _isUnasked(uint256 day) private view returns (bool) {
        return day >= next && requestOf[day] == 0;
    }

    function _isAwaited(uint256 day) private view returns (bool) {
        return day >= next && requestOf[day] != 0 && !hasWord[day] && !_isSilent(day);
    }

    function _isGivenUp(uint256 day) private view returns (bool) {
        return endedAs[day] == VOIDED && requestOf[day] != 0 && !hasWord[day];
    }

    function _hasItsWord(uint256 day) private view returns (bool) {
        return hasWord[day];
    }

    /// @dev One sold day in five never gets its word in time.
    function _isSilent(uint256 day) internal view returns (bool) {
        return uint256(books[day].digest[0] ^ books[day].digest[1] ^ keccak256(abi.encode(day))) % 5 == 0;
    }

    function _request(uint256 day) internal {
        coordinator.setProvingKey(lane, true);
        _fundSubscription();
        vm.prank(_anyone());
        requestOf[day] = vrf.requestSeed(day);
        requestedAt[day] = block.timestamp;
    }

    function _refuseRequest(uint256 day, bytes4 reason, string memory broken) private {
        _refused(_anyone(), address(vrf), abi.encodeCall(VRFReceiver.requestSeed, (day)), reason, broken);
    }

    function _answer(uint256 day) internal {
        // Chainlink itself takes no word's price from a poor subscription, so somebody pays first.
        if (_balance() < LINK_PER_REQUEST) coordinator.fundSubscription(vrf.subscriptionId(), LINK_PER_REQUEST);
        uint256[] memory words = new uint256[](1);
        words[0] = _oneIn(8) ? 0 : _random();
        coordinator.fulfillRandomWordsWithOverride(requestOf[day], address(vrf), words);
        hasWord[day] = true;
        wordOf[day] = words[0];
    }

    function _bringWord(uint256 day) internal {
        if (!_hasTips(day)) return;
        if (requestOf[day] == 0) _request(day);
        if (!hasWord[day]) _answer(day);
    }

    /// @dev One more word can be paid besides those that are outstanding.
    function _isFunded() internal view returns (bool) {
        return _balance() >= _neededLink(linkPerRequest);
    }

    function _neededLink(uint256 perRequest) internal view returns (uint256) {
        uint256 words = 1;
        for (uint256 i = soldDays.length; i != 0 && soldDays[i - 1] >= next; --i) {
            if (requestOf[soldDays[i - 1]] != 0 && !hasWord[soldDays[i - 1]]) ++words;
        }
        return words * perRequest;
    }

    /// @dev Anyone may fund the subscription; here just enough for this one.
    function _fundSubscription() internal {
        if (!_isFunded()) {
            coordinator.fundSubscription(vrf.subscriptionId(), _neededLink(linkPerRequest) - _balance());
        }
    }

    function _balance() internal view returns (uint96 balance) {
        (balance,,,,) = coordinator.getSubscription(vrf.subscriptionId());
    }
}
