// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// The numbers of the game that a deployment fixes for ever. GameTreasury shows all of them in one call, with one hash.

/// @dev Price of one tip in atoms, pools 0 to 4. Multiples of 250000, for which every floor of the split is exact.
uint256 constant PRICE_0 = 250_000;
uint256 constant PRICE_1 = 500_000;
uint256 constant PRICE_2 = 1_000_000;
uint256 constant PRICE_3 = 5_000_000;
uint256 constant PRICE_4 = 10_000_000;

/// @dev Numbers on one tip.
uint256 constant NUMBERS_PER_TIP = 6;
/// @dev Most paid tips on one ticket.
uint256 constant MAX_PAID_TIPS = 144;
/// @dev Most tips on one ticket, bonus and voucher tips included.
uint256 constant MAX_TIPS = 255;

/// @dev Share of the stake that is the operator's fee (affiliates and charity are paid out of it).
uint256 constant FEE_BPS = 2_750;
/// @dev Share of the stake that enters the budget of the day after.
uint256 constant ROLLOVER_BPS = 500;
/// @dev Share of what remains that enters the pool's jackpot reserve; the rest is today's pot.
uint256 constant JACKPOT_BPS = 4_000;

/// @dev Matches of each prize tier and its share of the budget.
uint256 constant TIER_MATCHES_0 = 4;
uint256 constant TIER_MATCHES_1 = 5;
uint256 constant TIER_MATCHES_2 = 6;
uint256 constant TIER_SHARE_BPS_0 = 4_000;
uint256 constant TIER_SHARE_BPS_1 = 2_500;
uint256 constant TIER_SHARE_BPS_2 = 3_500;

/// @dev At most this part of a pool's reserve leaves as a jackpot on one day.
uint256 constant JACKPOT_PAYOUT_BPS = 9_000;

/// @dev Commission while no other rate is set, and the highest one.
uint256 constant AFFILIATE_DEFAULT_BPS = 500;
uint256 constant AFFILIATE_MAX_BPS = 1_000;

/// @dev Seconds from the later of close and VRF request to the drand round of the day, and to its earliest commit.
uint256 constant DRAW_DELAY = 3_600;
