"""The errors that `make mutants ARGS=contracts` plants in the Solidity, one at a time.

Each is a mistake that a programmer could have made in a rule about money, order or power. ``old`` stands exactly once
in its file, so that a change of the sources which moves a rule is noticed here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """One error: in ``file`` of contracts/src/lottery, ``old`` becomes ``new``; ``tests`` are the files asked first."""

    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]


def _planted(file: str, tests: str, *errors: tuple[str, str, str]) -> tuple[Planted, ...]:
    return tuple(Planted(f"{file}.sol", old, new, breaks, tuple(tests.split())) for old, new, breaks in errors)


ROLES = _planted(
    "Roles",
    "Roles",
    (
        "if (msg.sender != account) revert NotNamed(office, msg.sender);",
        "if (account == address(0)) revert NotNamed(office, msg.sender);",
        "the named account takes office by its own call",
    ),
    (
        "if (block.timestamp < notBefore) revert TooEarly(notBefore);",
        "if (block.timestamp + 1 < notBefore) revert TooEarly(notBefore);",
        "48 hours, to the second",
    ),
    (
        "if (block.timestamp > notAfter) revert TooLate(notAfter);",
        "if (block.timestamp >= notAfter) revert TooLate(notAfter);",
        "14 days, to the second",
    ),
    (
        "if (office == Office.Guardian) revert OwnSuccessor();",
        "",
        "GUARDIAN does not cancel the naming of its own successor",
    ),
    (
        "_setHolder(office, account);\n        if (office == Office.Settler) _takeBackCommit();",
        "_setHolder(office, account);",
        "succeeding SETTLER takes its commit back",
    ),
    (
        "emit HolderSet(office, account, address(0));\n        if (office == Office.Settler) _takeBackCommit();",
        "emit HolderSet(office, account, address(0));",
        "removing SETTLER takes its commit back",
    ),
    (
        "emit Suspended(office, account);\n        if (office == Office.Settler) _takeBackCommit();",
        "emit Suspended(office, account);",
        "suspending SETTLER takes its commit back",
    ),
    (
        "Holder(account, isSuspended[account])",
        "Holder(account, false)",
        "a suspension sticks to the address",
    ),
    (
        "if (office != Office.Settler && office != Office.Relayer) revert NotAKey(office);",
        "if (office == Office.Owner) revert NotAKey(office);",
        "only SETTLER and RELAYER are suspended or removed",
    ),
    (
        "_requireFree(account);\n        emit HolderSet(",
        "if (account == address(0)) revert ZeroAddress();\n        emit HolderSet(",
        "that the account holds no office is checked again at acceptance",
    ),
)

TIMELOCKED = _planted(
    "Timelocked",
    "Announcements",
    (
        "if (block.timestamp < notBefore) revert TooEarly(notBefore);",
        "if (block.timestamp + 1 < notBefore) revert TooEarly(notBefore);",
        "48 hours, to the second",
    ),
    (
        "if (block.timestamp > notAfter) revert TooLate(notAfter);",
        "if (block.timestamp > notAfter + 1) revert TooLate(notAfter);",
        "14 days, to the second",
    ),
    (
        "delete _announcements[subject];\n        emit Executed(subject, data);",
        "emit Executed(subject, data);",
        "an announcement is carried out once",
    ),
    (
        "function cancel(bytes32 subject) external onlyGuardianOrOwner {",
        "function cancel(bytes32 subject) external onlyOwner {",
        "GUARDIAN cancels announcements",
    ),
)

ROLE_BOUND = _planted(
    "RoleBound",
    "Announcements Claims",
    (
        "if (ISettlement(roles.settlement()).isOurs(account)) revert AccountIsOurs(account);",
        "",
        "no receiver, payee or charity is ours",
    ),
)

GAME_MANAGER = (
    *_planted(
        "GameManager",
        "Selling",
        (
            "if (today > sales_.nextDay + MAX_LAG_DAYS)",
            "if (today >= sales_.nextDay + MAX_LAG_DAYS)",
            "sales stop more than five days behind",
        ),
        ("if (today > sales_.lastDay)", "if (today > sales_.lastDay + 1)", "nothing is sold after the last day"),
        ("if (block.timestamp > permit.deadline)", "if (block.timestamp >= permit.deadline)", "the deadline's second"),
        (
            "if (note.stake != 0) revert NonceUsed(permit.buyer, permit.nonce);",
            "",
            "a nonce is spent for ever",
        ),
        ("uint128(paid));", "uint128(paid + vouchers));", "only what the player paid is refunded to him"),
        (
            "if (proposed == player) revert SelfReferral();",
            "",
            "nobody is his own affiliate",
        ),
        (
            "if (msg.sender != settlement) revert NotSettlement(msg.sender);",
            "",
            "only SettlementV4 moves the window of sales",
        ),
        (
            "if (msg.sender != address(reserveVault)) revert NotReserveVault(msg.sender);",
            "",
            "only ReserveVault spends notes",
        ),
    ),
    *_planted(
        "GameManager",
        "Buying",
        (
            "if (failure == ECDSA.RecoverError.NoError && signer == buyer) return true;",
            "if (buyer.code.length == 0) return failure == ECDSA.RecoverError.NoError && signer == buyer;",
            "an account with EIP-7702 code still signs by its key",
        ),
        ("buyer.staticcall{gas: WALLET_CHECK_GAS}(", "buyer.staticcall(", "a wallet's check has 200000 gas"),
        ("MAX_GAS_COST_USDT = 5_000_000;", "MAX_GAS_COST_USDT = 5_000_001;", "a gas cost of at most 5 USDT"),
        ("if (five == 0 || ", "if (", "a tip has six numbers and not fewer"),
        ("mask >> range != 0", "mask >> (range + 1) != 0", "all numbers of a tip are within the range"),
        (
            "sale.affiliate,\n                sale.stake,\n                permit.tipsHash",
            "permit.affiliate,\n                sale.stake,\n                permit.tipsHash",
            "the digest carries the bound affiliate",
        ),
        ("if (tipCount > MAX_TIPS) revert TooManyTips(tipCount);", "", "a ticket has at most 255 tips"),
        (
            "if (permit.gasCostUsdt != 0 || permit.voucherTips != 0)",
            "if (permit.gasCostUsdt != 0)",
            "no direct vouchers",
        ),
    ),
    *_planted(
        "GameManager",
        "Schedules",
        (
            "if (rateBps > affiliateRateOf(affiliate, day))",
            "if (rateBps > affiliateRateOf(affiliate, today))",
            "a rate that raises any day before waits three days",
        ),
        (
            "if (rates[i - 1].fromDay <= dayId) return",
            "if (rates[i - 1].fromDay < dayId) return",
            "a rate holds from its day on",
        ),
        ("if (earliest < firstDay) earliest = firstDay;", "", "no ruleset begins before the first day"),
        (
            "if (waiting.hash != bytes32(0) && waiting.fromDay <= today) {",
            "if (waiting.hash != bytes32(0) && waiting.fromDay < today) {",
            "a day keeps the ruleset that ruled it",
        ),
        (
            "waiting.fromDay <= block.timestamp / 1 days) revert NoRulesetWaiting();",
            "waiting.fromDay < block.timestamp / 1 days) revert NoRulesetWaiting();",
            "a ruleset is cancelled until its day begins",
        ),
    ),
)

RESERVE_VAULT = (
    *_planted(
        "ReserveVault",
        "Reserve",
        (
            "if (received != due) revert WrongAmountReceived(due, received);",
            "if (received > due) revert WrongAmountReceived(due, received);",
            "what comes in arrives to the atom",
        ),
        ("_ledger.held -= amount.toUint88();", "", "what goes out is no debt any more"),
        ("if (_isBlocked(to)) revert BlockedByToken(to);", "", "a blocked account is refused, not paid"),
        (
            "if (left + amount < before) revert TooMuchTaken(amount, before - left);",
            "",
            "our balance falls by at most the amount",
        ),
        (
            "uint256 amount = spare < most ? spare : most;",
            "uint256 amount = spare;",
            "a sweep of at most the announced",
        ),
        (
            "usdt.balanceOf(address(this)) - _ledger.held;",
            "usdt.balanceOf(address(this));",
            "a sweep takes only what is beyond all debts",
        ),
        ("return ok && answer.length >= 32 && ", "return ok && ", "a token's short answer means no"),
        ("staticcall{gas: BLOCKED_QUERY_GAS}(", "staticcall(", "the token's answer costs at most 30000 gas"),
        ("(accruedGas_ + gasCost).toUint80()", "(accruedGas_).toUint80()", "gas costs accrue"),
        (
            "address to = _receiverOf(gasSafe);",
            "address to = gasSafe;",
            "a blocked gas safe redirects what it is owed",
        ),
    ),
    *_planted(
        "ReserveVault",
        "Selling",
        (
            "account = day.account == address(0) ? roles.promotions() : day.account;",
            "account = roles.promotions();",
            "the account of a day's first voucher pays all of that day's",
        ),
        ("if (sum > cap) revert", "if (stake > cap) revert", "vouchers count against the cap of the day"),
    ),
    *_planted(
        "ReserveVault",
        "Void Claims",
        ("refundableTotal -= stake;", "", "what is refunded is not refundable any more"),
        (
            "if (day.refunded) revert VouchersAlreadyRefunded(dayId);",
            "",
            "a day's vouchers go back once",
        ),
        ("if (total == 0) revert NothingToRefund();", "", "a refund of nothing reverts"),
        (
            "if (msg.sender != prizeVault && msg.sender != affiliateVault) revert NotClaimVault(msg.sender);",
            "",
            "only the claim vaults ask for payments",
        ),
        ("if (to == address(0)) to = account;", "to = account;", "claims and refunds go to the payee"),
    ),
)

NOTES = _planted(
    "GameManager",
    "Void",
    ("_notes[buyer][nonce].refunded = true;", "", "a ticket is refunded once"),
)

CLAIM_VAULT = _planted(
    "ClaimVault",
    "Claims",
    ("if (claimed[dayId][account]) revert AlreadyClaimed(dayId, account);", "", "a payout is claimed once"),
    (
        "if (claimedOfDay > totalOf[dayId]) revert ClaimsExceedTotal(dayId);",
        "",
        "a day's claims never exceed its total",
    ),
    (
        "keccak256(bytes.concat(keccak256(abi.encode(leafDomain, dayId, account, amount))))",
        "keccak256(abi.encode(leafDomain, dayId, account, amount))",
        "a leaf is hashed twice",
    ),
    (
        'abi.encode(bytes32("BO-ENGINE/LEAF/1"), block.chainid, address(this))',
        'abi.encode(bytes32("BO-ENGINE/LEAF/1"), block.chainid)',
        "a proof fits no other vault",
    ),
    ("block.timestamp < last + PAUSE_SECONDS", "block.timestamp < last", "seven days between two pauses"),
)

SETTLEMENT = (
    *_planted(
        "SettlementV4",
        "Settling",
        (
            "_max((dayId + 1) * 1 days, requestedAt) + DRAW_DELAY",
            "(dayId + 1) * 1 days + DRAW_DELAY",
            "no commit within an hour of the VRF request",
        ),
        ("if (tips != 0 && !hasWord) revert SeedMissing(s.dayId);", "", "a day with tips needs its word"),
        ("if (block.timestamp < until)", "if (block.timestamp + 1 < until)", "the challenge period, to the second"),
        (
            "function veto(uint256 dayId, string calldata reason) external onlyGuardianOrOwner {",
            "function veto(uint256 dayId, string calldata reason) external onlyGuardian {",
            "OWNER vetoes too",
        ),
        (
            "state[p].carry = state[p].carry + state[p].lastRollover + split[p].pot - s.poolPayout[p];",
            "state[p].carry += state[p].lastRollover + split[p].pot - s.poolPayout[p];",
            "a payout that the carry covers is released",
        ),
        (
            "else if (sold[p].tipCount > 0) state[p].streak += 1;",
            "else state[p].streak += 1;",
            "a day without tips leaves the streak",
        ),
        ("* JACKPOT_PAYOUT_BPS / BPS_ONE;", "* 1;", "at most nine tenths of a reserve leave"),
        (
            "s.charityTotal > fee - s.affiliateTotal) {",
            "s.charityTotal > fee) {",
            "affiliates and charity are paid out of the fee",
        ),
        (
            "if (tipCount == 0 && (payout > 0 || jackpot > 0)) revert PayoutWithoutTips(p);",
            "",
            "a pool without tips pays nothing",
        ),
        ("record.takebacks += 1;", "", "each takeback is a round of its own"),
    ),
    *_planted(
        "SettlementV4",
        "Void",
        ("state[p].carry += state[p].lastRollover;", "", "a void leaves yesterday's rollover in the pool"),
        ("if (stake > 0) _reserveVault.bookRefund(dayId, stake);", "", "the stake of a voided day is refundable"),
        ("if (hasWord) return (last, last);", "", "a drawn day is voided after thirty days"),
        ("requestedAt + VRF_PATIENCE;", "requestedAt;", "no void while a request is younger than a day"),
        ("msg.sender == roles.owner() ? byOwner : byAnyone", "byOwner", "only OWNER voids before the seventh day"),
    ),
    *_planted(
        "SettlementV4",
        "End",
        (
            "if (_end.receiver != address(0) && _end.receiver != heir) _setEnd(_end.lastDay, heir, false);",
            "",
            "the void of a drawn day turns an end to the heir",
        ),
        (
            "block.timestamp < drawnVoidAt + SILENCE",
            "block.timestamp + 1 < drawnVoidAt + SILENCE",
            "for 180 days after it no end names another",
        ),
        (
            "if (tips > 0) {\n            aliveAt = block.timestamp;",
            "aliveAt = block.timestamp;\n        if (tips > 0) {",
            "an empty day is no sign of life",
        ),
        (
            "if (msg.sender != roles.owner()) revert NotOwner(msg.sender);",
            "",
            "only OWNER cancels an abandoned end",
        ),
        ("if (nextDay <= last.lastDay) revert", "if (nextDay < last.lastDay) revert", "no finish with a day open"),
        ("_requireReceiver(last.receiver);", "", "the receiver is asked again at the finish"),
        ("_takeBack();\n        finished = true;", "finished = true;", "the finish takes a later day's commit back"),
        (
            "(state[p].carry, state[p].reserve, state[p].lastRollover) = (0, 0, 0);",
            "",
            "what was paid at the end is in no pool any more",
        ),
        ("amount += state[p].carry + state[p].reserve + ", "amount += state[p].carry + ", "the reserves leave, too"),
        ("if (lastDay < earliest) revert", "if (lastDay + 1 < earliest) revert", "an end is 30 days ahead"),
    ),
    *_planted(
        "SettlementV4",
        "Deploying",
        ("_requireForeign(w, heir_);", "", "the heir is not ours"),
    ),
    *_planted(
        "SettlementWiring",
        "Deploying",
        (
            "address(vrf.roles()) != w.roles || ",
            "",
            "all parts of a deployment name the same roles",
        ),
    ),
)

VRF = _planted(
    "VRFReceiver",
    "Vrf",
    ("if (!exists) revert UnknownKeyHash(cfg.keyHash);", "", "no request with a key that is not served"),
    (
        "uint256 needed = words * cfg.linkPerRequest;",
        "uint256 needed = cfg.linkPerRequest;",
        "funds for each open word",
    ),
    ("if (request.fulfilled) return;", "", "the first word counts"),
    ("if (request.requestedAt != 0) revert AlreadyRequested(dayId);", "", "a day is asked for once"),
    ("day <= nextDay + MAX_LAG_DAYS", "day < nextDay + MAX_LAG_DAYS", "the sixth open day needs funds, too"),
    ("revert GameGoesOn();", "{}", "the subscription stays while the game goes on"),
    (
        "_requireServed(cfg, ISettlement(roles.settlement()).nextDay());",
        "",
        "a configuration comes into force only if it is served",
    ),
)

OTHERS = (
    *_planted(
        "DrawLib",
        "Draw",
        ("uint256 j = i + (word % n);", "uint256 j = i + (word % (n - 1));", "every number is drawn equally often"),
        ("                dayId,\n                poolId,", "                poolId,", "each day has seeds of its own"),
    ),
    *_planted(
        "GameTreasury",
        "Treasury",
        (
            "part.jackpot = rest * JACKPOT_BPS",
            "part.jackpot = stake * JACKPOT_BPS",
            "the jackpot is a share of the rest",
        ),
    ),
    *_planted(
        "CharityVault",
        "Announcements",
        (
            "if (!isCharity[charity]) revert NotRegistered(charity);\n        paidTo",
            "paidTo",
            "only a registered charity is paid",
        ),
    ),
    *_planted(
        "ClaimRouter",
        "Claims",
        (
            "emit RefundSkipped(i, refunds[i].buyer, reason);",
            "",
            "a refund that fails is reported",
        ),
    ),
)

PLANTED = (
    *(*ROLES, *TIMELOCKED, *ROLE_BOUND, *GAME_MANAGER, *NOTES, *RESERVE_VAULT),
    *(*CLAIM_VAULT, *SETTLEMENT, *VRF, *OTHERS),
)
