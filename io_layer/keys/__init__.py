"""Key files and the signers made from them."""
