"""The one file that knows the InfluxDB client: line protocol, and writes whose outcome is known."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

#: Times in line protocol are microseconds, as everywhere else.
PRECISION = "us"

_IN_NAME = re.compile(r"([, ])")
_IN_TAG = re.compile(r"([,= ])")
_LINE_BREAK = re.compile(r"[\r\n]+")

FieldValue = float | int | str | bool | None


class InfluxUnavailable(Exception):
    """The database does not answer or does not take points now; the batch must be kept and sent again.

    Attributes
    ----------
    retry_after_s
        When the server asks to come back [s], or None.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InfluxUnauthorized(Exception):
    """The token is not accepted; nothing can be written until a person mends it, so keep spooling."""


class Rejected(NamedTuple):
    """A line that the database will never take, and what it said about it."""

    line: str
    reason: str


class WriteResult(NamedTuple):
    """What became of a batch: ``written`` + ``len(rejected)`` is its length."""

    written: int
    rejected: tuple[Rejected, ...]


class InfluxWriter:
    """Writes lines and returns when the database has them.

    Parameters
    ----------
    url, org, bucket, token
        Of InfluxDB 2 or of what speaks its write interface (VictoriaMetrics ignores all but the url).
    timeout_s
        For one request [s].
    """

    def __init__(self, url: str, org: str, bucket: str, token: str = "", timeout_s: float = 10.0) -> None:
        self._url = url
        self._org = org
        self._bucket = bucket
        self._client = InfluxDBClient(
            url=url,
            token=token,
            org=org,
            timeout=round(timeout_s * 1e3),
            retries=urllib3.Retry(0, redirect=3),
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> WriteResult:
        """Write a batch in line protocol with times in microseconds.

        Parameters
        ----------
        lines
            Without line ends. The same line may be written again: the point is only overwritten.

        Returns
        -------
        WriteResult
            A batch with bad lines, or one that is too long, is halved until only they are left.

        Raises
        ------
        InfluxUnavailable
            No connection, time out, too many requests, or an error of the server. Part of the batch may be
            written; send all of it again.
        InfluxUnauthorized
            Token or right is missing.
        """
        rejected: list[Rejected] = []
        stack = [list(lines)] if lines else []
        while stack:
            part = stack.pop()
            reason = self._refusal(part)
            if reason and len(part) > 1:
                middle = len(part) // 2
                stack += [part[middle:], part[:middle]]
            elif reason:
                rejected.append(Rejected(part[0], reason))
        return WriteResult(len(lines) - len(rejected), tuple(rejected))

    def close(self) -> None:
        """Give the connections back; nothing is waiting."""
        self._api.close()
        self._client.close()

    def _refusal(self, lines: list[str]) -> str:
        """Write, and give the reason where the content is refused; empty when it is written."""
        body = "\n".join(lines).encode()
        try:
            self._api.write(self._bucket, self._org, body, write_precision=PRECISION)  # pyright: ignore[reportArgumentType]
        except ApiException as error:
            status = int(error.status or 0)
            said = f"{status} {error.reason}: {_text(error.body)}"
            if status in (400, 413, 422):
                return said
            if status in (401, 403):
                raise InfluxUnauthorized(f"{self._url}: {said}; check the token and its rights") from error
            if status == 404:
                raise InfluxUnavailable(
                    f"{self._url}: {said}; check org and bucket; InfluxDB before 1.8 cannot be written this way"
                ) from error
            raise InfluxUnavailable(f"{self._url}: {said}", _retry_after_s(error.headers)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise InfluxUnavailable(f"{self._url}: {error}") from error
        return ""


def line_protocol(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time_us: int
) -> str:
    r"""Write one point as a line; the same point always gives the same line.

    Parameters
    ----------
    measurement
        Its name.
    tags
        Identity; empty values are left out.
    fields
        In the order given. None, NaN and infinity are left out; an int stays an integer.
    time_us
        UTC microseconds since 1970.

    Returns
    -------
    str
        Without line end; empty where no field is left. A line break within a text becomes a blank, and a
        backslash at the end of a tag goes: line protocol cannot hold them.

    Examples
    --------
    >>> line_protocol("cell_alarm", {"cell": "L1 23"}, {"score": 1.5, "priority": 2}, 1)
    'cell_alarm,cell=L1\\ 23 score=1.5,priority=2i 1'
    >>> line_protocol("cell_state", {}, {"acd_mm": float("nan")}, 1)
    ''
    """
    written = [f"{_escaped(_IN_TAG, key)}={text}" for key, value in fields.items() if (text := _field(value))]
    if not written:
        return ""
    identity = [_escaped(_IN_NAME, measurement)]
    identity += [
        f"{_escaped(_IN_TAG, k)}={text}" for k, v in sorted(tags.items()) if (text := _escaped(_IN_TAG, v))
    ]
    return f"{','.join(identity)} {','.join(written)} {time_us}"


def _field(value: FieldValue) -> str:
    """One field value, or nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = _LINE_BREAK.sub(" ", value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    if isinstance(value, int):
        return f"{value}i"
    return repr(float(value)) if math.isfinite(value) else ""


def _escaped(special: re.Pattern[str], text: str) -> str:
    return special.sub(r"\\\1", _LINE_BREAK.sub(" ", text).rstrip("\\"))


def _text(body: object) -> str:
    """Say what the server answered, in short."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    return text.strip()[:300]


def _retry_after_s(headers: object) -> float | None:
    """Seconds or date of a Retry-After header."""
    said = headers.get("Retry-After") if isinstance(headers, Mapping) else None
    if said is None:
        return None
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(str(said)) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
