"""The one file that knows the MQTT client: messages into the inbox, and our own words out."""

import logging
import queue
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from streams.broker import Broker, Letter, State, Status, Unavailable
from streams.inbox import Inbox, InboxUnavailable

__all__ = ["Broker", "Letter", "Publisher", "State", "Status", "Subscriber", "Unavailable"]

_LOG = logging.getLogger(__name__)
_GROUP = 2000
_POLL_S = 0.2
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
#: Of two clients with one id the broker ends the elder whenever the other comes: so many losses of ...
_BRIEF_LOSSES = 3
#: ... connections that stood shorter than this are taken for that [s].
_BRIEF_S = 10.0


class _Raw(NamedTuple):
    """A message as it waits for the disk; ``session`` counts connections."""

    session: int
    mid: int
    qos: int
    received_us: int
    topic: str
    payload: bytes


class _Link:
    """One connection that comes back by itself."""

    def __init__(
        self,
        broker: Broker,
        *,
        persistent: bool,
        will: Letter | None,
        greeting: Letter | None,
        filters: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.state = State.STOPPED
        self.session = 0
        self._error = ""
        self._since_s = 0.0
        self._brief_losses = 0
        self._broker = broker
        self._greeting = greeting
        self._filters = list(filters)
        self._connected = threading.Event()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=not persistent,
            protocol=paho.MQTTv311,
            manual_ack=persistent,
        )
        self.client.reconnect_delay_set(min_delay=1, max_delay=30)
        if broker.username is not None:
            self.client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self.client.tls_set(
                ca_certs=broker.ca_file,
                certfile=broker.cert_file,
                keyfile=broker.key_file,
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
        if will is not None:
            self.client.will_set(will.topic, will.payload, will.qos, will.retain)
        self.client.on_connect = self._on_connect
        self.client.on_connect_fail = self._on_connect_fail
        self.client.on_disconnect = self._on_disconnect
        self.client.on_subscribe = self._on_subscribe

    @property
    def error(self) -> str:
        """Why it is not connected or will not stay so; a doubt about our id stands until a connection lasts."""
        lasts = self.state is State.CONNECTED and time.monotonic() - self._since_s >= _BRIEF_S
        if self._brief_losses < _BRIEF_LOSSES or lasts:
            return self._error
        doubt = (
            f"connection lost {self._brief_losses} times within {_BRIEF_S:g} s of connecting: "
            f"is another client using the id {self._broker.client_id}?"
        )
        return f"{self._error}; {doubt}" if self._error else doubt

    def start(self) -> None:
        self.state = State.CONNECTING
        self.client.connect_async(self._broker.host, self._broker.port, self._broker.keepalive_s)
        self.client.loop_start()

    def wait_connected(self, timeout_s: float) -> None:
        if not self._connected.wait(timeout_s):
            where = f"{self._broker.host}:{self._broker.port}"
            raise Unavailable(
                f"broker {where} not connected after {timeout_s:g} s: {self.error or 'no answer'}"
            )

    def reconnect(self) -> None:
        """Cut the connection; the network thread takes it for a loss and connects anew."""
        current = self.client.socket()
        if isinstance(current, socket.socket):
            try:
                current.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                _LOG.info("connection was already closed: %s", error)

    def stop(self) -> None:
        self.state = State.STOPPED
        self.client.disconnect()
        self.client.loop_stop()
        self.state = State.STOPPED
        self._connected.clear()

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self.state, self._error = State.REFUSED, f"broker refused: {reason}"
            _LOG.warning("%s %s: %s", self._broker.host, self._broker.port, self.error)
            return
        self.session += 1
        self._since_s = time.monotonic()
        self.state, self._error = State.CONNECTED, ""
        _LOG.info("connected to %s:%s as %s", self._broker.host, self._broker.port, self._broker.client_id)
        if self._filters:
            client.subscribe(self._filters)
        if self._greeting is not None:
            letter = self._greeting
            client.publish(letter.topic, letter.payload, letter.qos, letter.retain)
        if not self._filters:
            self._connected.set()

    def _on_connect_fail(self, *_: object) -> None:
        if self.state is not State.LOST:
            _LOG.warning("no connection to %s:%s, trying on", self._broker.host, self._broker.port)
        self.state, self._error = State.LOST, "no connection"

    def _on_disconnect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        self._connected.clear()
        if self.state is State.CONNECTED:
            brief = time.monotonic() - self._since_s < _BRIEF_S
            self._brief_losses = self._brief_losses + 1 if brief else 0
            self.state, self._error = State.LOST, f"connection lost: {reason}"
            _LOG.warning("%s:%s: %s", self._broker.host, self._broker.port, self.error)

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        refused = [f for (f, _), reason in zip(self._filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._error = f"subscription refused: {', '.join(refused)}"
            _LOG.warning("%s; check the access list of the broker", self._error)
        self._connected.set()


class Subscriber:
    """Stores what arrives and acknowledges it only then.

    Parameters
    ----------
    broker
        Where to connect; its session outlives us, so that nothing is missed while we are down.
    filters
        MQTT filters, see ``decode.Decoder.filters``.
    inbox
        Takes the messages; this object's thread is the only one that appends.
    qos
        Of the subscription.
    queue_size
        Messages that may wait in memory; a full queue stops reading from the network, nothing is dropped.
    clock_us
        Gives the time of arrival, UTC microseconds.
    on_stored
        Called in this object's thread with the id of the last message stored.
    will, greeting
        Left with the broker for our sudden end; published at each connect.

    Notes
    -----
    Messages are stored in groups: whatever waits when the disk is free goes into one transaction, without a
    timer, so a broker that allows only 20 unacknowledged messages is not held up. While the inbox takes nothing
    they stay unacknowledged, and the broker delivers them again after a restart.
    """

    def __init__(
        self,
        broker: Broker,
        filters: Sequence[str],
        inbox: Inbox,
        *,
        qos: int = 1,
        queue_size: int = 10_000,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        on_stored: Callable[[int], None] | None = None,
        will: Letter | None = None,
        greeting: Letter | None = None,
    ) -> None:
        self._inbox = inbox
        self._clock_us = clock_us
        self._on_stored = on_stored
        self._queue: queue.Queue[_Raw] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._received = 0
        self._stored = 0
        self._ignored = 0
        self._last_s: float | None = None
        self._inbox_error = ""
        self._link = _Link(
            broker, persistent=True, will=will, greeting=greeting, filters=[(f, qos) for f in filters]
        )
        self._link.client.on_message = self._on_message
        self._thread = threading.Thread(target=self._ingest, name=f"inbox {broker.client_id}", daemon=True)

    @property
    def status(self) -> Status:
        """How the intake fares now."""
        age_s = None if self._last_s is None else time.monotonic() - self._last_s
        link = self._link
        return Status(
            state=link.state,
            error=link.error,
            inbox_error=self._inbox_error,
            received=self._received,
            stored=self._stored,
            ignored=self._ignored,
            reconnects=max(link.session - 1, 0),
            last_message_age_s=age_s,
        )

    def start(self) -> None:
        """Begin to connect and to store; returns at once, also where no broker answers yet."""
        self._thread.start()
        self._link.start()

    def wait_connected(self, timeout_s: float) -> None:
        """Wait until connected and subscribed; raises ``Unavailable`` when that takes longer."""
        self._link.wait_connected(timeout_s)

    def reconnect(self) -> None:
        """Cut the connection and connect anew, for a line that has gone silent though it looks alive."""
        self._link.reconnect()

    def stop(self) -> None:
        """Store and acknowledge what is there, then disconnect; the broker keeps what comes later."""
        self._stopping.set()
        self._thread.join()
        self._link.stop()

    def _on_message(self, client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        self._last_s = time.monotonic()
        payload = bytes(message.payload)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        # A retained bare number would pass for a fresh measurement at each connect.
        if not topic or (message.retain and not payload.lstrip().startswith(b"{")):
            self._ignored += 1
            client.ack(message.mid, message.qos)
            return
        raw = _Raw(self._link.session, message.mid, message.qos, self._clock_us(), topic, payload)
        while not self._stopping.is_set():
            try:
                self._queue.put(raw, timeout=_POLL_S)
            except queue.Full:
                continue
            self._received += 1
            return

    def _ingest(self) -> None:
        while True:
            group = self._waiting()
            if group:
                if not self._store(group):
                    return
            elif self._stopping.is_set():
                return

    def _waiting(self) -> list[_Raw]:
        """Take what waits, or nothing after a moment."""
        group: list[_Raw] = []
        try:
            group.append(self._queue.get(timeout=_POLL_S))
            while len(group) < _GROUP:
                group.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return group

    def _store(self, group: list[_Raw]) -> bool:
        """Store and acknowledge; False where we were told to stop while the disk took nothing."""
        rows = [(raw.received_us, raw.topic, raw.payload) for raw in group]
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                last_id = self._inbox.append(rows)
                break
            except InboxUnavailable as error:
                if not self._inbox_error:
                    _LOG.error("messages are not acknowledged: %s", error)
                self._inbox_error = str(error)
                if self._stopping.wait(pause_s):
                    return False
                pause_s = min(2.0 * pause_s, _LONGEST_PAUSE_S)
        if self._inbox_error:
            _LOG.info("messages are stored again")
            self._inbox_error = ""
        for raw in group:
            # Message ids of an earlier connection may mean other messages by now; those come again.
            if raw.qos and raw.session == self._link.session:
                self._link.client.ack(raw.mid, raw.qos)
        self._stored += len(group)
        if self._on_stored is not None:
            self._on_stored(last_id)
        return True


class Publisher:
    """Publishes with a bounded number of messages under way.

    Parameters
    ----------
    broker
        Where to connect, with a client id of its own.
    max_waiting
        Messages that may be unacknowledged; ``publish`` waits beyond it.
    will, greeting
        Left with the broker for our sudden end; published at each connect.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        max_waiting: int = 1000,
        will: Letter | None = None,
        greeting: Letter | None = None,
    ) -> None:
        self._link = _Link(broker, persistent=False, will=will, greeting=greeting)
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._under_way: deque[paho.MQTTMessageInfo] = deque()

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._link.state

    @property
    def error(self) -> str:
        """Why it is not connected; empty when all is well."""
        return self._link.error

    @property
    def session(self) -> int:
        """How often it has connected; what a broker retained before may be gone with each."""
        return self._link.session

    @property
    def waiting(self) -> int:
        """Number of messages that the broker has not acknowledged."""
        with self._lock:
            self._forget_published()
            return len(self._under_way)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._link.start()

    def wait_connected(self, timeout_s: float) -> None:
        """Wait for the connection; raises ``Unavailable`` when it does not come in time."""
        self._link.wait_connected(timeout_s)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1, timeout_s: float = 10.0
    ) -> None:
        """Hand over one message; with QoS 1 it is sent again until the broker has it.

        Raises
        ------
        Unavailable
            Too many messages are under way for ``timeout_s``, or QoS 0 without a connection.
        """
        with self._lock:
            if not self._wait_below(self._max_waiting, timeout_s):
                raise Unavailable(f"{self._max_waiting} messages are unacknowledged after {timeout_s:g} s")
            info = self._link.client.publish(topic, payload, qos, retain)
            if info.rc == paho.MQTT_ERR_QUEUE_SIZE or (qos == 0 and info.rc != paho.MQTT_ERR_SUCCESS):
                raise Unavailable(f"message not taken: {self._link.error or 'no connection yet'}")
            if qos:
                # Without a connection it is queued all the same, but waiting for it would raise.
                info.rc = paho.MQTT_ERR_SUCCESS
                self._under_way.append(info)

    def wait_all(self, timeout_s: float = 30.0) -> bool:
        """Wait until the broker has acknowledged everything; False when the time is over."""
        with self._lock:
            return self._wait_below(1, timeout_s)

    def stop(self) -> None:
        """Disconnect; what is not acknowledged is given up (see ``wait_all``)."""
        self._link.stop()

    def _wait_below(self, limit: int, timeout_s: float) -> bool:
        """Wait until fewer than ``limit`` messages are under way."""
        deadline_s = time.monotonic() + timeout_s
        while len(self._under_way) >= limit:
            self._forget_published()
            left_s = deadline_s - time.monotonic()
            if len(self._under_way) < limit:
                break
            if left_s <= 0.0:
                return False
            self._under_way[0].wait_for_publish(left_s)
        return True

    def _forget_published(self) -> None:
        while self._under_way and self._under_way[0].is_published():
            self._under_way.popleft()
