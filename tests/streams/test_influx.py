"""Points to a database: the line as the protocol wants it, and every outcome of a write by its type."""

import json
import math
import threading
import urllib.parse
import urllib.request
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streams.influx import (
    InfluxUnauthorized,
    InfluxUnavailable,
    InfluxWriter,
    Rejected,
    WriteResult,
    line_protocol,
)
from tests.servers import Server, free_port

T_US = 1_700_000_000_123_456


@pytest.mark.parametrize(
    ("measurement", "tags", "fields", "line"),
    [
        ("m", {}, {"a": 1.5}, "m a=1.5 7"),
        ("m", {"b": "2", "a": "1"}, {"x": 1, "y": True, "z": False}, "m,a=1,b=2 x=1i,y=true,z=false 7"),
        ("m", {"cell": ""}, {"x": 1e20, "n": None, "q": math.nan, "i": -math.inf}, "m x=1e+20 7"),
        ("a b,c", {"k =": "v,w x=y"}, {"f =": 1}, r"a\ b\,c,k\ \==v\,w\ x\=y f\ \==1i 7"),
        (
            "m",
            {"t": "end\\", "u": "a\nb"},
            {"s": 'say "hi" \\ \n now'},
            'm,t=end,u=a\\ b s="say \\"hi\\" \\\\   now" 7',
        ),
        ("m", {"a": "1"}, {"x": math.nan}, ""),
        ("m", {"a": "1"}, {}, ""),
    ],
)
def test_line_protocol(
    measurement: str, tags: dict[str, str], fields: dict[str, float | int | str | bool | None], line: str
) -> None:
    assert line_protocol(measurement, tags, fields, 7) == line


class FakeInflux:
    """A server that answers as told: each rule looks at the lines of a request and may refuse them."""

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.bad = ""
        self.longest = 1_000_000
        self.requests: list[str] = []
        self.lines: set[str] = set()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fake.requests.append(self.path)
                status = fake.answer(body)
                self.send_response(status)
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0" if status == 204 else "7")
                self.end_headers()
                if status != 204:
                    self.wfile.write(b"no good")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def answer(self, body: str) -> int:
        if self.status != 204:
            return self.status
        if len(body) > self.longest:
            return 413
        lines = body.split("\n")
        if self.bad and any(self.bad in line for line in lines):
            return 400
        self.lines |= set(lines)
        return 204

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def fake() -> Generator[FakeInflux]:
    server = FakeInflux()
    yield server
    server.close()


@pytest.fixture
def writer(fake: FakeInflux) -> Generator[InfluxWriter]:
    found = InfluxWriter(fake.url, "org", "bucket", "secret", timeout_s=2.0)
    yield found
    found.close()


LINES = [f"m,cell=c{i} x={i}i {T_US}" for i in range(100)]


def test_written(fake: FakeInflux, writer: InfluxWriter) -> None:
    assert writer.write(LINES) == WriteResult(100, ())
    assert fake.lines == set(LINES)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(fake.requests[0]).query)
    assert query == {"org": ["org"], "bucket": ["bucket"], "precision": ["us"]}
    assert writer.write([]) == WriteResult(0, ())
    assert len(fake.requests) == 1


def test_only_bad_lines_are_rejected(fake: FakeInflux, writer: InfluxWriter) -> None:
    fake.bad = "x=7"
    result = writer.write(LINES)
    bad = {line for line in LINES if "x=7" in line}
    assert {r.line for r in result.rejected} == bad
    assert result.written == 100 - len(bad) == 89
    assert all("400" in r.reason and "no good" in r.reason for r in result.rejected)
    assert fake.lines == set(LINES) - bad


def test_too_long_batches_are_halved(fake: FakeInflux, writer: InfluxWriter) -> None:
    fake.longest = 1000
    assert writer.write(LINES) == WriteResult(100, ())
    assert fake.lines == set(LINES)
    fake.longest = 5
    rejected = writer.write(LINES[:1]).rejected
    assert isinstance(rejected[0], Rejected)
    assert rejected[0].reason.startswith("413")


@pytest.mark.parametrize("status", [401, 403])
def test_no_right_to_write(fake: FakeInflux, writer: InfluxWriter, status: int) -> None:
    fake.status = status
    with pytest.raises(InfluxUnauthorized, match=f"{status}.*token"):
        writer.write(LINES)


@pytest.mark.parametrize(
    ("status", "headers", "low_s", "high_s"),
    [
        (429, {"Retry-After": "7"}, 7.0, 7.0),
        (503, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, 1e8, 1e10),
        (503, {"Retry-After": "soon"}, None, None),
        (500, {}, None, None),
        (404, {}, None, None),
    ],
)
def test_not_now(
    fake: FakeInflux,
    writer: InfluxWriter,
    status: int,
    headers: dict[str, str],
    low_s: float | None,
    high_s: float | None,
) -> None:
    fake.status, fake.headers = status, headers
    with pytest.raises(InfluxUnavailable, match=str(status)) as caught:
        writer.write(LINES)
    assert len(fake.requests) == 1
    if low_s is None or high_s is None:
        assert caught.value.retry_after_s is None
    else:
        assert caught.value.retry_after_s is not None
        assert low_s <= caught.value.retry_after_s <= high_s


def test_nobody_answers() -> None:
    writer = InfluxWriter(f"http://127.0.0.1:{free_port()}", "o", "b", timeout_s=0.5)
    with pytest.raises(InfluxUnavailable, match=r"127\.0\.0\.1"):
        writer.write(LINES)
    writer.close()


@pytest.mark.victoria_metrics
def test_points_arrive_in_victoria_metrics(victoria_metrics: Server) -> None:
    writer = InfluxWriter(victoria_metrics.url, "o", "b")
    fields = {"dc_kwh_per_t": 13_000.5, "level_code": 2}
    lines = [line_protocol("cell_energy", {"cell": f"L 1,{i}"}, fields, T_US + i * 1000) for i in range(20)]
    assert writer.write(lines) == WriteResult(20, ())
    writer.close()
    query = urllib.parse.urlencode({"match[]": '{__name__=~"cell_energy.*"}'})
    urllib.request.urlopen(f"{victoria_metrics.url}/internal/force_flush").close()
    with urllib.request.urlopen(f"{victoria_metrics.url}/api/v1/export?{query}") as answer:
        series: list[dict[str, object]] = [json.loads(line) for line in answer.read().splitlines()]
    assert len(series) == 40
    one = next(s for s in series if s["metric"] == {"__name__": "cell_energy_dc_kwh_per_t", "cell": "L 1,3"})
    assert one["values"] == [13_000.5]
    assert one["timestamps"] == [T_US // 1000 + 3]
