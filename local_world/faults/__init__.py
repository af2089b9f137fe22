"""What an RPC endpoint of the local world can be made to do wrong."""
