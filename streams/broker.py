"""What there is to know of a connection to a broker: how to reach it, where it stands, what it carries."""

from enum import Enum
from typing import NamedTuple

from msgspec import Struct


class Unavailable(Exception):
    """The broker cannot be reached or does not take messages now; trying again later is right."""


class State(Enum):
    """Where a connection stands."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    REFUSED = "refused"


class Broker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a broker.

    Attributes
    ----------
    host, port
        Where it listens.
    client_id
        Fixed, and one per client: the broker keeps our session under this name.
    username, password
        None for a broker without them.
    tls
        Encrypt; with ``ca_file`` for a private authority, ``cert_file`` and ``key_file`` for a client certificate.
    keepalive_s
        After how long without a sign of life the connection counts as lost [s].
    """

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str = "potline"
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: int = 30


class Letter(NamedTuple):
    """One message of ours: a last will, a greeting at each connect, or a publication."""

    topic: str
    payload: bytes
    retain: bool = True
    qos: int = 1


class Status(NamedTuple):
    """How the intake fares.

    Attributes
    ----------
    state
        Of the connection.
    error
        Why it is not connected or a subscription was refused; empty when all is well.
    inbox_error
        Why messages cannot be stored; empty when all is well.
    received, stored
        Messages since the start; the difference waits in memory and is not acknowledged.
    ignored
        Retained bare numbers, which have no time of their own, and topics that are not UTF-8.
    reconnects
        How often a connection was lost.
    last_message_age_s
        Since the last message arrived [s]; None before the first.
    """

    state: State
    error: str
    inbox_error: str
    received: int
    stored: int
    ignored: int
    reconnects: int
    last_message_age_s: float | None
