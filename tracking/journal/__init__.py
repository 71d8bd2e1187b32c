"""The write path and its one reader: records, frames, segments, the ingester. Knows no SQL."""
