"""Two JSON-RPC endpoints: reads that both must confirm, and sending."""
