// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BuyPermit, PoolState, Settlement} from "../../../src/lottery/Types.sol";
import {Ledger} from "./Ledger.sol";

/// @notice The entries of the second set of books: the rules of sections 2 and 7, written down once more.
abstract contract Entries is Ledger {
    function _priceOf(uint256 p) internal pure returns (uint256) {
        return [uint256(250_000), 500_000, 1_000_000, 5_000_000, 10_000_000][p];
    }

    /// @dev A stake's parts; exact, because every price is a multiple of 250000.
    function _split(uint256 stake)
        internal
        pure
        returns (uint256 fee, uint256 rollover, uint256 jackpot, uint256 pot)
    {
        fee = stake * 11 / 40;
        rollover = stake / 20;
        jackpot = (stake - fee - rollover) * 2 / 5;
        pot = stake - fee - rollover - jackpot;
    }

    function _bookSale(BuyPermit memory permit, uint256 tipCount) internal {
        uint256 paid = _priceOf(permit.poolId) * permit.paidTips;
        uint256 vouchers = _priceOf(permit.poolId) * permit.voucherTips;
        if (!isBound[permit.buyer]) {
            isBound[permit.buyer] = true;
            boundTo[permit.buyer] = permit.affiliate;
        }
        ticketsOf[permit.buyer].push(tickets.length);
        tickets.push(Ticket(permit.buyer, permit.nonce, permit.dayId, paid, false));
        Book storage book = books[permit.dayId];
        if (!book.isSold) {
            book.isSold = true;
            soldDays.push(permit.dayId);
        }
        uint256 p = permit.poolId;
        book.tickets[p] += 1;
        book.tips[p] += tipCount;
        book.stake[p] += paid + vouchers;
        book.digest[p] = _digest(book.digest[p], permit, paid + vouchers);
        sums[p].stakes += paid + vouchers;
        _tookIn(permit.buyer, paid + permit.gasCostUsdt);
        gasCosts += permit.gasCostUsdt;
        if (vouchers == 0) return;
        // The account that pays the first voucher tip of a day pays all of that day's.
        if (book.voucherPayer == address(0)) book.voucherPayer = _promotions();
        book.vouchers += vouchers;
        _tookIn(book.voucherPayer, vouchers);
    }

    function _digest(bytes32 before, BuyPermit memory permit, uint256 stake) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                before,
                tickets.length,
                permit.buyer,
                uint256(permit.paidTips),
                uint256(permit.voucherTips),
                boundTo[permit.buyer],
                stake,
                permit.tipsHash
            )
        );
    }

    /// @dev The promises are noted by the caller.
    function _bookRelease(Settlement memory s) internal {
        for (uint256 p = 0; p < 5; ++p) _bookPool(s, p);
        fees += _feeOf(s.dayId) - s.affiliateTotal - s.charityTotal;
        charity += s.charityTotal;
        released[PRIZES] += s.totalPayout;
        released[COMMISSIONS] += s.affiliateTotal;
        if (_hasTips(s.dayId)) {
            aliveAt = block.timestamp;
            if (ending.abandoned) delete ending;
        }
        _bookEndOfDay(s.dayId, RELEASED);
    }

    function _bookPool(Settlement memory s, uint256 p) private {
        Book storage book = books[s.dayId];
        (uint256 fee, uint256 rollover, uint256 jackpot, uint256 pot) = _split(book.stake[p]);
        PoolState storage pool = pools[p];
        pool.carry = pool.carry + pool.lastRollover + pot - s.poolPayout[p];
        pool.reserve = pool.reserve + jackpot - s.poolJackpotPayout[p];
        pool.lastRollover = rollover;
        if (s.poolJackpotPayout[p] != 0) pool.streak = 0;
        else if (book.tips[p] != 0) ++pool.streak;
        sums[p].tiers += s.poolPayout[p];
        sums[p].jackpots += s.poolJackpotPayout[p];
        sums[p].fees += fee;
    }

    /// @dev The stake becomes refundable; yesterday's rollover stays in the pool.
    function _bookVoid(uint256 day) internal {
        for (uint256 p = 0; p < 5; ++p) {
            pools[p].carry += pools[p].lastRollover;
            pools[p].lastRollover = 0;
            sums[p].voided += books[day].stake[p];
        }
        refundable += _stakeOf(day);
        if (hasWord[day]) {
            drawnVoidAt = block.timestamp;
            // Who lets a drawn day lapse must not gain by it.
            if (ending.receiver != address(0)) ending.receiver = HEIR;
        }
        _bookEndOfDay(day, VOIDED);
    }

    function _bookEndOfDay(uint256 day, uint8 how) private {
        require(day == next, "sequence: a day is skipped or ends twice");
        require(endedAs[day] == 0, "sequence: a day is released and voided");
        endedAs[day] = how;
        endedAt[day] = block.timestamp;
        next = day + 1;
        openingHash[next] = keccak256(abi.encode(pools));
    }

    function _bookTakeback() internal {
        if (!_isPending()) return;
        takebacks[next] += 1;
        committedAt[next] = 0;
        committedHash[next] = 0;
    }

    function _bookClaim(uint256 vault, uint256 day, Leaf memory leaf) internal {
        require(!isPaid[vault][day][leaf.account], "claims: an account is paid twice for a day");
        isPaid[vault][day][leaf.account] = true;
        promises[vault][day].claimed += leaf.amount;
        claimed[vault] += leaf.amount;
        _paidOut(_receiverOf(leaf.account), leaf.amount);
    }

    function _bookRefund(uint256 ticket) internal {
        Ticket storage sold = tickets[ticket];
        require(endedAs[sold.day] == VOIDED, "refunds: a ticket of a day that is not voided");
        require(!sold.isRefunded, "refunds: a ticket is refunded twice");
        sold.isRefunded = true;
        books[sold.day].refunded += sold.paid;
        refundable -= sold.paid;
        _paidOut(_receiverOf(sold.buyer), sold.paid);
    }

    function _bookVoucherRefund(uint256 day) internal {
        Book storage book = books[day];
        require(endedAs[day] == VOIDED, "refunds: vouchers of a day that is not voided");
        require(!book.areVouchersRefunded, "refunds: vouchers are refunded twice");
        book.areVouchersRefunded = true;
        book.refunded += book.vouchers;
        refundable -= book.vouchers;
        _paidOut(_receiverOf(book.voucherPayer), book.vouchers);
    }

    /// @dev The pools' money leaves, and nothing else.
    function _bookFinish() internal {
        _bookTakeback();
        uint256 amount;
        for (uint256 p = 0; p < 5; ++p) {
            uint256 left = pools[p].carry + pools[p].reserve + pools[p].lastRollover;
            sums[p].ended += left;
            amount += left;
            (pools[p].carry, pools[p].reserve, pools[p].lastRollover) = (0, 0, 0);
        }
        isFinished = true;
        openingHash[next] = keccak256(abi.encode(pools));
        _paidOut(_receiverOf(ending.receiver), amount);
    }

    /// @dev From when OWNER and anyone may void the next day.
    function _voidableFrom(uint256 day) internal view returns (uint256 byOwner, uint256 byAnyone) {
        uint256 close = _closeOf(day);
        if (!_hasTips(day)) return (close + 24 hours, close + 24 hours);
        uint256 last = close + 30 days;
        if (hasWord[day]) return (last, last);
        uint256 patience = requestOf[day] == 0 ? 0 : requestedAt[day] + 24 hours;
        return (_min(_max(close + 3 days, patience), last), _min(_max(close + 7 days, patience), last));
    }
}
