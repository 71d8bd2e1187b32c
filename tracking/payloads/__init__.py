"""Values to JSON bytes and back: the tagged form, previews, redaction."""
