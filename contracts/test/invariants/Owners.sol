// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Claimers} from "./Claimers.sol";

/// @notice The owner's and the guardian's other powers, the token's whims, mistakes, and time.
abstract contract Owners is Claimers {
    /// @dev Who held a role before; he has no power any more.
    address internal former = address(0xF0);
    uint256 private _rates;
    mapping(address affiliate => uint256) private _rateFrom;
    uint256 private _rulesetFrom;

    function ownerReplacesARole(uint256 seed) external move(seed) {
        address account = _newcomer();
        uint256 which = _below(5);
        former = [guardian, relayer, settler, owner, promotions][which];
        if (which <= 2) {
            vm.prank(owner);
            if (which == 0) roles.setGuardian(guardian = account);
            else if (which == 1) roles.setRelayer(relayer = account);
            else roles.setSettler(settler = account);
        } else if (which == 3) {
            vm.prank(owner);
            roles.transferOwnership(account);
            vm.prank(account);
            roles.acceptOwnership();
            owner = account;
        } else {
            _fund(account);
            due[account] = 1e15;
            vm.prank(owner);
            roles.setPromotions(account);
            vm.prank(account);
            roles.acceptPromotions();
            promotions = account;
        }
    }

    /// @dev Named, but never accepted: nothing changes.
    function ownerNamesSomebodyWhoDeclines(uint256 seed) external move(seed) {
        address account = players[_below(5)];
        vm.prank(owner);
        if (_oneIn(2)) roles.setPromotions(account);
        else roles.transferOwnership(account);
    }

    function ownerSetsARate(uint256 seed) external move(seed) {
        address affiliate = affiliates[_below(3)];
        uint256 day = _later(_rateFrom[affiliate], 1);
        uint16 rate = uint16(_below(1_001));
        vm.prank(owner);
        game.setAffiliateRate(affiliate, rate, day);
        _rateFrom[affiliate] = day;
        require(game.affiliateRateCount() == ++_rates, "rates are counted one by one");
        require(game.affiliateRateOf(affiliate, day) == rate, "a rate holds from its day on");
    }

    function ownerSchedulesARuleset(uint256 seed) external move(seed) {
        uint256 day = _later(_rulesetFrom, 7);
        bytes32 hash = bytes32(_random() | 1);
        bytes32 today = game.rulesetHashOf(_today());
        vm.prank(owner);
        game.scheduleRuleset(hash, day);
        _rulesetFrom = day;
        require(game.rulesetHashOf(day) == hash, "a ruleset rules from its day on");
        require(game.rulesetHashOf(_today()) == today, "today's ruleset never changes");
    }

    function ownerReplacesAReceiver(uint256 seed) external move(seed) {
        address account = _newcomer();
        vm.prank(owner);
        if (_oneIn(2)) reserve.setFeeReceiver(feeReceiver = account);
        else reserve.setGasSafe(gasSafe = account);
    }

    function ownerSetsTheVrfConfig(uint256 seed) external move(seed) {
        (,,, uint256 subscription) = vrf.config();
        uint32 gas_ = uint32(100_000 + _below(400_000));
        bytes32 lane = bytes32(_random());
        vm.prank(owner);
        vrf.setVrfConfig(lane, gas_, 3, subscription);
    }

    function guardianPausesPurchases(uint256 seed) external move(seed) {
        vm.assume(!game.purchasesPaused() && _oneIn(3));
        vm.prank(guardian);
        game.pausePurchases();
    }

    function salesOpenAgain(uint256 seed) external move(seed) {
        vm.assume(game.purchasesPaused());
        vm.prank(_oneIn(2) ? guardian : owner);
        game.unpausePurchases();
    }

    // ------------------------------------------------------------------------------------- the world

    function tokenBlocksSomebody(uint256 seed) external move(seed) {
        usdt.setBlocked(_blockable(), true);
    }

    function tokenUnblocksSomebody(uint256 seed) external move(seed) {
        address account;
        for (uint256 n = 4; n != 0 && !usdt.isBlocked(account); --n) account = _blockable();
        vm.assume(usdt.isBlocked(account));
        usdt.setBlocked(account, false);
    }

    /// @dev Money sent to our contracts by mistake is nobody's and counts for nothing.
    function somebodySendsMoneyByMistake(uint256 seed) external move(seed) {
        address[4] memory ours = [address(reserve), address(prizes), address(commissions), address(game)];
        address account = ours[_below(4)];
        uint256 amount = 1 + _below(1e9);
        usdt.mint(account, amount);
        due[account] += amount;
        stray[account] += amount;
    }

    function timePasses(uint256 seed) external move(seed) {
        uint256 close = (_today() + 1) * 1 days;
        uint256 kind = _below(5);
        if (kind == 0) vm.warp(close - 1);
        else if (kind == 1) vm.warp(close);
        else if (kind == 2) vm.warp(close + _below(12 hours));
        else if (kind == 3) vm.warp(block.timestamp + _below(3 hours));
        else if (_oneIn(3)) vm.warp(block.timestamp + _below(3 days));
        else vm.warp(block.timestamp + 1 + _below(1 hours));
    }

    function _blockable() private returns (address) {
        address[8] memory some =
            [players[0], players[1], players[4], affiliates[0], feeReceiver, gasSafe, promotions, address(0xC4A1)];
        return some[_below(8)];
    }

    function _later(uint256 last, uint256 notice) private returns (uint256 day) {
        day = _today() + notice;
        if (day < last) day = last;
        day += _below(4);
        vm.assume(day <= _today() + 366);
    }
}
