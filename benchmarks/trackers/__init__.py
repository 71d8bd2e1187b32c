"""What the tracking benchmark measures, and the trackers that it measures: `metrics` for runs and what they log."""
