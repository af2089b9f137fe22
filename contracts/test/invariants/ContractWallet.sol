// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A player without a key of his own (EIP-1271): what his keeper signed is his signature.
contract ContractWallet {
    address public immutable keeper;

    constructor(address keeper_) {
        keeper = keeper_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        return signer == keeper ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}
