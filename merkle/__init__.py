"""OpenZeppelin's StandardMerkleTree in Python: leaves, trees, proofs and `standard-v1` dumps."""
