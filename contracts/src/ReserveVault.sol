// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";

/// @title ReserveVault
/// @notice Holds the players' USDT from purchase to release. The only contract that players (and the promotions
///         account) approve, and only GameManager makes it spend. Net fees and charity accrue here and are pulled, so
///         a blocked receiver stops no settlement.
contract ReserveVault is RoleBound {
    using SafeERC20 for IERC20;

    /// @notice The token of all amounts.
    IERC20 public immutable usdt;
    /// @notice Collects purchases.
    address public immutable gameManager;
    /// @notice Pays winners and affiliates at release.
    address public immutable settlement;
    /// @notice Receives winnings and refunds.
    address public immutable prizeVault;
    /// @notice Receives commissions.
    address public immutable affiliateVault;
    /// @notice Receives charity money.
    address public immutable charityVault;

    /// @notice Receives net fees; set by the owner.
    address public feeReceiver;
    /// @notice Receives what relayed players pay for gas; set by the owner.
    address public gasSafe;
    /// @notice Net fees that wait to be pulled, in atoms.
    uint256 public accruedFees;
    /// @notice Charity money that waits to be pulled, in atoms.
    uint256 public accruedCharity;

    event StakeCollected(address indexed buyer, uint256 paidStake, uint256 voucherStake, uint256 gasCost);
    event PaidOut(uint256 indexed dayId, uint256 prizes, uint256 commissions);
    event Accrued(uint256 indexed dayId, uint256 netFee, uint256 charity);
    event FeesWithdrawn(address indexed receiver, uint256 amount);
    event CharityWithdrawn(address indexed charityVault, uint256 amount);
    event FeeReceiverSet(address indexed previous, address indexed current);
    event GasSafeSet(address indexed previous, address indexed current);

    error NotGameManager(address caller);
    error NotSettlement(address caller);
    /// @dev The token moved another amount than asked, for example because it takes a fee.
    error WrongAmountReceived(uint256 expected, uint256 received);
    error ReceiverIsOurs();

    modifier onlySettlement() {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        _;
    }

    /// @dev A struct, because so many addresses in a row invite a swap.
    struct Links {
        address usdt;
        address gameManager;
        address settlement;
        address prizeVault;
        address affiliateVault;
        address charityVault;
        address feeReceiver;
        address gasSafe;
    }

    constructor(Roles roles_, Links memory links) RoleBound(roles_) {
        if (
            links.usdt == address(0) || links.gameManager == address(0) || links.settlement == address(0)
                || links.prizeVault == address(0) || links.affiliateVault == address(0)
                || links.charityVault == address(0)
        ) revert ZeroAddress();
        usdt = IERC20(links.usdt);
        gameManager = links.gameManager;
        settlement = links.settlement;
        prizeVault = links.prizeVault;
        affiliateVault = links.affiliateVault;
        charityVault = links.charityVault;
        _setFeeReceiver(links.feeReceiver);
        _setGasSafe(links.gasSafe);
    }

    /// @notice Takes a purchase: `paidStake` and `gasCost` from the buyer, `voucherStake` from the promotions account.
    ///         The gas cost goes straight to the gas safe.
    function collect(address buyer, uint256 paidStake, uint256 voucherStake, uint256 gasCost) external {
        if (msg.sender != gameManager) revert NotGameManager(msg.sender);
        uint256 before = usdt.balanceOf(address(this));
        usdt.safeTransferFrom(buyer, address(this), paidStake);
        if (voucherStake > 0) usdt.safeTransferFrom(roles.promotions(), address(this), voucherStake);
        uint256 received = usdt.balanceOf(address(this)) - before;
        // Solvency rests on the recorded stake being here to the atom.
        if (received != paidStake + voucherStake) revert WrongAmountReceived(paidStake + voucherStake, received);
        if (gasCost > 0) usdt.safeTransferFrom(buyer, gasSafe, gasCost);
        emit StakeCollected(buyer, paidStake, voucherStake, gasCost);
    }

    /// @notice Moves a released (or voided) day's money to the two claim vaults.
    function payOut(uint256 dayId, uint256 prizes, uint256 commissions) external onlySettlement {
        emit PaidOut(dayId, prizes, commissions);
        if (prizes > 0) usdt.safeTransfer(prizeVault, prizes);
        if (commissions > 0) usdt.safeTransfer(affiliateVault, commissions);
    }

    /// @notice Notes a released day's net fee and charity; they stay here until pulled.
    function accrue(uint256 dayId, uint256 netFee, uint256 charity) external onlySettlement {
        accruedFees += netFee;
        accruedCharity += charity;
        emit Accrued(dayId, netFee, charity);
    }

    /// @notice Sends all accrued net fees to the fee receiver. Anyone may call.
    function withdrawFees() external returns (uint256 amount) {
        amount = accruedFees;
        accruedFees = 0;
        emit FeesWithdrawn(feeReceiver, amount);
        usdt.safeTransfer(feeReceiver, amount);
    }

    /// @notice Sends all accrued charity money to the CharityVault. Anyone may call.
    function withdrawCharity() external returns (uint256 amount) {
        amount = accruedCharity;
        accruedCharity = 0;
        emit CharityWithdrawn(charityVault, amount);
        usdt.safeTransfer(charityVault, amount);
    }

    /// @notice Replaces the receiver of net fees.
    function setFeeReceiver(address account) external onlyOwner {
        _setFeeReceiver(account);
    }

    /// @notice Replaces the receiver of gas costs.
    function setGasSafe(address account) external onlyOwner {
        _setGasSafe(account);
    }

    function _setFeeReceiver(address account) private {
        _requireOutside(account);
        emit FeeReceiverSet(feeReceiver, account);
        feeReceiver = account;
    }

    function _setGasSafe(address account) private {
        _requireOutside(account);
        emit GasSafeSet(gasSafe, account);
        gasSafe = account;
    }

    /// @dev Money sent to one of our own contracts would belong to nobody.
    function _requireOutside(address account) private view {
        if (account == address(0)) revert ZeroAddress();
        if (
            account == address(this) || account == prizeVault || account == affiliateVault || account == charityVault
                || account == gameManager || account == settlement
        ) revert ReceiverIsOurs();
    }
}
