"""What the tracking benchmark measures in each tracker: `metrics` of a run, `listing` of many runs, `artifacts`.

`peers` makes an environment for each that is not weft. Each of the others is a program, too, that runs there.
"""
