"""The steps of a settlement, in order: export, affiliates, compute, approve, commit."""
