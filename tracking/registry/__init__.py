"""The registry: collections of linked versions, with numbers, aliases and a history of their own, and a gate before an alias.

What anybody does is one `RegistryChanged` record; `fold` makes a collection's state of its records, whatever order they come
in. `writing` checks and writes them, `gate` asks what evaluations found, `collection` is what users hold.
"""
