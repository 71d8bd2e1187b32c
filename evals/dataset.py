"""Datasets: rows with stable ids, from lists, files and data frames, published as artifacts. Never changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from weft.evals import rowfiles
from weft.tracking import names, units
from weft.tracking.errors import UsageError
from weft.tracking.payloads import encoding

if TYPE_CHECKING:
    from weft.tracking.artifacts.artifact import Artifact

ID_CHARACTERS = 16
"""Of the content digest, in the id of a row that brings none."""


class Row(NamedTuple):
    """One row and its name."""

    row_id: str
    """Its `id` column as text; else a digest of its content, with `-2`, `-3`, ... where the content comes again."""
    columns: Mapping[str, Any]


class Dataset:
    """Rows to evaluate on.

    ```python
    Dataset([{"question": "1+1?", "expected": "2"}], name="sums")
    Dataset("questions.jsonl")
    Dataset(frame, name="support")     # pandas, polars or pyarrow
    ```
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Iterable[Mapping[str, Any]] | Any,
        *,
        name: str | None = None,
        id_column: str = "id",
        on_broken: Literal["raise", "skip"] = "raise",
        description: str | None = None,
    ) -> None:
        """Load and check all rows.

        Args:
            source: a list of dicts, the path of a .jsonl, .json, .csv, .tsv or .parquet file, or a data frame.
            name: of the artifact; a file's own name where none is given.
            id_column: holds each row's own id, where there is one.
            on_broken: "skip" leaves out lines of a file that cannot be read; `skipped` lists them.

        Raises:
            UsageError: no rows, a broken line, a row that is no mapping, an id that occurs twice.
        """
        self.skipped: Sequence[rowfiles.Broken] = ()
        """Lines left out because `on_broken="skip"` was given."""
        if on_broken not in ("raise", "skip"):
            raise UsageError(f'on_broken is {on_broken!r}; it must be "raise" or "skip"')
        if isinstance(source, (str, os.PathLike)):
            path = Path(source)
            found = rowfiles.read(path)
            if found.broken and on_broken == "raise":
                raise rowfiles.complain(path, found.broken)
            self.skipped = tuple(found.broken)
            rows: list[dict[str, Any]] = found.rows
            where, name = f"dataset {path}", name or path.stem
        else:
            where = f"dataset {name!r}" if name else "the dataset"
            rows = _rows_of(source, where)
        if not rows:
            skipped = f" ({len(self.skipped)} broken lines were skipped)" if self.skipped else ""
            raise UsageError(f"{where} has no rows{skipped}; an evaluation needs at least one")
        self.name = name or "dataset"
        self.description = description
        self._encoded = [_canonical(row) for row in rows]
        self.rows: Sequence[Row] = tuple(
            Row(row_id, row) for row_id, row in zip(_ids(rows, self._encoded, id_column, where), rows, strict=True)
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], **options: Any) -> Dataset:
        """The dataset in a file; `options` as for `Dataset`."""
        return cls(path, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows as JSONL; loading it gives the same rows, ids and digest."""
        target = Path(path)
        target.write_bytes(self.to_jsonl())
        return target

    def to_jsonl(self) -> bytes:
        """One JSON object a line, keys sorted: the same rows give the same bytes."""
        return b"".join(line + b"\n" for line in self._encoded)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the content: equal for equal rows in equal order."""
        return hashlib.sha256(self.to_jsonl()).hexdigest()

    @property
    def columns(self) -> Sequence[str]:
        """Every column that some row has, in order of appearance."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.columns))

    def to_artifact(self) -> Artifact:
        """The dataset as an artifact of type "dataset", not yet logged; the same rows give the same version."""
        from weft.tracking.artifacts.artifact import Artifact  # kept out of `import weft`

        artifact = Artifact(
            names.artifact_name(self.name),
            "dataset",
            description=self.description,
            metadata={"rows": len(self.rows), "columns": list(self.columns), "digest": self.digest},
        )
        artifact.add_bytes(self.to_jsonl(), "rows.jsonl")
        return artifact

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (row.columns for row in self.rows)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        return self.rows[index].columns

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {units.counted(len(self.rows), 'row')}: {', '.join(self.columns)})"


def _rows_of(source: Any, where: str) -> list[dict[str, Any]]:
    """Rows of a list, an iterable or a data frame; pandas, polars, pyarrow are known by their verbs, not imported."""
    if hasattr(source, "to_dicts"):  # polars
        source = source.to_dicts()
    elif hasattr(source, "to_pylist"):  # pyarrow
        source = source.to_pylist()
    elif hasattr(source, "to_dict") and hasattr(source, "iloc"):  # pandas
        source = [
            {str(name): None if _missing(value) else value for name, value in row.items()}
            for row in source.to_dict("records")
        ]
    elif isinstance(source, (Mapping, bytes)) or not isinstance(source, Iterable):
        found = units.article(type(source).__name__)
        raise UsageError(f"{where} is {found}; it must be a list of dicts, a file or a data frame")
    rows = []
    for index, row in enumerate(source):
        if not isinstance(row, Mapping) or not row or not all(isinstance(key, str) for key in row):
            raise UsageError(f"{where}: row {index} is {_short(row)}; every row must be a dict of columns by name")
        rows.append(dict(row))
    return rows


def _missing(value: Any) -> bool:
    """pandas marks an absent cell by NaN, NaT or NA: none equals itself, and NA cannot even say so."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def _canonical(row: Mapping[str, Any]) -> bytes:
    """The row as JSON in the stored form with sorted keys."""
    return orjson.dumps(orjson.loads(encoding.encode(row)), option=orjson.OPT_SORT_KEYS)


def _ids(rows: Sequence[Mapping[str, Any]], encoded: Sequence[bytes], column: str, where: str) -> list[str]:
    ids: list[str] = []
    seen: dict[str, int] = {}
    repeats: dict[bytes, int] = {}
    for index, (row, content) in enumerate(zip(rows, encoded, strict=True)):
        given = row.get(column)
        if given is not None and given != "":
            row_id = str(given)
        else:
            repeats[content] = repeats.get(content, 0) + 1
            digest = hashlib.sha256(content).hexdigest()[:ID_CHARACTERS]
            row_id = digest if repeats[content] == 1 else f"{digest}-{repeats[content]}"
        if row_id in seen:
            raise UsageError(
                f"{where}: rows {seen[row_id]} and {index} have the same {column} {row_id!r}; each row needs its own "
                f"(or name another column with id_column=)"
            )
        seen[row_id] = index
        ids.append(row_id)
    return ids


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
