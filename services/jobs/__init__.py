"""Jobs: what one is, when it runs, how a run is reported, how it is stopped."""
