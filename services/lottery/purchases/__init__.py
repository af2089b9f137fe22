"""Purchases: found on the chain, tied to their intents, made tickets."""
