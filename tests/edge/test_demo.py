"""The demo as its first user sees it: alarms, page, summary; with Mosquitto and without."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.cli import main
from tests.edge.recorded import Summary, summary_of

POTLINE = Path(sys.executable).parent / "potline"


class Demo:
    """``potline demo`` in a process of its own."""

    def __init__(self, *arguments: str, path: str | None = None) -> None:
        environment = os.environ | {"PYTHONSAFEPATH": "1"}
        if path is not None:
            environment["PATH"] = path
        self._process = subprocess.Popen(
            [str(POTLINE), "demo", "--headless", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self.errors: list[str] = []
        self._drain = threading.Thread(target=self.errors.extend, args=(self._process.stderr,))
        self._drain.start()
        self.said: list[str] = []

    def url(self) -> str:
        """Read on until the page is up."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line)
            if found := re.search(r"http://\S+", line):
                return found.group()
        raise AssertionError("".join(self.said + self.errors))

    def press_ctrl_c(self) -> None:
        """As a terminal does it: to the whole process group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def finished(self) -> Summary:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.said += self._process.stdout.readlines()
        code = self._process.wait(60)
        self._drain.join()
        for stream in (self._process.stdout, self._process.stderr):
            stream.close()
        assert code == 0, "".join(self.said + self.errors)
        return summary_of("".join(self.said))


def balanced(summary: Summary) -> bool:
    parts = ("points_written", "points_quarantined", "points_waiting")
    return summary["points_accepted"] == sum(summary[part] for part in parts)


@pytest.mark.mosquitto
@pytest.mark.chromium
def test_page_of_the_running_demo(tmp_path: Path) -> None:
    from tests.browser import browsing

    demo = Demo("--duration", "40", "--speed", "300", "--seed", "1")
    url = demo.url()
    outside: list[str] = []
    with browsing(outside) as context:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".tile")
        assert page.locator(".tile").count() == 24
        # On a small screen what is less urgent waits behind a button.
        page.wait_for_selector("[data-id*=anode_slow_pickup]", state="attached", timeout=60_000)
        if page.locator("#alarm-more").is_visible():
            page.locator("#alarm-more").click()
        page.wait_for_selector("[data-id*=anode_slow_pickup]", timeout=60_000)
        page.wait_for_selector("[data-id*=ledge_thinning]", timeout=60_000)
        page.wait_for_timeout(3000)
        assert page.locator("canvas").count() >= 4
        shot = Path(os.environ.get("POTLINE_SCREENSHOT", str(tmp_path / "console.png")))
        page.screenshot(path=str(shot))
        assert shot.stat().st_size > 50_000
    assert outside == []
    summary = demo.finished()
    assert summary["cells"] == 24
    assert summary["messages"] > 5000
    assert summary["frames"] > 500
    assert summary["late"] == 0
    assert summary["dead_letters"] == 0
    assert summary["alarms"] >= 2
    assert balanced(summary)


@pytest.mark.mosquitto
def test_ctrl_c_ends_it_well_and_soon() -> None:
    demo = Demo("--cells", "6", "--speed", "60")
    demo.url()
    time.sleep(4.0)
    began = time.monotonic()
    demo.press_ctrl_c()
    summary = demo.finished()
    assert time.monotonic() - began < 8.0
    assert demo.errors == []
    assert summary["messages"] > 50
    assert balanced(summary)


def test_does_not_mix_with_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plant.toml").write_text("", encoding="utf-8")
    assert main(["demo", "--headless", "--keep", str(tmp_path)]) == 1
    assert f"{tmp_path} is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["plant.toml"]


def test_without_mosquitto_on_the_path() -> None:
    demo = Demo("--duration", "8", "--cells", "25", "--speed", "60", path=str(POTLINE.parent))
    summary = demo.finished()
    assert "broker: amqtt" in "".join(demo.said)
    assert summary["cells"] == 25
    assert summary["messages"] > 500
    assert balanced(summary)
