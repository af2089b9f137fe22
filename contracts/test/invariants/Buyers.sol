// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/GameManager.sol";
import {BuyPermit} from "../../src/Types.sol";
import {Moves} from "./Moves.sol";

/// @notice Players buy: directly, through the relayer, and with a wallet that is a contract.
abstract contract Buyers is Moves {
    /// @dev The last purchase, to be tried again.
    bytes internal lastSale;
    address internal lastSender;

    function playerBuys(uint256 seed) external move(seed) {
        _sell(players[_below(4)], false);
    }

    function relayerBuysForAPlayer(uint256 seed) external move(seed) {
        _sell(players[_below(4)], true);
    }

    function walletContractBuys(uint256 seed) external move(seed) {
        _sell(address(wallet), _oneIn(2));
    }

    function _sell(address buyer, bool isRelayed) internal {
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, isRelayed);
        bytes memory data = _purchase(permit, tips, isRelayed);
        address sender = isRelayed ? relayer : buyer;
        if (!_canBuy(permit)) {
            _refused(sender, address(game), data, 0, "sales: none while paused or blocked");
            // A refused purchase is tried, but is no step of the campaign.
            vm.assume(false);
        }
        vm.prank(sender);
        (bool ok, bytes memory answer) = address(game).call(data);
        require(ok, "sales: nobody is shut out");
        _bookSale(permit, tips.length / 8);
        (lastSale, lastSender) = (data, sender);
        require(abi.decode(answer, (uint256)) == sold, "tickets are numbered one by one");
    }

    function _order(address buyer, bool isRelayed) internal returns (BuyPermit memory permit, bytes memory tips) {
        uint8 paid = uint8(_oneIn(12) ? 1 + _below(144) : 1 + _below(9));
        uint8 voucher = isRelayed ? uint8(_below(4)) : 0;
        if (uint256(paid) + game.bonusTips(paid) + voucher > 255) voucher = 0;
        tips = _tips(paid + game.bonusTips(paid) + voucher);
        permit = _permit(buyer, uint8(_below(5)), paid, voucher, tips);
        if (!_oneIn(3)) permit.affiliate = affiliates[_below(affiliates.length)];
        if (permit.affiliate == buyer) permit.affiliate = address(0);
        if (isRelayed && _oneIn(2)) permit.gasCostUsdt = _below(5_000_001);
    }

    function _purchase(BuyPermit memory permit, bytes memory tips, bool isRelayed)
        internal
        view
        returns (bytes memory)
    {
        if (!isRelayed) return abi.encodeCall(GameManager.buyTicket, (permit, tips));
        return abi.encodeCall(GameManager.buyTicketFor, (permit, tips, _signed(permit, keyOf[permit.buyer])));
    }

    function _signed(BuyPermit memory permit, uint256 key) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, game.permitDigest(permit));
        return abi.encodePacked(r, s, v);
    }

    function _canBuy(BuyPermit memory permit) private view returns (bool) {
        if (game.purchasesPaused() || usdt.isBlocked(permit.buyer)) return false;
        if (permit.voucherTips != 0 && usdt.isBlocked(promotions)) return false;
        return permit.gasCostUsdt == 0 || !usdt.isBlocked(gasSafe);
    }
}
