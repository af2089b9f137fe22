"""Numbers for players and dashboards; never a source of money."""
