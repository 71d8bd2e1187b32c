"""OpenTelemetry both ways: the SDK's spans in, ours out, and what other libraries' attributes mean."""
