"""Artifacts: versions of files by content, what they are made of, and who made and used them."""
