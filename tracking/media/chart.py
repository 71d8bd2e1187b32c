"""A chart over the rows of a table, as `weft.plot` makes them: which columns are its axes, and the rows themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.base import FileMedia, Record, StoreBlob, file_content
from weft.tracking.payloads.encoding import decode, encode

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs
    from weft.tracking.tables import Table


class Chart(FileMedia):
    """A chart and its rows. Made by `weft.plot`.

    Args:
        chart: line, lineseries, scatter, bar, histogram, confusion_matrix, roc, pr; or any name of your own, whose rows
            the app shows as they are.
        columns, rows: the table.
        fields: columns by what they are in the chart (`{"x": "step", "y": "loss"}`).
        strings: other texts of the chart (`{"title": ...}`).

    Raises:
        UsageError: a field names no column.
    """

    kind: ClassVar[str] = "chart"
    batch: ClassVar[str] = "charts"
    folder: ClassVar[str] = "charts"

    def __init__(
        self,
        chart: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        fields: Mapping[str, str],
        strings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.chart = chart
        self.columns: list[str] = list(columns)
        self.n_rows = len(rows)
        self.fields: dict[str, str] = dict(fields)
        self.strings: dict[str, str] = {name: str(text) for name, text in (strings or {}).items() if text}
        strange = [name for name in self.fields.values() if name not in self.columns]
        if strange:
            raise UsageError(
                f"the table of this {chart} chart has no column {', '.join(map(repr, strange))}; "
                f"it has {', '.join(self.columns)}"
            )
        data = encode({"columns": self.columns, "data": [list(row) for row in rows]})
        self._content = file_content(data, "table.json", "application/json")

    @property
    def title(self) -> str:
        """Above the chart."""
        return self.strings.get("title", "")

    @property
    def rows(self) -> list[list[Any]]:
        """The rows of its table.

        Raises:
            ContentError: they cannot be had.
        """
        found: list[list[Any]] = decode(self.bytes())["data"]
        return found

    @property
    def table(self) -> Table:
        """Its table.

        Raises:
            ContentError: the rows cannot be had.
        """
        from weft.tracking.tables import Table  # tables hold media, and so import this package

        return Table(columns=self.columns, data=self.rows, allow_mixed_types=True)

    def _details(self, store_blob: StoreBlob | None) -> Record:
        told: Record = {"chart": self.chart, "columns": self.columns, "n_rows": self.n_rows}
        return {**told, "fields": self.fields, "strings": self.strings}

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        super()._restore(record, blobs)
        self.chart, self.columns, self.n_rows = str(record["chart"]), list(record["columns"]), int(record["n_rows"])
        self.fields, self.strings = dict(record["fields"]), dict(record["strings"])
        texts = (*self.columns, *self.fields.values(), *self.strings.values())
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a chart's columns, fields and strings are texts")
