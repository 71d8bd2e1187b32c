"""The core: runs, metrics, tables, artifacts, on a journal and a store that lose nothing. Knows nothing of LLMs.

`journal/` is the write path and its one reader, `store/` the rows and who asks them, `payloads/` values as JSON.
"""
