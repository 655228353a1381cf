"""Puts live alarms and the gateway's own state on MQTT, below ``{site}/{line}/_potline/``."""

import logging
import time
from collections.abc import Mapping, Sequence

from msgspec import json, structs

from edge.alarms import Alarm, AlarmEvent
from streams.mqtt import Broker, Letter, Publisher, State, Unavailable
from streams.plant_file import Plant

log = logging.getLogger(__name__)

_ONLINE = b'{"online":true}'
_OFFLINE = b'{"online":false}'
_ANSWER_S = 1.0
_GOODBYE_S = 2.0


def status_topic(site: str, line: str) -> str:
    """Where the gateway says of a line that it watches it; retained, with a last will."""
    return f"{site}/{line}/_potline/status"


def alarm_topic(site: str, event: AlarmEvent) -> str:
    """One topic a live alarm, the same from raise to clear."""
    where = event.side or ("" if event.anode is None else f"anode_{event.anode:02d}")
    parts = (site, event.line, "_potline", "alarm", event.cell or "_line", event.kind, where)
    return "/".join(part for part in parts if part)


class Announcer:
    """Publishes alarm transitions, retained while an alarm stands, and removes what is over.

    Every line has a connection of its own, because a connection has only one last will and each line's status needs
    one. While the broker is away nothing is queued: after each connect every live alarm is published anew, as the
    transition that it saw last, for a broker may have lost what it retained.

    Parameters
    ----------
    plant
        Gives the topics.
    broker
        Where to connect; each line's client id is this one's with the line's name behind it.
    """

    def __init__(self, plant: Plant, broker: Broker) -> None:
        self._voices = {line: _Voice(plant.site, line, broker) for line in plant.lines}

    def start(self) -> None:
        """Begin to connect."""
        for voice in self._voices.values():
            voice.start()

    def tell(self, new: Sequence[AlarmEvent], live: Mapping[tuple[str, str, str, str], Alarm]) -> None:
        """Publish transitions; after a connect, all that is live."""
        standing = [alarm.last for alarm in live.values() if alarm.last is not None]
        for line in {event.line for event in new} - self._voices.keys():
            log.warning("an alarm of line %s is not on MQTT: plant.toml has no such line", line)
        for line, voice in self._voices.items():
            voice.tell(
                [event for event in new if event.line == line],
                [event for event in standing if event.line == line],
            )

    def stop(self) -> None:
        """Say of every line that we are gone, and disconnect."""
        deadline_s = time.monotonic() + _GOODBYE_S
        for voice in self._voices.values():
            voice.farewell()
        for voice in self._voices.values():
            voice.stop(max(0.0, deadline_s - time.monotonic()))


class _Voice:
    """The connection that speaks for one line."""

    def __init__(self, site: str, line: str, broker: Broker) -> None:
        self._site = site
        self._status = status_topic(site, line)
        self._publisher = Publisher(
            structs.replace(broker, client_id=f"{broker.client_id}-{line}"),
            will=Letter(self._status, _OFFLINE),
            greeting=Letter(self._status, _ONLINE),
        )
        self._session = 0
        self._silent = False
        #: Topics of what was over while nobody could be told; it must not stay on the broker.
        self._over: set[str] = set()

    def start(self) -> None:
        self._publisher.start()

    def tell(self, new: Sequence[AlarmEvent], standing: Sequence[AlarmEvent]) -> None:
        session = self._publisher.session
        behind = session != self._session
        letters = [(alarm_topic(self._site, event), _payload(event)) for event in new]
        if behind:
            live = [(alarm_topic(self._site, event), _payload(event)) for event in standing]
            letters = [(topic, b"") for topic in sorted(self._over)] + letters + live
        try:
            if self._publisher.state is not State.CONNECTED:
                raise Unavailable(self._publisher.error or "not connected yet")
            # What the last connection left under way is sent again, and must not overtake newer words.
            if behind and not self._publisher.wait_all(_ANSWER_S):
                raise Unavailable("the broker does not answer")
            for topic, payload in letters:
                self._publisher.publish(topic, payload, retain=True, timeout_s=_ANSWER_S)
        except Unavailable as error:
            if not self._silent and letters:
                log.warning("alarms are not on MQTT: %s", error)
            self._silent = self._silent or bool(letters)
            self._session = 0
            self._over.update(topic for topic, payload in letters if not payload)
        else:
            self._session, self._silent = session, False
            self._over.clear()

    def farewell(self) -> None:
        if self._publisher.state is State.CONNECTED:
            try:
                self._publisher.publish(self._status, _OFFLINE, retain=True, timeout_s=_ANSWER_S)
            except Unavailable as error:
                log.warning("%s stays as it is: %s", self._status, error)

    def stop(self, timeout_s: float) -> None:
        if self._publisher.state is State.CONNECTED:
            self._publisher.wait_all(timeout_s)
        self._publisher.stop()


def _payload(event: AlarmEvent) -> bytes:
    """What stands on an alarm's topic: its newest transition, nothing once it is normal."""
    return b"" if event.state == "NORM" else json.encode(event)
