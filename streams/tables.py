"""Parquet and CSV files of one shape: times, texts and numbers by column, a batch of rows at a time."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

#: A record batch, or a Parquet file; pyarrow carries no types.
Batch = Any
_File = Any
_compute: Any = pc
#: Told of a text where a number should stand: file, column, and the text.
Refused = Callable[[Path, str, str], None]
_LOG = logging.getLogger(__name__)
_BATCH_ROWS = 4096
_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_US_PER = {"s": 1_000_000, "ms": 1_000, "us": 1}
#: What stands in a file of texts where there is no number.
_NOTHING = (
    "",
    "NaN",
    "nan",
    "NAN",
    "-NaN",
    "-nan",
    "null",
    "NULL",
    "None",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "NaT",
)


class HistoryError(ValueError):
    """A history that cannot be read; the message names the file and what is wrong with it."""


class Part(NamedTuple):
    """A part of a file that can be read by itself.

    Attributes
    ----------
    group
        Row group of a Parquet file; None for a CSV file, which is one part.
    first_us, last_us
        Smallest and greatest time in it, UTC microseconds.
    """

    group: int | None
    first_us: int
    last_us: int


def table_files(folder: Path, name: str) -> list[Path]:
    """Files of one kind in a fixed order: ``name.parquet`` (``.csv``, ``.csv.gz``) or those in ``name/``.

    An empty file, such as a recorder leaves that was stopped at once, is left out with a warning.
    """
    single = [path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    inside = sorted(p for p in (folder / name).glob("*") if p.name.endswith(_SUFFIXES) and p.is_file())
    found: list[Path] = []
    for path in single + inside:
        if _is_empty(path):
            _LOG.warning("%s: is empty and is left out", path)
        else:
            found.append(path)
    return found


def column_names(path: Path) -> list[str]:
    """Names of all columns of a file; raises ``HistoryError``."""
    if path.suffix == ".parquet":
        return list(_opened(path).schema_arrow.names)
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            return list(pa_csv.open_csv(stream, parse_options=_Ragged().options).schema.names)
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: is not a readable CSV file: {error}") from error


def parts(path: Path) -> list[Part]:
    """Parts of a file that hold rows; raises ``HistoryError``.

    A Parquet file is asked for its statistics; of a CSV file the times are read.
    """
    if "time" not in column_names(path):
        raise HistoryError(f"{path}: has no column time; every file of a history needs it")
    if path.suffix == ".parquet":
        file = _opened(path)
        spans = [(group, _group_span(path, file, group)) for group in range(file.num_row_groups)]
    else:
        ragged = _Ragged()
        found = [
            t for batch in batches(path, None, ("time",), ragged) if len(t := times(path, batch, "time"))
        ]
        ragged.tell(path)
        spans = (
            [(None, (min(int(t.min()) for t in found), max(int(t.max()) for t in found)))] if found else []
        )
    return [Part(group, *span) for group, span in spans if span is not None]


class _Ragged:
    """Rows of a CSV file with too few or too many fields: one cut short must not end the file."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""
        self.options = pa_csv.ParseOptions(invalid_row_handler=self._skip)

    def _skip(self, row: Any) -> str:  # noqa: ANN401  # pyarrow carries no types
        if not self._count:
            self._first = f"{row.actual_columns} fields in place of {row.expected_columns}: {row.text[:80]!r}"
        self._count += 1
        return "skip"

    def tell(self, path: Path) -> None:
        """Say once how many were left out."""
        if self._count:
            _LOG.warning("%s: %d rows left out; the first has %s", path, self._count, self._first)


def batches(
    path: Path, group: int | None, columns: Sequence[str], ragged: _Ragged | None = None
) -> Iterator[Batch]:
    """Give the rows of a part that have a time, in the order of the file.

    Parameters
    ----------
    path, group
        File, and row group of a Parquet file.
    columns
        Those wanted; what the file has not got is left out.
    ragged
        Counts the rows of a CSV file whose number of fields is not that of its header; they are left out.

    Raises
    ------
    HistoryError
        Unreadable file.
    """
    try:
        for batch in _raw_batches(path, group, columns, ragged or _Ragged()):
            column = batch.column("time")
            yield batch.filter(column.is_valid()) if column.null_count else batch
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: cannot be read: {error}") from error


