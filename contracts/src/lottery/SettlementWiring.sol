// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AffiliateVault} from "./AffiliateVault.sol";
import {CharityVault} from "./CharityVault.sol";
import {ClaimRouter} from "./ClaimRouter.sol";
import {ClaimVault} from "./ClaimVault.sol";
import {GameManager} from "./GameManager.sol";
import {GameTreasury} from "./GameTreasury.sol";
import {PrizeVault} from "./PrizeVault.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {ISettlement, Wiring} from "./Types.sol";
import {VRFReceiver} from "./VRFReceiver.sol";

/// @title SettlementWiring
/// @notice The addresses of a deployment, fixed at construction. Each contract is asked whether it names the same
///         partners, so that a deployment with a wrong address cannot come to be.
abstract contract SettlementWiring is RoleBound, ISettlement {
    address internal immutable _usdt;
    GameManager internal immutable _gameManager;
    GameTreasury internal immutable _gameTreasury;
    ReserveVault internal immutable _reserveVault;
    PrizeVault internal immutable _prizeVault;
    AffiliateVault internal immutable _affiliateVault;
    CharityVault internal immutable _charityVault;
    VRFReceiver internal immutable _vrfReceiver;
    ClaimRouter internal immutable _claimRouter;

    /// @dev A contract of the deployment names another partner than the one given here.
    error BadWiring();

    constructor(Wiring memory w) RoleBound(Roles(w.roles)) {
        _usdt = w.usdt;
        _gameManager = GameManager(w.gameManager);
        _gameTreasury = GameTreasury(w.gameTreasury);
        _reserveVault = ReserveVault(w.reserveVault);
        _prizeVault = PrizeVault(w.prizeVault);
        _affiliateVault = AffiliateVault(w.affiliateVault);
        _charityVault = CharityVault(w.charityVault);
        _vrfReceiver = VRFReceiver(w.vrfReceiver);
        _claimRouter = ClaimRouter(w.claimRouter);
        _checkGameWiring(w);
        _checkVaultWiring(w);
        _requireForeign(w, ReserveVault(w.reserveVault).feeReceiver());
        _requireForeign(w, ReserveVault(w.reserveVault).gasSafe());
    }

    /// @notice All addresses of this deployment.
    function contracts() external view returns (Wiring memory) {
        return Wiring({
            usdt: _usdt,
            roles: address(roles),
            gameManager: address(_gameManager),
            gameTreasury: address(_gameTreasury),
            reserveVault: address(_reserveVault),
            prizeVault: address(_prizeVault),
            affiliateVault: address(_affiliateVault),
            charityVault: address(_charityVault),
            vrfReceiver: address(_vrfReceiver),
            claimRouter: address(_claimRouter)
        });
    }

    /// @inheritdoc ISettlement
    function isOurs(address account) external view returns (bool) {
        return account == address(this) || account == _usdt || account == address(roles)
            || account == address(_gameManager) || account == address(_gameTreasury) || account == address(_reserveVault)
            || account == address(_prizeVault) || account == address(_affiliateVault)
            || account == address(_charityVault) || account == address(_vrfReceiver) || account == address(_claimRouter);
    }

    function _checkGameWiring(Wiring memory w) private view {
        GameManager game = GameManager(w.gameManager);
        ReserveVault reserve = ReserveVault(w.reserveVault);
        VRFReceiver vrf = VRFReceiver(w.vrfReceiver);
        if (
            Roles(w.roles).settlement() != address(this) || address(game.roles()) != w.roles
                || address(game.reserveVault()) != w.reserveVault || address(game.gameTreasury()) != w.gameTreasury
                || game.settlement() != address(this) || address(reserve.roles()) != w.roles
                || address(reserve.usdt()) != w.usdt || reserve.settlement() != address(this)
                || reserve.gameManager() != w.gameManager || reserve.prizeVault() != w.prizeVault
                || reserve.affiliateVault() != w.affiliateVault || reserve.charityVault() != w.charityVault
                || address(vrf.roles()) != w.roles || address(vrf.gameManager()) != w.gameManager
        ) revert BadWiring();
    }

    function _checkVaultWiring(Wiring memory w) private view {
        _checkClaimVault(ClaimVault(w.prizeVault), w);
        _checkClaimVault(ClaimVault(w.affiliateVault), w);
        CharityVault charity = CharityVault(w.charityVault);
        ClaimRouter router = ClaimRouter(w.claimRouter);
        if (
            w.prizeVault == w.affiliateVault || address(charity.roles()) != w.roles
                || address(charity.usdt()) != w.usdt || router.prizeVault() != w.prizeVault
                || router.affiliateVault() != w.affiliateVault || router.reserveVault() != w.reserveVault
        ) revert BadWiring();
    }

    function _checkClaimVault(ClaimVault vault, Wiring memory w) private view {
        if (
            address(vault.roles()) != w.roles || address(vault.reserveVault()) != w.reserveVault
                || vault.settlement() != address(this)
        ) revert BadWiring();
    }

    /// @dev `isOurs` for a constructor, which cannot read its immutables.
    function _requireForeign(Wiring memory w, address account) internal view {
        if (account == address(0)) revert ZeroAddress();
        if (
            account == address(this) || account == w.usdt || account == w.roles || account == w.gameManager
                || account == w.gameTreasury || account == w.reserveVault || account == w.prizeVault
                || account == w.affiliateVault || account == w.charityVault || account == w.vrfReceiver
                || account == w.claimRouter
        ) revert AccountIsOurs(account);
    }
}
