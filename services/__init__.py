"""One verb per module. Here transactions open; the chain is asked before, files are written after."""
