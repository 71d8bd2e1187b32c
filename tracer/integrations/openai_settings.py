"""What the user says of OpenAI-compatible servers: kept apart, so that saying it imports no client."""

stream_usage_hosts: set[str] = set()
"""Hosts that take `stream_options.include_usage`, beside those that weft knows: `weft.instrument(stream_usage=...)`."""
