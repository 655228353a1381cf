"""The broker's side of the intake, against a real Mosquitto: nothing acknowledged before it is on disk."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.inbox import Inbox, InboxUnavailable
from streams.mqtt import Broker, Letter, Publisher, State, Subscriber, Unavailable
from tests.servers import Server, find, free_port, run_mosquitto

pytestmark = pytest.mark.mosquitto
FILTERS = ["s/+/+"]


class SulkingInbox(Inbox):
    """An inbox whose disk is full for as long as it is told."""

    full = False

    def append(self, rows: Sequence[tuple[int, str, bytes]]) -> int:
        if self.full:
            raise InboxUnavailable("disk full")
        return super().append(rows)


@pytest.fixture
def inbox(tmp_path: Path) -> Generator[SulkingInbox]:
    box = SulkingInbox(tmp_path / "inbox.sqlite")
    yield box
    box.close()


def broker(server: Server, client_id: str) -> Broker:
    return Broker(host=server.host, port=server.port, client_id=client_id)


@contextmanager
def subscribed(server: Server, inbox: Inbox, client_id: str = "in") -> Generator[Subscriber]:
    subscriber = Subscriber(broker(server, client_id), FILTERS, inbox)
    subscriber.start()
    subscriber.wait_connected(10.0)
    try:
        yield subscriber
    finally:
        subscriber.stop()


@contextmanager
def publisher(server: Server, client_id: str = "out", **options: object) -> Generator[Publisher]:
    out = Publisher(broker(server, client_id), **options)  # pyright: ignore[reportArgumentType]
    out.start()
    out.wait_connected(10.0)
    try:
        yield out
    finally:
        out.stop()


def until(true: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.01)


def payloads(inbox: Inbox) -> list[bytes]:
    return [row.payload for row in inbox.read(0, limit=100_000)]


def numbered(n: int, start: int = 0) -> list[bytes]:
    return [b'{"n":%d}' % i for i in range(start, start + n)]


def send(out: Publisher, wanted: list[bytes]) -> None:
    for payload in wanted:
        out.publish("s/L1/c1", payload)
    assert out.wait_all(30.0)


@pytest.mark.parametrize("options", [(), ("max_inflight_messages 20",)])
def test_all_is_stored_in_order_also_with_a_small_window(
    tmp_path: Path, inbox: SulkingInbox, options: tuple[str, ...]
) -> None:
    last: list[int] = []
    with run_mosquitto(tmp_path / "broker", options=options) as server:
        subscriber = Subscriber(
            broker(server, "in"), FILTERS, inbox, clock_us=lambda: 77, on_stored=last.append
        )
        subscriber.start()
        subscriber.wait_connected(10.0)
        with publisher(server) as out:
            send(out, numbered(1500))
            until(lambda: subscriber.status.stored == 1500)
        status = subscriber.status
        subscriber.stop()
    rows = inbox.read(0, limit=2000)
    assert [row.payload for row in rows] == numbered(1500)
    assert {(row.topic, row.received_us) for row in rows} == {("s/L1/c1", 77)}
    assert last[-1] == 1500
    assert (status.received, status.reconnects, status.error, status.inbox_error) == (1500, 0, "", "")
    assert status.last_message_age_s is not None
    assert status.last_message_age_s < 10.0
    assert subscriber.status.state is State.STOPPED


def test_broker_keeps_what_comes_while_we_are_down(mosquitto: Server, inbox: SulkingInbox) -> None:
    with publisher(mosquitto) as out:
        with subscribed(mosquitto, inbox) as subscriber:
            send(out, numbered(50))
            until(lambda: subscriber.status.stored == 50)
        send(out, numbered(300, 50))
        with subscribed(mosquitto, inbox) as subscriber:
            until(lambda: subscriber.status.stored == 300)
    assert payloads(inbox) == numbered(350)


def test_full_disk_means_no_acknowledgement(mosquitto: Server, inbox: SulkingInbox) -> None:
    with publisher(mosquitto) as out:
        with subscribed(mosquitto, inbox) as subscriber:
            inbox.full = True
            send(out, numbered(30))
            until(lambda: bool(subscriber.status.inbox_error) and subscriber.status.received == 30)
            assert subscriber.status.stored == 0
        assert payloads(inbox) == []
        inbox.full = False
        with subscribed(mosquitto, inbox) as subscriber:
            until(lambda: subscriber.status.stored == 30)
            assert payloads(inbox) == numbered(30)
            inbox.full = True
            send(out, numbered(10, 30))
            until(lambda: bool(subscriber.status.inbox_error))
            inbox.full = False
            until(lambda: subscriber.status.stored == 40)
            assert subscriber.status.inbox_error == ""
    assert payloads(inbox) == numbered(40)


def test_comes_back_after_the_broker_was_away(tmp_path: Path, inbox: SulkingInbox) -> None:
    with (
        run_mosquitto(tmp_path / "broker", persistence=True) as server,
        publisher(server) as out,
        subscribed(server, inbox) as subscriber,
    ):
        send(out, numbered(5))
        until(lambda: subscriber.status.stored == 5)
        server.stop()
        until(lambda: subscriber.status.state is State.LOST and out.state is State.LOST)
        out.publish("s/L1/c1", b'{"n":5}')
        assert out.waiting == 1
        assert not out.wait_all(0.05)
        server.start()
        until(lambda: b'{"n":5}' in payloads(inbox))
        assert subscriber.status.reconnects == 1
        assert out.wait_all(10.0)
    # Acknowledgements that the broker's end cut off are delivered once more: at least once, never less.
    assert sorted(set(payloads(inbox))) == numbered(6)


def test_forced_reconnect(mosquitto: Server, inbox: SulkingInbox) -> None:
    with publisher(mosquitto) as out, subscribed(mosquitto, inbox) as subscriber:
        subscriber.reconnect()
        until(lambda: subscriber.status.reconnects == 1)
        send(out, numbered(3))
        until(lambda: subscriber.status.stored == 3)
    assert payloads(inbox) == numbered(3)


def test_two_clients_with_one_id_are_told_what_may_be_wrong(
    mosquitto: Server, inbox: SulkingInbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other_inbox = SulkingInbox(tmp_path / "other.sqlite")
    doubt = "is another client using the id twin-7?"
    with subscribed(mosquitto, inbox, "twin-7") as one:
        assert one.status.error == ""
        two = Subscriber(broker(mosquitto, "twin-7"), FILTERS, other_inbox)
        two.start()
        until(lambda: doubt in one.status.error and doubt in two.status.error, 30.0)
        # It stands also in the moments in which we are the one that is connected.
        until(lambda: one.status.state is State.CONNECTED)
        assert doubt in one.status.error
        assert doubt in caplog.text
        two.stop()
    other_inbox.close()


def test_retained_bare_numbers_are_not_fresh(mosquitto: Server, inbox: SulkingInbox) -> None:
    with publisher(mosquitto) as out:
        out.publish("s/L1/a", b"4.2", retain=True)
        out.publish("s/L1/b", b' {"timestamp_ms": 1}', retain=True)
        assert out.wait_all(10.0)
        with subscribed(mosquitto, inbox) as subscriber:
            until(lambda: subscriber.status.received + subscriber.status.ignored == 2)
            out.publish("s/L1/a", b"4.3")
            until(lambda: subscriber.status.stored == 2)
    assert payloads(inbox) == [b' {"timestamp_ms": 1}', b"4.3"]


def test_will_and_greeting(mosquitto: Server, inbox: SulkingInbox) -> None:
    will, greeting = Letter("s/L1/status", b"offline"), Letter("s/L1/status", b"online")
    with (
        subscribed(mosquitto, inbox) as subscriber,
        publisher(mosquitto, will=will, greeting=greeting) as out,
    ):
        until(lambda: payloads(inbox) == [b"online"])
        out._link.reconnect()  # pyright: ignore[reportPrivateUsage]
        until(lambda: payloads(inbox) == [b"online", b"offline", b"online"])
        assert subscriber.status.error == ""


def test_messages_under_way_are_bounded(mosquitto: Server) -> None:
    with publisher(mosquitto, max_waiting=10) as out:
        assert mosquitto.pid is not None
        os.kill(mosquitto.pid, signal.SIGSTOP)
        try:
            for payload in numbered(10):
                out.publish("s/L1/c1", payload)
            with pytest.raises(Unavailable, match="10 messages are unacknowledged"):
                out.publish("s/L1/c1", b"{}", timeout_s=0.05)
            assert out.waiting == 10
        finally:
            os.kill(mosquitto.pid, signal.SIGCONT)
        assert out.wait_all(10.0)


def test_nobody_listens(inbox: SulkingInbox) -> None:
    subscriber = Subscriber(Broker(port=free_port()), FILTERS, inbox)
    subscriber.start()
    with pytest.raises(Unavailable, match="no connection"):
        subscriber.wait_connected(0.3)
    assert subscriber.status.last_message_age_s is None
    subscriber.stop()
    out = Publisher(Broker(port=free_port()))
    out.start()
    with pytest.raises(Unavailable, match="not taken"):
        out.publish("s/L1/c1", b"{}", qos=0)
    out.stop()


def test_password_and_certificate(tmp_path: Path, inbox: SulkingInbox) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    key, cert, words = folder / "key.pem", folder / "cert.pem", folder / "passwords"
    made = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        str(key),
        "-out",
        str(cert),
    ]
    subprocess.run([find("openssl"), *made, *names], check=True, capture_output=True)
    subprocess.run([find("mosquitto_passwd"), "-b", "-c", str(words), "twin", "right"], check=True)
    # Mosquitto reads the password file as its own user, pytest's folders are private to ours.
    options = [f"certfile {cert}", f"keyfile {key}", f"password_file {words}", "allow_anonymous false"]
    if os.geteuid() == 0:
        options.append("user root")
    with run_mosquitto(folder, options=tuple(options)) as server:
        right = Broker(
            host=server.host,
            port=server.port,
            client_id="in",
            username="twin",
            password="right",
            tls=True,
            ca_file=str(cert),
        )
        subscriber = Subscriber(right, FILTERS, inbox)
        subscriber.start()
        subscriber.wait_connected(10.0)
        subscriber.stop()
        wrong = Broker(
            host=server.host,
            port=server.port,
            client_id="other",
            username="twin",
            password="wrong",
            tls=True,
            ca_file=str(cert),
        )
        out = Publisher(wrong)
        out.start()
        with pytest.raises(Unavailable, match="refused"):
            out.wait_connected(1.0)
        assert out.state is State.REFUSED
        out.stop()
