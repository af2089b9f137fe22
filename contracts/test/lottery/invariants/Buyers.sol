// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../../src/lottery/GameManager.sol";
import {BuyPermit, Office} from "../../../src/lottery/Types.sol";
import {Voids} from "./Voids.sol";

/// @notice Players buy: directly, through the relayer, with vouchers, and with a wallet that is a contract.
abstract contract Buyers is Voids {
    /// @dev The last purchase, to be tried again.
    bytes internal lastSale;
    address internal lastSender;
    uint256 private _nonces;

    function playerBuysDirectly(uint256 seed) external move(seed) {
        _sell(players[_below(4)], false, 0);
    }

    function relayerBuysForAPlayer(uint256 seed) external move(seed) {
        _sell(players[_below(4)], true, 0);
    }

    function relayerBuysWithVouchers(uint256 seed) external move(seed) {
        _sell(players[_below(5)], true, 1 + _below(3));
    }

    function walletContractBuys(uint256 seed) external move(seed) {
        _sell(address(wallet), _oneIn(2), 0);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _sell(address buyer, bool isRelayed, uint256 vouchers) internal {
        _openSales();
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, isRelayed, vouchers);
        vm.assume(_canBuy(permit));
        address sender = isRelayed ? _acting(Office.Relayer) : buyer;
        bytes memory data = _purchase(permit, tips, isRelayed);
        bytes memory answer = _call(sender, address(game), data, "sales: a right purchase");
        _bookSale(permit, tips.length / 8);
        (lastSale, lastSender) = (data, sender);
        require(abi.decode(answer, (uint256)) == tickets.length, "sales: tickets are numbered one by one");
    }

    /// @dev Lets the first day come, and the days that lag be ended; discards the move if the game is over.
    function _openSales() internal {
        vm.assume(_today() >= FIRST_DAY || _oneIn(3));
        _warpTo(FIRST_DAY * 1 days + _below(1 days));
        vm.assume(_today() <= _lastDay());
        if (_today() > next + 5) {
            vm.assume(_oneIn(2));
            _endLag();
            vm.assume(_today() <= _lastDay());
        }
    }

    function _sellToday() internal override {
        bool isRelayed = _oneIn(2);
        _sell(players[_below(5)], isRelayed, isRelayed ? _below(2) : 0);
    }

    function _bringSoldDay() internal override {
        vm.assume(!isFinished);
        if (_hasTips(next)) return;
        if (soldDays.length == 0 || soldDays[soldDays.length - 1] < next) _sellToday();
        while (!_hasTips(next)) _endDaysThrough(next);
    }

    function _canBuy(BuyPermit memory permit) private view returns (bool) {
        if (isPaused || tokenFeeBps != 0 || usdt.isBlocked(permit.buyer)) return false;
        bool isRelayed = permit.gasCostUsdt != 0 || permit.voucherTips != 0;
        if (isRelayed && _acting(Office.Relayer) == address(0)) return false;
        if (permit.voucherTips == 0) return true;
        return !usdt.isBlocked(_voucherPayer(permit.dayId)) && !_isAboveCap(permit);
    }

    function _voucherPayer(uint256 day) internal view returns (address payer) {
        payer = books[day].voucherPayer;
        if (payer == address(0)) payer = _promotions();
    }

    function _isAboveCap(BuyPermit memory permit) internal view returns (bool) {
        uint256 stake = _priceOf(permit.poolId) * permit.voucherTips;
        return books[permit.dayId].vouchers + stake > voucherCap;
    }

    function _order(address buyer, bool isRelayed, uint256 vouchers)
        internal
        returns (BuyPermit memory permit, bytes memory tips)
    {
        uint256 paid = _oneIn(12) ? 1 + _below(144) : 1 + _below(9);
        uint256 count = paid + _bonus(paid) + vouchers;
        if (count > 255) return _order(buyer, isRelayed, vouchers);
        tips = _tips(count);
        permit = BuyPermit({
            buyer: buyer,
            dayId: _today(),
            poolId: uint8(_below(5)),
            tipsHash: keccak256(tips),
            paidTips: uint8(paid),
            voucherTips: uint8(vouchers),
            affiliate: _oneIn(3) ? address(0) : affiliates[_below(affiliates.length)],
            gasCostUsdt: isRelayed ? _oneIn(8) ? 5_000_000 : 1 + _below(200_000) : 0,
            deadline: uint64(block.timestamp + _below(1 hours)),
            nonce: bytes16(uint128(++_nonces))
        });
        if (permit.affiliate == buyer) permit.affiliate = address(0);
    }

    function _bonus(uint256 paid) internal pure returns (uint256) {
        return paid < 5 ? 0 : 3 + 4 * ((paid - 5) / 5);
    }

    /// @dev Six numbers in a row, somewhere from 1 to 38.
    function _tips(uint256 count) private returns (bytes memory tips) {
        uint256 mask = 0x3f << _below(33);
        tips = new bytes(8 * count);
        for (uint256 i = 0; i < tips.length; ++i) tips[i] = bytes1(uint8(mask >> 8 * (7 - i % 8)));
    }

    function _purchase(BuyPermit memory permit, bytes memory tips, bool isRelayed)
        internal
        view
        returns (bytes memory)
    {
        if (!isRelayed) return abi.encodeCall(GameManager.buyTicket, (permit, tips));
        return abi.encodeCall(GameManager.buyTicketFor, (permit, tips, _signed(permit)));
    }

    function _signed(BuyPermit memory permit) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[permit.buyer], game.permitDigest(permit));
        return abi.encodePacked(r, s, v);
    }
}
