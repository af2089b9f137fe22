// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimRouter} from "../../../src/lottery/ClaimRouter.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {Claimers} from "./Claimers.sol";

/// @notice Refunds of voided days, by anyone for anyone: one ticket, many, some of them again, and the vouchers.
abstract contract Refunders is Claimers {
    function anyoneRefundsATicket(uint256 seed) external move(seed) {
        uint256 ticket = _refundableTicket();
        bytes16[] memory nonces = new bytes16[](1);
        nonces[0] = tickets[ticket].nonce;
        _call(_anyone(), address(reserve), _refundCall(tickets[ticket].buyer, nonces), "refunds: a ticket");
        _bookRefund(ticket);
    }

    /// @dev Some nonces come twice, some were refunded before: they are skipped.
    function anyoneRefundsManyTickets(uint256 seed) external move(seed) {
        uint256 ticket = _refundableTicket();
        address buyer = tickets[ticket].buyer;
        bytes16[] memory nonces = _voidedNonces(buyer, tickets[ticket].nonce);
        _call(_anyone(), address(reserve), _refundCall(buyer, nonces), "refunds: many tickets");
        _bookRefunds(buyer, nonces);
    }

    /// @dev Good and bad refunds mixed: the good ones are paid, the others hinder none of them.
    function routerRefundsMany(uint256 seed) external move(seed) {
        uint256 ticket = _refundableTicket();
        address buyer = tickets[ticket].buyer;
        ClaimRouter.Refund[] memory refunds = new ClaimRouter.Refund[](4);
        refunds[0] = ClaimRouter.Refund(buyer, _unknownNonce());
        refunds[1] = ClaimRouter.Refund(buyer, _voidedNonces(buyer, tickets[ticket].nonce));
        refunds[2] = refunds[1];
        refunds[3] = ClaimRouter.Refund(thief, refunds[1].nonces);
        vm.prank(thief);
        require(router.refundMany(refunds) == 1, "refunds: the router pays what can be paid");
        _bookRefunds(buyer, refunds[1].nonces);
    }

    function anyoneRefundsVouchers(uint256 seed) external move(seed) {
        uint256 day = _soldDay(_owesVouchers);
        vm.assume(!usdt.isBlocked(_receiverOf(books[day].voucherPayer)));
        _refundVouchers(day);
    }

    // ------------------------------------------------------------------------------------- what they do

    function _refundVouchers(uint256 day) internal {
        bytes memory data = abi.encodeCall(ReserveVault.refundVouchers, (day));
        _call(_anyone(), address(reserve), data, "refunds: vouchers");
        _bookVoucherRefund(day);
    }

    function _owesVouchers(uint256 day) internal view returns (bool) {
        return endedAs[day] == VOIDED && books[day].vouchers != 0 && !books[day].areVouchersRefunded;
    }

    function _isRefundable(uint256 ticket) internal view returns (bool) {
        Ticket storage sold = tickets[ticket];
        return !sold.isRefunded && endedAs[sold.day] == VOIDED && !usdt.isBlocked(_receiverOf(sold.buyer));
    }

    /// @dev A day is voided if there is none yet.
    function _refundableTicket() private returns (uint256 ticket) {
        if (refundable == 0) {
            vm.assume(_isOpen() && _oneIn(2));
            _bringSoldDay();
            _voidBy(thief);
        }
        uint256 start = _below(tickets.length);
        for (uint256 i = 0; i < tickets.length; ++i) {
            ticket = (start + i) % tickets.length;
            if (_isRefundable(ticket)) return ticket;
        }
        vm.assume(false);
    }

    /// @dev This one, and a few of the buyer's tickets of voided days, refunded or not, in any order.
    function _voidedNonces(address buyer, bytes16 sure) private returns (bytes16[] memory nonces) {
        uint256[] storage own = ticketsOf[buyer];
        nonces = new bytes16[](1 + _below(6));
        uint256 place = _below(nonces.length);
        for (uint256 i = 0; i < nonces.length; ++i) {
            Ticket storage other = tickets[own[_below(own.length)]];
            nonces[i] = i == place || endedAs[other.day] != VOIDED ? sure : other.nonce;
        }
    }

    function _unknownNonce() internal returns (bytes16[] memory nonces) {
        nonces = new bytes16[](1);
        nonces[0] = bytes16(uint128(_random()) | 1 << 100);
    }

    function _bookRefunds(address buyer, bytes16[] memory nonces) private {
        uint256[] storage own = ticketsOf[buyer];
        for (uint256 i = 0; i < nonces.length; ++i) {
            for (uint256 j = 0; j < own.length; ++j) {
                Ticket storage sold = tickets[own[j]];
                if (sold.nonce == nonces[i] && !sold.isRefunded) _bookRefund(own[j]);
            }
        }
    }

    function _refundCall(address buyer, bytes16[] memory nonces) internal pure returns (bytes memory) {
        return abi.encodeCall(ReserveVault.refund, (buyer, nonces));
    }
}
