"""The parts that screens share: the trace view, numbers, badges."""
