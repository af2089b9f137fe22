// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRF} from "@chainlink/contracts/src/v0.8/vrf/VRF.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Vm} from "../shared/Vm.sol";

/// @notice What Chainlink's node does: proves a VRF output (vrf.GenerateProof in Chainlink's Go code).
contract Prover is VRF {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;

    uint256 private immutable _secret;

    constructor(uint256 secret) {
        _secret = secret;
    }

    function publicKey() public returns (uint256[2] memory key) {
        Vm.Wallet memory wallet = vm.createWallet(_secret);
        (key[0], key[1]) = (wallet.publicKeyX, wallet.publicKeyY);
    }

    /// @param preSeed What the coordinator's event calls so; goes into the proof as it is.
    /// @param blockHash Of the request's block.
    function prove(uint256 preSeed, bytes32 blockHash) external returns (Proof memory proof) {
        uint256 nonce = uint256(keccak256(abi.encode(_secret, preSeed)));
        uint256[2] memory hash =
            _hashToCurve(publicKey(), uint256(keccak256(abi.encodePacked(preSeed, blockHash))));
        proof.pk = publicKey();
        proof.seed = preSeed;
        proof.gamma = _multiply(hash, _secret);
        proof.uWitness = vm.addr(nonce % N);
        proof.c = _scalarFromCurvePoints(hash, proof.pk, proof.gamma, proof.uWitness, _multiply(hash, nonce % N));
        // nonce - c * secret
        proof.s = addmod(nonce, N - mulmod(proof.c, _secret, N), N);
        proof.cGammaWitness = _multiply(proof.gamma, proof.c % N);
        proof.sHashWitness = _multiply(hash, proof.s);
        (,, uint256 z) = _projectiveECAdd(
            proof.cGammaWitness[0], proof.cGammaWitness[1], proof.sHashWitness[0], proof.sHashWitness[1]
        );
        proof.zInv = _bigModExp(z, P - 2);
    }

    function _multiply(uint256[2] memory point, uint256 scalar) private view returns (uint256[2] memory product) {
        bool started;
        for (uint256 i = 256; i > 0; --i) {
            if (started) product = _double(product);
            if (scalar >> (i - 1) & 1 == 0) continue;
            product = started ? _add(product, point) : point;
            started = true;
        }
    }

    function _double(uint256[2] memory a) private view returns (uint256[2] memory) {
        uint256 square = mulmod(a[0], a[0], P);
        uint256 slope = mulmod(mulmod(3, square, P), _bigModExp(addmod(a[1], a[1], P), P - 2), P);
        uint256 x = addmod(mulmod(slope, slope, P), P - addmod(a[0], a[0], P), P);
        return [x, addmod(mulmod(slope, addmod(a[0], P - x, P), P), P - a[1], P)];
    }

    /// @dev Of two different points.
    function _add(uint256[2] memory a, uint256[2] memory b) private view returns (uint256[2] memory) {
        (,, uint256 z) = _projectiveECAdd(a[0], a[1], b[0], b[1]);
        return _affineECAdd(a, b, _bigModExp(z, P - 2));
    }
}

/// @notice LINK, as far as a subscription needs it, and its price in wei.
contract TestLink is ERC20 {
    constructor() ERC20("ChainLink Token", "LINK") {
        _mint(msg.sender, 1e27);
    }

    function transferAndCall(address to, uint256 amount, bytes calldata data) external returns (bool) {
        transfer(to, amount);
        IERC677(to).onTokenTransfer(msg.sender, amount, data);
        return true;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, 4e15, block.timestamp, block.timestamp, 1);
    }
}

interface IERC677 {
    function onTokenTransfer(address sender, uint256 amount, bytes calldata data) external;
}
