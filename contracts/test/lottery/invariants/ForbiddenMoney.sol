// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {GameManager} from "../../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {ForbiddenSales} from "./ForbiddenSales.sol";

/// @notice Claims and refunds that must not be paid: twice, of others, of another amount or day, to a blocked account.
abstract contract ForbiddenMoney is ForbiddenSales {
    function _claimWrongly() internal {
        ClaimVault vault = _vault(_below(2));
        uint256 until = vault.pausedUntil();
        if (until != 0 && block.timestamp < until + 7 days) {
            bytes memory again = abi.encodeCall(ClaimVault.pauseClaims, ());
            bytes4 early = ClaimVault.PauseNotAllowedYet.selector;
            _refused(_guardian(), address(vault), again, early, "pauses: of claims, one after the other");
        }
        Place memory place = _placeOrNone();
        bytes memory soon = abi.encodeCall(ClaimVault.claim, (next, thief, 1, new bytes32[](0)));
        _refused(thief, address(prizes), soon, 0, "claims: a day is paid before its release");
        if (place.index >= promises[place.vault][place.day].leaves.length) return;
        _claimRefusedLeaf(place);
        _claimForged(place);
    }

    /// @dev A right proof, at a wrong time.
    function _claimRefusedLeaf(Place memory place) private {
        if (_isClaimable(place)) return;
        Promise storage promised = promises[place.vault][place.day];
        Leaf memory leaf = _leafAt(place);
        bytes4 reason = ReserveVault.BlockedByToken.selector;
        if (promised.claimed + leaf.amount > promised.total) reason = ClaimVault.ClaimsExceedTotal.selector;
        if (isPaid[place.vault][place.day][leaf.account]) reason = ClaimVault.AlreadyClaimed.selector;
        if (block.timestamp < claimsPausedUntil[place.vault]) reason = ClaimVault.ClaimsArePaused.selector;
        bytes memory data = _claimCall(place);
        _refused(thief, address(_vault(place.vault)), data, reason, "claims: twice, in a pause, above the total, blocked");
    }

    function _claimForged(Place memory place) private {
        address target = address(_vault(place.vault));
        Leaf memory leaf = _leafAt(place);
        bytes32[] memory proof = _proof(place);
        bytes memory other = abi.encodeCall(ClaimVault.claim, (place.day, leaf.account, leaf.amount + 7, proof));
        _refused(leaf.account, target, other, 0, "claims: another amount");
        other = abi.encodeCall(ClaimVault.claim, (place.day, address(0xFACE), leaf.amount, proof));
        _refused(thief, target, other, 0, "claims: another account");
        other = abi.encodeCall(ClaimVault.claim, (place.day + 1, leaf.account, leaf.amount, proof));
        _refused(thief, target, other, 0, "claims: another day");
        _refused(thief, address(_vault(1 - place.vault)), _claimCall(place), 0, "claims: in another vault");
    }

    function _refundWrongly() internal {
        address target = address(reserve);
        address buyer = players[_below(5)];
        bytes4 unknown = GameManager.UnknownNonce.selector;
        _refused(thief, target, _refundCall(buyer, _unknownNonce()), unknown, "refunds: an unknown nonce");
        bytes4 nothing = ReserveVault.NothingToRefund.selector;
        _refused(thief, target, _refundCall(buyer, new bytes16[](0)), nothing, "refunds: no nonce");
        if (tickets.length != 0) _refundTicketWrongly(_below(tickets.length));
        if (soldDays.length != 0) _refundVouchersWrongly(soldDays[_below(soldDays.length)]);
    }

    function _refundTicketWrongly(uint256 ticket) private {
        Ticket storage sold = tickets[ticket];
        bytes16[] memory nonces = new bytes16[](1);
        nonces[0] = sold.nonce;
        bytes4 unknown = GameManager.UnknownNonce.selector;
        _refused(thief, address(reserve), _refundCall(thief, nonces), unknown, "refunds: another's nonce");
        if (_isRefundable(ticket)) return;
        bytes4 reason = ReserveVault.BlockedByToken.selector;
        if (endedAs[sold.day] != VOIDED) reason = ReserveVault.NotRefundable.selector;
        if (sold.isRefunded) reason = ReserveVault.NothingToRefund.selector;
        bytes memory data = _refundCall(sold.buyer, nonces);
        _refused(thief, address(reserve), data, reason, "refunds: twice, of a day not voided, to a blocked account");
    }

    function _refundVouchersWrongly(uint256 day) private {
        Book storage book = books[day];
        bytes4 reason = ReserveVault.BlockedByToken.selector;
        if (_owesVouchers(day) && !usdt.isBlocked(_receiverOf(book.voucherPayer))) return;
        if (endedAs[day] != VOIDED) reason = ReserveVault.NotRefundable.selector;
        if (book.areVouchersRefunded) reason = ReserveVault.VouchersAlreadyRefunded.selector;
        if (book.vouchers == 0) reason = ReserveVault.NothingToRefund.selector;
        bytes memory data = abi.encodeCall(ReserveVault.refundVouchers, (day));
        _refused(thief, address(reserve), data, reason, "refunds: vouchers twice, of a day not voided, blocked");
    }

    /// @dev A token that took more than is sent would eat what is owed to others.
    function _payUnderASurcharge() internal {
        if (fees == 0 || usdt.isBlocked(_receiverOf(feeReceiver))) return;
        usdt.setSurcharge(1 + _below(fees));
        bytes memory data = abi.encodeCall(ReserveVault.withdrawFees, ());
        bytes4 reason = ReserveVault.TooMuchTaken.selector;
        // The surcharge needs an atom more than the amount; with nothing else in the vault the token itself refuses.
        if (due[address(reserve)] < 2 * fees) reason = 0;
        _refused(thief, address(reserve), data, reason, "pulls: the token takes more than was sent");
        usdt.setSurcharge(0);
    }
}
