"""OpenTelemetry's protocol as files: spans out of OTLP JSON and protobuf, and into both."""
