"""The command line: parses, calls one service, prints. Heavy imports happen inside the commands that need them."""
