// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {TestUSDT} from "../../../src/shared/test/TestUSDT.sol";
import {BuyPermit, Office} from "../../../src/lottery/Types.sol";
import {Buyers} from "./Buyers.sol";

/// @notice Right purchases at the wrong time: each is refused for its reason, and nothing is taken.
abstract contract RefusedSales is Buyers {
    function salesWaitForTheFirstDay(uint256 seed) external move(seed) {
        vm.assume(_today() < FIRST_DAY && !isPaused);
        _refuseSale(players[_below(5)], GameManager.NotOpenYet.selector, "sales: before the first day");
    }

    function salesStopOnLag(uint256 seed) external move(seed) {
        vm.assume(!isPaused);
        _warpTo((next + 6) * 1 days + _below(1 days));
        _refuseSale(players[_below(5)], GameManager.SalesStopped.selector, "sales: more than five days of lag");
    }

    function salesStopDuringAPause(uint256 seed) external move(seed) {
        if (!isPaused) _pausePurchases();
        _refuseSale(players[_below(5)], GameManager.PurchasesArePaused.selector, "sales: during a pause");
    }

    function salesStopUnderAFee(uint256 seed) external move(seed) {
        _openSales();
        vm.assume(!isPaused);
        address buyer = players[_below(5)];
        vm.assume(!usdt.isBlocked(buyer));
        uint256 before = tokenFeeBps;
        if (before == 0) usdt.setFee(1 + _below(10_000));
        bytes4 reason = ReserveVault.WrongAmountReceived.selector;
        _refuseSale(buyer, reason, "sales: while the token takes a fee");
        usdt.setFee(before);
    }

    function blockedPlayerCannotBuy(uint256 seed) external move(seed) {
        _openSales();
        vm.assume(!isPaused);
        address buyer = players[_below(5)];
        bool isBlocked = usdt.isBlocked(buyer);
        usdt.setBlocked(buyer, true);
        _refuseSale(buyer, TestUSDT.Blocked.selector, "sales: a buyer whom the token blocks");
        usdt.setBlocked(buyer, isBlocked);
    }

    function vouchersStopAtTheCap(uint256 seed) external move(seed) {
        _openSales();
        address relayer = _acting(Office.Relayer);
        vm.assume(!isPaused && relayer != address(0) && tokenFeeBps == 0);
        (BuyPermit memory permit, bytes memory tips) = _order(players[_below(5)], true, 1 + _below(100));
        vm.assume(_isAboveCap(permit) && !usdt.isBlocked(permit.buyer));
        bytes4 reason = ReserveVault.VoucherCapExceeded.selector;
        bytes memory data = _purchase(permit, tips, true);
        _refused(relayer, address(game), data, reason, "vouchers: above the cap of the day");
    }

    function _pausePurchases() internal {
        vm.prank(_guardian());
        game.pausePurchases();
        isPaused = true;
    }

    function _refuseSale(address buyer, bytes4 reason, string memory broken) internal {
        address relayer = _acting(Office.Relayer);
        bool isRelayed = relayer != address(0) && _oneIn(2);
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, isRelayed, 0);
        bytes memory data = _purchase(permit, tips, isRelayed);
        _refused(isRelayed ? relayer : buyer, address(game), data, reason, broken);
    }
}