def times(path: Path, batch: Batch, name: str) -> NDArray[np.int64]:
    """Times of a column without nulls [us since 1970 UTC]; a time without a zone is UTC.

    Raises
    ------
    HistoryError
        Neither timestamps nor ISO 8601 texts.
    """
    column = batch.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parsed(path, column, name)
    if not pa.types.is_timestamp(column.type):
        raise HistoryError(f"{path}: column {name} is {column.type}; it must be a timestamp")
    column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column.cast(pa.int64()).drop_null().to_numpy(zero_copy_only=False)


def floats(path: Path, batch: Batch, name: str, refused: Refused) -> NDArray[np.float64]:
    """One numeric column, null as NaN.

    A text that is no number is infinity: something came and is refused. ``refused`` is told of the first one.

    Raises
    ------
    HistoryError
        When the column holds neither numbers nor texts.
    """
    column = batch.column(name)
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _compute.utf8_trim_whitespace(column)
            column = _compute.if_else(_compute.is_in(column, pa.array(_NOTHING, column.type)), None, column)
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _parsed_numbers(path, column.to_pylist(), name, refused)
    except pa.ArrowException as error:
        raise HistoryError(f"{path}: column {name} is not numeric: {error}") from error


def _parsed_numbers(path: Path, found: list[str | None], name: str, refused: Refused) -> NDArray[np.float64]:
    """Numbers one by one where not all texts are numbers."""
    numbers = np.full(len(found), math.nan)
    told = False
    for i, text in enumerate(found):
        if text is None:
            continue
        try:
            numbers[i] = float(text)
        except (TypeError, ValueError):
            numbers[i] = math.inf
            if not told:
                refused(path, name, text)
                told = True
    return numbers


def texts(batch: Batch, name: str) -> list[str]:
    """One column of texts, null as empty."""
    return [text or "" for text in batch.column(name).cast(pa.string()).to_pylist()]


def _is_empty(path: Path) -> bool:
    """Whether there is nothing but white space in a file; one that cannot be read is not empty."""
    if path.suffix == ".parquet" or path.stat().st_size > 4096:
        return path.stat().st_size == 0
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            return not stream.read(4096).strip()
    except (OSError, pa.ArrowException):
        return path.stat().st_size == 0


def _opened(path: Path) -> _File:
    """Open a Parquet file, or say which one is broken."""
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: is not a readable Parquet file: {error}") from error


def _group_span(path: Path, file: _File, group: int) -> tuple[int, int] | None:
    """First and last time of a row group, from its statistics where they are kept."""
    names: list[str] = file.schema_arrow.names
    kind = file.schema_arrow.field("time").type
    statistics = file.metadata.row_group(group).column(names.index("time")).statistics
    if pa.types.is_timestamp(kind) and kind.unit in _US_PER and statistics and statistics.has_min_max:
        low, high = statistics.min_raw, statistics.max_raw
        if isinstance(low, int) and isinstance(high, int):
            return low * _US_PER[kind.unit], high * _US_PER[kind.unit]
    times_us = times(path, file.read_row_group(group, columns=["time"]), "time")
    return (int(times_us.min()), int(times_us.max())) if len(times_us) else None


def _raw_batches(path: Path, group: int | None, columns: Sequence[str], ragged: _Ragged) -> Iterator[Batch]:
    names = column_names(path)
    wanted = [name for name in columns if name in names]
    if path.suffix == ".parquet":
        groups = None if group is None else [group]
        yield from _opened(path).iter_batches(_BATCH_ROWS, row_groups=groups, columns=wanted)
        return
    # Numbers too are read as texts: one that is none must not end the file.
    kinds = {name: pa.string() for name in wanted}
    options = pa_csv.ConvertOptions(column_types=kinds, include_columns=wanted, strings_can_be_null=False)
    with pa.input_stream(str(path), compression="detect") as stream:
        for batch in pa_csv.open_csv(stream, parse_options=ragged.options, convert_options=options):
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)


def _parsed(path: Path, column: Batch, name: str) -> Batch:
    """Texts to times, with a zone or without."""
    try:
        return column.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid as error:
        raise HistoryError(f"{path}: column {name}: {error}; write ISO 8601 times in UTC") from error
