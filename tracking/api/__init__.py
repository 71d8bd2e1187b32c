"""The read API: `weft.Api()`, and the runs and lists that it answers with."""

from weft.tracking.api.face import Api

__all__ = ["Api"]
