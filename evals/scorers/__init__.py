"""Scorers that come with weft, one noun a file."""
