// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../../src/lottery/GameManager.sol";
import {BuyPermit, Office} from "../../../src/lottery/Types.sol";
import {ForbiddenDays} from "./ForbiddenDays.sol";

/// @notice Purchases with one thing wrong.
abstract contract ForbiddenSales is ForbiddenDays {
    function _buyWrongly() internal {
        if (lastSale.length != 0) {
            _refused(lastSender, address(game), lastSale, 0, "sales: a permit is used twice");
        }
        address buyer = players[_below(5)];
        _buyForged(buyer);
        if (!isBound[buyer]) _referOneself(buyer);
        _buyDirectlyOnRelayersTerms(buyer);
    }

    function _buyForged(address buyer) private {
        address relayer = _acting(Office.Relayer);
        if (relayer == address(0)) return;
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, true, _below(4));
        uint256 kind = _below(11);
        if (kind == 0) permit.dayId += 1;
        else if (kind == 1) permit.dayId -= 1;
        else if (kind == 2) permit.deadline = uint64(block.timestamp - 1);
        else if (kind == 3) permit.tipsHash = bytes32(_random());
        else if (kind == 4) permit.gasCostUsdt = 5_000_001;
        else if (kind == 5) permit.poolId = 5;
        else if (kind == 6) permit.paidTips += 1;
        else if (kind == 7) permit.paidTips = 0;
        else if (kind == 8) permit.tipsHash = _spoilTip(tips);
        bytes memory signature = _signed(permit);
        // Signed for one amount or affiliate, sent with another.
        if (kind == 9) permit.gasCostUsdt -= 1;
        if (kind == 10) permit.affiliate = thief;
        bytes memory data = abi.encodeCall(GameManager.buyTicketFor, (permit, tips, signature));
        _refused(relayer, address(game), data, 0, "sales: a forged permit");
    }

    /// @dev The first tip gets five numbers, seven, or one that is too high.
    function _spoilTip(bytes memory tips) private returns (bytes32) {
        uint64[3] memory bad = [uint64(0x3e), 0x7f, 0x1f | 1 << 38];
        bytes8 tip = bytes8(bad[_below(3)]);
        for (uint256 i = 0; i < 8; ++i) tips[i] = tip[i];
        return keccak256(tips);
    }

    function _referOneself(address buyer) private {
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, false, 0);
        permit.affiliate = _oneIn(2) ? buyer : address(reserve);
        bytes memory data = _purchase(permit, tips, false);
        _refused(buyer, address(game), data, 0, "sales: an affiliate who is the buyer or a contract of ours");
    }

    function _buyDirectlyOnRelayersTerms(address buyer) private {
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, false, _below(2));
        if (permit.voucherTips == 0) permit.gasCostUsdt = 1;
        bytes memory data = _purchase(permit, tips, false);
        bytes4 reason = GameManager.DirectTermsOnly.selector;
        _refused(buyer, address(game), data, reason, "sales: vouchers or a gas cost without the relayer");
    }
}
