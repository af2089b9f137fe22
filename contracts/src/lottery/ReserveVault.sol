// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {Timelocked} from "./Timelocked.sol";

/// @notice What ReserveVault asks of GameManager.
interface INotes {
    function takeNote(address buyer, bytes16 nonce) external returns (uint256 dayId, uint256 stake);
}

/// @title ReserveVault
/// @notice The only holder of players' USDT and the only spender. Players and the promotions account approve this
///         contract alone. What comes in must arrive to the atom. What goes out is booked first, and the balance may
///         fall by at most the amount, so a fee of the token falls on the receiver and stops nothing.
contract ReserveVault is Timelocked {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @notice Subjects of announcements.
    bytes32 public constant FEE_RECEIVER = "fee receiver";
    bytes32 public constant GAS_SAFE = "gas safe";
    bytes32 public constant VOUCHER_CAP = "voucher cap";
    bytes32 public constant SWEEP = "sweep";
    /// @dev The token's answer whether it blocks an account may cost so much; silence means no.
    uint256 private constant BLOCKED_QUERY_GAS = 30_000;

    /// @notice The token of all amounts.
    IERC20 public immutable usdt;
    /// @notice Collects purchases.
    address public immutable gameManager;
    /// @notice Books released and voided days.
    address public immutable settlement;
    /// @notice Pays winnings out of here.
    address public immutable prizeVault;
    /// @notice Pays commissions out of here.
    address public immutable affiliateVault;
    /// @notice Receives charity money and sweeps.
    address public immutable charityVault;

    /// @notice Receives net fees.
    address public feeReceiver;
    /// @notice Receives what relayed players pay for gas.
    address public gasSafe;
    /// @notice Stakes of a voided day that are not refunded yet, in atoms.
    mapping(uint256 dayId => uint256) public refundable;
    /// @notice Sum of `refundable` over all days.
    uint256 public refundableTotal;
    /// @notice Where what is paid to an account goes instead; zero if it set nothing.
    mapping(address account => address) public payeeOf;

    /// @dev One word, because a relayed ticket with vouchers needs all of it. 80 bits hold more USDT than there can be.
    struct Ledger {
        uint88 held;
        uint80 accruedGas;
        uint88 voucherCap;
    }

    /// @dev One word: a release changes both.
    struct Accrued {
        uint128 fees;
        uint128 charity;
    }

    struct Vouchers {
        address account;
        uint88 stake;
        bool refunded;
    }

    /// @dev A struct, because so many addresses in a row invite a swap.
    struct Links {
        address usdt;
        address gameManager;
        address prizeVault;
        address affiliateVault;
        address charityVault;
        address feeReceiver;
        address gasSafe;
        uint256 voucherCap;
    }

    Ledger private _ledger;
    Accrued private _accrued;
    mapping(uint256 dayId => Vouchers) private _vouchers;

    event DayAccrued(uint256 indexed dayId, uint256 netFee, uint256 charity);
    event FeesWithdrawn(address indexed receiver, uint256 amount);
    event CharityWithdrawn(address indexed charityVault, uint256 amount);
    event GasWithdrawn(address indexed receiver, uint256 amount);
    event FeeReceiverSet(address indexed previous, address indexed current);
    event GasSafeSet(address indexed previous, address indexed current);
    event VoucherCapSet(uint256 previous, uint256 current);
    event Refunded(uint256 indexed dayId, address indexed buyer, bytes16 indexed nonce, address to, uint256 amount);
    event VouchersRefunded(uint256 indexed dayId, address indexed account, address to, uint256 amount);
    event PayeeSet(address indexed account, address indexed to);
    event Swept(uint256 amount);

    error NotGameManager(address caller);
    error NotClaimVault(address caller);
    /// @dev The token moved another amount than asked, for example because it takes a fee.
    error WrongAmountReceived(uint256 expected, uint256 received);
    error TooMuchTaken(uint256 amount, uint256 taken);
    error VoucherCapExceeded(uint256 dayId, uint256 stake, uint256 cap);
    error VoucherCapTooHigh(uint256 cap, uint256 highest);
    error CapNotLower(uint256 cap, uint256 current);
    /// @dev The day is not voided: nothing of it is refundable.
    error NotRefundable(uint256 dayId);
    error NothingToRefund();
    error VouchersAlreadyRefunded(uint256 dayId);
    /// @dev The token would take the money and keep it. The account can name a payee.
    error BlockedByToken(address account);
    error NothingToPay();

    modifier onlySettlement() {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        _;
    }

    constructor(Roles roles_, Links memory links) RoleBound(roles_) {
        if (
            links.usdt == address(0) || links.gameManager == address(0) || links.prizeVault == address(0)
                || links.affiliateVault == address(0) || links.charityVault == address(0)
                || links.feeReceiver == address(0) || links.gasSafe == address(0)
        ) revert ZeroAddress();
        usdt = IERC20(links.usdt);
        gameManager = links.gameManager;
        settlement = roles_.settlement();
        prizeVault = links.prizeVault;
        affiliateVault = links.affiliateVault;
        charityVault = links.charityVault;
        // That these two are not ours is checked by SettlementV4's constructor, which is the last to stand.
        _setFeeReceiver(links.feeReceiver);
        _setGasSafe(links.gasSafe);
        _requireCap(links.voucherCap);
        _setVoucherCap(links.voucherCap);
    }

    // ------------------------------------------------------------------------------------- money in

    /// @notice Takes a purchase: stake and gas cost from the buyer in one transfer, voucher stake from the account that
    ///         pays the day's vouchers.
    function collect(address buyer, uint256 dayId, uint256 paidStake, uint256 voucherStake, uint256 gasCost) external {
        if (msg.sender != gameManager) revert NotGameManager(msg.sender);
        uint256 fromBuyer = paidStake + gasCost;
        uint256 due = fromBuyer + voucherStake;
        (uint256 held_, uint256 accruedGas_) = (_ledger.held, _ledger.accruedGas);
        (_ledger.held, _ledger.accruedGas) = ((held_ + due).toUint88(), (accruedGas_ + gasCost).toUint80());
        uint256 before = usdt.balanceOf(address(this));
        usdt.safeTransferFrom(buyer, address(this), fromBuyer);
        if (voucherStake > 0) {
            usdt.safeTransferFrom(_bookVouchers(dayId, voucherStake), address(this), voucherStake);
        }
        uint256 received = usdt.balanceOf(address(this)) - before;
        // Solvency rests on all of it being here to the atom.
        if (received != due) revert WrongAmountReceived(due, received);
    }

    /// @dev The account that pays the first voucher tip of a day pays all of that day's.
    function _bookVouchers(uint256 dayId, uint256 stake) private returns (address account) {
        Vouchers memory day = _vouchers[dayId];
        account = day.account == address(0) ? roles.promotions() : day.account;
        uint256 sum = day.stake + stake;
        uint256 cap = _ledger.voucherCap;
        if (sum > cap) revert VoucherCapExceeded(dayId, sum, cap);
        // The cap fits 88 bits.
        _vouchers[dayId] = Vouchers(account, uint88(sum), false);
    }

    // ------------------------------------------------------------------------------------- bookings of SettlementV4

    /// @notice Notes a released day's net fee and charity; they stay here until pulled.
    function accrue(uint256 dayId, uint256 netFee, uint256 charity) external onlySettlement {
        Accrued memory accrued = _accrued;
        _accrued = Accrued((accrued.fees + netFee).toUint128(), (accrued.charity + charity).toUint128());
        emit DayAccrued(dayId, netFee, charity);
    }

    /// @notice Makes the stake of a voided day refundable.
    function bookRefund(uint256 dayId, uint256 stake) external onlySettlement {
        refundable[dayId] = stake;
        refundableTotal += stake;
    }

    /// @notice Sends the pools' money to the payee of the end's receiver.
    function payEnd(address receiver, uint256 amount) external onlySettlement {
        _pay(_receiverOf(receiver), amount);
    }

    // ------------------------------------------------------------------------------------- money out

    /// @notice Pays a claim to the account's payee. Claim vaults only, which bound it by what was released.
    function payClaim(address account, uint256 amount) external returns (address to) {
        if (msg.sender != prizeVault && msg.sender != affiliateVault) revert NotClaimVault(msg.sender);
        to = _receiverOf(account);
        _pay(to, amount);
    }

    /// @notice Refunds tickets of voided days, by the nonces of their permits, to the buyer's payee. Anyone may call.
    ///         A nonce that is refunded already is skipped; if none is left, it reverts.
    function refund(address buyer, bytes16[] calldata nonces) external {
        address to = _receiverOf(buyer);
        uint256 total;
        for (uint256 i = 0; i < nonces.length; ++i) {
            (uint256 dayId, uint256 stake) = INotes(gameManager).takeNote(buyer, nonces[i]);
            if (stake == 0) continue;
            _lowerRefundable(dayId, stake);
            total += stake;
            emit Refunded(dayId, buyer, nonces[i], to, stake);
        }
        if (total == 0) revert NothingToRefund();
        _pay(to, total);
    }

    /// @notice Refunds the vouchers of a voided day to the payee of the account that paid them. Anyone may call.
    function refundVouchers(uint256 dayId) external {
        Vouchers memory day = _vouchers[dayId];
        if (day.stake == 0) revert NothingToRefund();
        if (day.refunded) revert VouchersAlreadyRefunded(dayId);
        _vouchers[dayId].refunded = true;
        _lowerRefundable(dayId, day.stake);
        address to = _receiverOf(day.account);
        emit VouchersRefunded(dayId, day.account, to, day.stake);
        _pay(to, day.stake);
    }

    /// @notice Sends all accrued net fees to the fee receiver's payee. Anyone may call.
    function withdrawFees() external returns (uint256 amount) {
        amount = _accrued.fees;
        _accrued.fees = 0;
        address to = _receiverOf(feeReceiver);
        emit FeesWithdrawn(to, amount);
        _pay(to, amount);
    }

    /// @notice Sends all accrued charity money to the CharityVault. Anyone may call.
    function withdrawCharity() external returns (uint256 amount) {
        amount = _accrued.charity;
        _accrued.charity = 0;
        emit CharityWithdrawn(charityVault, amount);
        _pay(charityVault, amount);
    }

    /// @notice Sends all accrued gas costs to the gas safe's payee. Anyone may call.
    function withdrawGas() external returns (uint256 amount) {
        amount = _ledger.accruedGas;
        _ledger.accruedGas = 0;
        address to = _receiverOf(gasSafe);
        emit GasWithdrawn(to, amount);
        _pay(to, amount);
    }

    /// @notice Sends what is here beyond all debts to the CharityVault, at most the announced amount.
    function sweep() external {
        _execute(SWEEP);
    }

    /// @notice Sends what is paid to the caller (claims, refunds, pulls, an end) to another account from now on; zero takes
    ///         it back.
    function setPayee(address to) external {
        if (to != address(0)) _requireOutside(to);
        payeeOf[msg.sender] = to;
        emit PayeeSet(msg.sender, to);
    }

    // ------------------------------------------------------------------------------------- announcements of OWNER

    /// @notice Announces another receiver of net fees.
    function announceFeeReceiver(address account) external onlyOwner {
        _requireOutside(account);
        _announce(FEE_RECEIVER, abi.encode(account));
    }

    /// @notice Announces another receiver of gas costs.
    function announceGasSafe(address account) external onlyOwner {
        _requireOutside(account);
        _announce(GAS_SAFE, abi.encode(account));
    }

    /// @notice Announces another cap of a day's voucher stake, in atoms.
    function announceVoucherCap(uint256 cap) external onlyOwner {
        _requireCap(cap);
        _announce(VOUCHER_CAP, abi.encode(cap));
    }

    /// @notice Lowers the cap at once.
    function lowerVoucherCap(uint256 cap) external onlyOwner {
        if (cap >= _ledger.voucherCap) revert CapNotLower(cap, _ledger.voucherCap);
        _setVoucherCap(cap);
    }

    /// @notice Announces a sweep of at most `amount` atoms.
    function announceSweep(uint256 amount) external onlyOwner {
        if (amount == 0) revert NothingToPay();
        _announce(SWEEP, abi.encode(amount));
    }

    /// @inheritdoc Timelocked
    function _apply(bytes32 subject, bytes memory data) internal override {
        if (subject == SWEEP) _sweep(abi.decode(data, (uint256)));
        else if (subject == VOUCHER_CAP) _setVoucherCap(abi.decode(data, (uint256)));
        else if (subject == GAS_SAFE) _setGasSafe(abi.decode(data, (address)));
        else _setFeeReceiver(abi.decode(data, (address)));
    }

    // ------------------------------------------------------------------------------------- reading

    /// @notice Sum of all that is owed, in atoms; the balance is never below it.
    function held() external view returns (uint256) {
        return _ledger.held;
    }

    /// @notice Net fees that wait to be pulled, in atoms.
    function accruedFees() external view returns (uint256) {
        return _accrued.fees;
    }

    /// @notice Charity money that waits to be pulled, in atoms.
    function accruedCharity() external view returns (uint256) {
        return _accrued.charity;
    }

    /// @notice Most voucher stake of one day, in atoms.
    function voucherCap() external view returns (uint256) {
        return _ledger.voucherCap;
    }

    /// @notice Gas costs that wait to be pulled, in atoms.
    function accruedGas() external view returns (uint256) {
        return _ledger.accruedGas;
    }

    /// @notice Who pays a day's vouchers, their stake in atoms, and whether it was refunded.
    function vouchersOf(uint256 dayId) external view returns (address account, uint256 stake, bool refunded) {
        Vouchers memory day = _vouchers[dayId];
        return (day.account, day.stake, day.refunded);
    }

    // ------------------------------------------------------------------------------------- private

    function _receiverOf(address account) private view returns (address to) {
        to = payeeOf[account];
        if (to == address(0)) to = account;
    }

    /// @dev A day that is not voided has nothing refundable, and no day can give back more than its stake.
    function _lowerRefundable(uint256 dayId, uint256 stake) private {
        uint256 left = refundable[dayId];
        if (left < stake) revert NotRefundable(dayId);
        refundable[dayId] = left - stake;
        refundableTotal -= stake;
    }

    function _pay(address to, uint256 amount) private {
        if (amount == 0) revert NothingToPay();
        if (_isBlocked(to)) revert BlockedByToken(to);
        _ledger.held -= amount.toUint88();
        _send(to, amount);
    }

    function _sweep(uint256 most) private {
        uint256 spare = usdt.balanceOf(address(this)) - _ledger.held;
        uint256 amount = spare < most ? spare : most;
        if (amount == 0) revert NothingToPay();
        emit Swept(amount);
        _send(charityVault, amount);
    }

    function _send(address to, uint256 amount) private {
        uint256 before = usdt.balanceOf(address(this));
        usdt.safeTransfer(to, amount);
        uint256 left = usdt.balanceOf(address(this));
        if (left + amount < before) revert TooMuchTaken(amount, before - left);
    }

    /// @dev Who starves this query of gas leaves too little for the transfer after it.
    function _isBlocked(address account) private view returns (bool) {
        (bool ok, bytes memory answer) = address(usdt).staticcall{gas: BLOCKED_QUERY_GAS}(
            abi.encodeWithSignature("isBlocked(address)", account)
        );
        return ok && answer.length >= 32 && abi.decode(answer, (uint256)) != 0;
    }

    function _requireCap(uint256 cap) private pure {
        if (cap > type(uint88).max) revert VoucherCapTooHigh(cap, type(uint88).max);
    }

    function _setVoucherCap(uint256 cap) private {
        emit VoucherCapSet(_ledger.voucherCap, cap);
        _ledger.voucherCap = cap.toUint88();
    }

    function _setFeeReceiver(address account) private {
        emit FeeReceiverSet(feeReceiver, account);
        feeReceiver = account;
    }

    function _setGasSafe(address account) private {
        emit GasSafeSet(gasSafe, account);
        gasSafe = account;
    }
}
