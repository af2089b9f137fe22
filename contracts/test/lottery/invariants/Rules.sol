// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ends} from "./Ends.sol";

/// @notice Rates of affiliates, rulesets, and pauses of purchases.
abstract contract Rules is Ends {
    function ownerSetsARate(uint256 seed) external move(seed) {
        address affiliate = affiliates[_below(3)];
        uint256 rate = _oneIn(3) ? _below(300) : _below(1_001);
        uint256 day = _today() + 1 + _below(30);
        if (_oneIn(2)) day = _today() + 1 + _below(3);
        bytes memory data = abi.encodeWithSelector(game.setAffiliateRate.selector, affiliate, rate, day);
        if (_raisesTooEarly(affiliate, rate, day)) {
            _refused(_owner(), address(game), data, 0, "rates: raised with less than three days' notice");
            day = _today() + 3;
            data = abi.encodeWithSelector(game.setAffiliateRate.selector, affiliate, rate, day);
        }
        _call(_owner(), address(game), data, "rates: set by the owner");
        rates.push(RateEvent(affiliate, rate, day));
    }

    function ownerSchedulesARuleset(uint256 seed) external move(seed) {
        _schedule();
    }

    function aRulesetIsCancelled(uint256 seed) external move(seed) {
        if (!_isRulesetWaiting()) _schedule();
        vm.prank(_guardianOrOwner());
        game.cancelRuleset();
        rules.pop();
    }

    function guardianPausesPurchases(uint256 seed) external move(seed) {
        vm.assume(!isPaused && _oneIn(3));
        _pausePurchases();
    }

    function salesOpenAgain(uint256 seed) external move(seed) {
        vm.assume(isPaused);
        vm.prank(_guardianOrOwner());
        game.unpausePurchases();
        isPaused = false;
    }

    // ------------------------------------------------------------------------------------- what they do

    function _schedule() private {
        uint256 day = _max(_today() + 7, FIRST_DAY) + _below(_oneIn(4) ? 300 : 9);
        bytes32 hash = bytes32(_random() | 1);
        bytes memory data = abi.encodeWithSelector(game.scheduleRuleset.selector, hash, day);
        _call(_owner(), address(game), data, "rulesets: scheduled seven days ahead");
        if (_isRulesetWaiting()) rules.pop();
        rules.push(Rule(hash, day));
    }

    /// @dev A day that comes within three days would pay more than it does now.
    function _raisesTooEarly(address affiliate, uint256 rate, uint256 fromDay) private view returns (bool) {
        for (uint256 day = fromDay; day < _today() + 3; ++day) if (rate > _rateOf(affiliate, day)) return true;
        return false;
    }
}
