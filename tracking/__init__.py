"""The core: runs, metrics, tables, artifacts, on a journal and a store that lose nothing. Knows nothing of LLMs."""
