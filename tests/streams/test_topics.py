"""Topic templates: the three layouts of the contract, and what cannot be a template."""

import pytest

from streams.topics import Match, Template, TopicError, split_element, without_covered
from twin.signals import SIGNALS

SCALAR = "{site}/{line}/{cell}/{signal}"
SNAPSHOT = "{site}/{line}/{cell}"
UNS = "umh/v1/{enterprise}/{site}/{area}/{line}/{cell}/_historian/{tag}"


def match(template: str, topic: str) -> Match | None:
    return Template(template).match(topic.split("/"), SIGNALS)


@pytest.mark.parametrize(
    ("template", "topic", "kind", "cell", "signal", "number"),
    [
        (SCALAR, "s/L1/c/cell_voltage_V", "scalar", "c", "cell_voltage_V", 0),
        (SCALAR, "s/L1/c/anode_current_A/07", "scalar", "c", "anode_current_A", 7),
        (SCALAR, "s/L1/c/anode_current_A_07", "scalar", "c", "anode_current_A", 7),
        (SCALAR, "s/L1/line_current_A", "line_scalar", "", "line_current_A", 0),
        (SCALAR, "s/L1/c/event", "event", "c", "", 0),
        (SNAPSHOT, "s/L1/c", "snapshot", "c", "", 0),
        (SNAPSHOT, "s/L1/c/event", "event", "c", "", 0),
        (SNAPSHOT, "s/L1/c/sample", "sample", "c", "", 0),
        (SNAPSHOT, "s/L1", "line_snapshot", "", "", 0),
        (SNAPSHOT, "s/L1/line_current_A", "line_scalar", "", "line_current_A", 0),
        (UNS, "umh/v1/e/s/ar/L1/c/_historian/cell_voltage_V", "scalar", "c", "cell_voltage_V", 0),
        (UNS, "umh/v1/e/s/ar/L1/_historian/line_current_A", "line_scalar", "", "line_current_A", 0),
        (UNS, "umh/v1/e/s/ar/L1/c/event", "event", "c", "", 0),
    ],
)
def test_match(template: str, topic: str, kind: str, cell: str, signal: str, number: int) -> None:
    assert match(template, topic) == Match(kind, "s", "L1", cell, signal, number)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("topic", ["s", "s/L1/c/x/y/z", "umh/v2/e/s/ar/L1/c/_historian/t", ""])
@pytest.mark.parametrize("template", [UNS, SCALAR, SNAPSHOT])
def test_no_match(template: str, topic: str) -> None:
    assert match(template, topic) is None


@pytest.mark.parametrize("template", [SCALAR, SNAPSHOT, UNS])
def test_filters_cover_the_family(template: str) -> None:
    filters = Template(template).filters({"site": "s"})
    assert without_covered(filters) == filters
    assert all("{" not in f and "/s/" in f"/{f}" for f in filters)
    for topic in ("s/L1/c", "s/L1/c/event", "s/L1/line_current_A", "s/L1/c/anode_current_A/07", "s/L1"):
        if match(template, topic):
            hits = [f for f in filters if covers(f, topic)]
            assert len(hits) == 1, (topic, hits)


def covers(pattern: str, topic: str) -> bool:
    a, b = pattern.split("/"), topic.split("/")
    return len(a) == len(b) and all(x in ("+", y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{site}/{pot}", "is not a field"),
        ("{site}/{cell}/{cell}", "twice"),
        ("{site}/{line}", "no {cell}"),
        ("{site}/{signal}/{cell}", "must be the last"),
        ("{site}/+/{cell}", "literal or one field"),
        ("{site}//{cell}", "literal or one field"),
        ("{site}/x{cell}", "literal or one field"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(TopicError, match=says):
        Template(text)


def test_split_element_leaves_names_alone() -> None:
    assert split_element("cell_voltage_V", SIGNALS) == ("cell_voltage_V", 0)
    assert split_element("cell_voltage_V_x", SIGNALS) == ("cell_voltage_V_x", 0)
    assert split_element("shell_temp_C/3", SIGNALS) == ("shell_temp_C", 3)
