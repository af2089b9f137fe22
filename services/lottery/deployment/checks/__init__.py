"""The lines of `contracts check`, by what decides them."""
