"""The registry: collections of linked versions, with numbers, aliases and a history of their own, and a gate.

What anybody does is one `RegistryChanged` record; `fold` makes a collection's state of its records, in whatever order
they come. `writing` checks and writes them, `promoting` asks first what evaluations found (`evidence`, `requirements`),
`collection` is what users hold.
"""
