"""The two seeds of a day: Chainlink VRF and drand."""
