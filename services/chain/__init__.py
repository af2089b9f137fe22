"""What every product watches of the chain: blocks taken back, clocks."""
