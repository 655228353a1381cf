"""The console as a browser, a health check and a script see it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from edge.board import CONNECTED, Board, CauseRow
from edge.console import Console
from tests.browser import browsing
from tests.edge.boards import (
    MINUTE_US,
    N_CELLS,
    SCRIPT,
    T0_US,
    FakeClock,
    alarm,
    changes_of,
    fill_cells,
    fill_trends,
    make_board,
)
from twin.observer import STATUS_REASONS

pytestmark = pytest.mark.timeout(120)


def get(console: Console, path: str) -> tuple[int, Any, dict[str, str]]:
    try:
        with urllib.request.urlopen(console.url + path.lstrip("/"), timeout=5) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read()), dict(refused.headers)


@pytest.fixture
def served() -> Iterator[tuple[Board, Console]]:
    board = make_board()
    console = Console(board, port=0)
    console.start()
    yield board, console
    console.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[tuple[BrowserContext, list[str]]]:
    outside: list[str] = []
    with browsing(outside) as context:
        yield context, outside


@pytest.fixture
def page(browser: tuple[BrowserContext, list[str]]) -> Iterator[tuple[Page, list[str]]]:
    context, outside = browser
    errors: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened, errors
    opened.close()
    assert not outside, "the page asked for something that is not on the gateway"


# The routes


def test_routes_answer_and_refuse(served: tuple[Board, Console]) -> None:
    board, console = served
    fill_cells(board)
    fill_trends(board, 3)
    board.update_alarms([alarm(1, 7)])
    status, line, headers = get(console, "/api/line")
    assert status == 200
    assert line["figures"]["cell_voltage_V"][:2] == [4.15, None]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    _, alarms, _ = get(console, "/api/alarms")
    assert alarms["alarms"][0]["evidence"] == {"deficit_A": 2810.4, "age_h": None}
    assert alarms["alarms"][0]["causes"][0]["text_zh"] == "卡具接触不良"
    _, trends, _ = get(console, "/api/cell/L1-007/trends")
    assert trends["anode_current_A"][11] == [4000.0] * 3
    assert get(console, f"/api/cell/L1-007/trends?since_us={T0_US - MINUTE_US}")[1]["bath_temp_C"] == [958.0]
    status, answer, _ = get(console, "/api/cell/L9-999/trends")
    assert status == 404
    assert "L9-999" in answer["error"]
    assert get(console, "/api/cell/L1-007/trends?since_us=soon")[0] == 400
    assert get(console, "/livez")[0] == 200


@pytest.mark.parametrize(
    "path", ["", "api/line", "api/alarms", "api/figures", "api/cell/L1-001/trends", "events"]
)
def test_nothing_can_be_written(served: tuple[Board, Console], path: str) -> None:
    _, console = served
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        request = urllib.request.Request(console.url + path, data=b"{}", method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        with refused.value:
            assert refused.value.code == 405


def test_ready_only_with_a_broker_and_fresh_data() -> None:
    clock = FakeClock()
    board = make_board(clock=clock)
    console = Console(board, port=0)
    console.start()
    try:
        status, answer, _ = get(console, "/readyz")
        assert status == 503
        assert answer["reasons"] == ["broker is not connected", "no data yet"]
        fill_cells(board)
        board.update_figures({"broker": CONNECTED})
        clock.now_s += 59.0
        assert get(console, "/readyz")[0] == 200
        clock.now_s += 2.0
        assert get(console, "/readyz")[1]["reasons"] == ["no data for 61 s"]
        fill_cells(board)
        board.update_figures({"broker": "disconnected"})
        assert get(console, "/readyz")[1]["reasons"] == ["broker is disconnected"]
    finally:
        console.stop()


def test_stop_ends_open_streams_and_frees_the_port(served: tuple[Board, Console]) -> None:
    _, console = served
    with urllib.request.urlopen(console.url + "events", timeout=5) as stream:
        while stream.readline() != b"event: figures\n":
            pass
        console.stop()
        assert stream.read().startswith(b"data: {")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(console.url, timeout=2)


# The page


def open_page(page: Page, console: Console, language: str = "en") -> None:
    page.goto(f"{console.url}?lang={language}")
    page.wait_for_selector(".chart canvas")


def painted(page: Page, chart: str) -> int:
    """Count the pixels of a chart that are neither empty nor grey."""
    return page.evaluate(
        """(chart) => {
            const canvas = document.querySelector(`[data-chart=${chart}] canvas`);
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let coloured = 0;
            for (let i = 0; i < data.length; i += 4) {
              const spread = Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
              if (data[i + 3] > 100 && spread > 60) coloured += 1;
            }
            return coloured;
        }""",
        chart,
    )


@pytest.mark.chromium
def test_page_shows_the_line_the_alarm_and_its_anode(
    served: tuple[Board, Console], page: tuple[Page, list[str]]
) -> None:
    board, console = served
    shown, errors = page
    fill_cells(board)
    fill_trends(board)
    board.update_alarms([alarm(1, 7), alarm(2, 3, priority=4, state="ACKED", anode=None)])
    board.update_changes(changes_of("L1-007"))
    open_page(shown, console)
    expect(shown.locator(".tile")).to_have_count(N_CELLS)
    expect(shown.locator(".tile").first.locator(".voltage")).to_have_text("4.150 V")
    expect(shown.locator("#simulated")).to_have_text("Simulated plant, 60× speed")
    # 2025-06-15 15:07 UTC is 23:07 in the plant.
    expect(shown.locator("#clock")).to_have_text("2025-06-15 23:07:00")
    rows = shown.locator(".alarm")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("L1-007")
    expect(rows.first).to_contain_text("Check the clamp.")
    expect(rows.first).to_contain_text("23:02")
    expect(rows.first).to_contain_text("5 min")
    expect(rows.first.locator(".badge")).to_have_class("badge priority-3 waits")
    expect(rows.nth(1).locator(".badge")).to_have_class("badge priority-4")
    expect(shown.locator("#line-energy li")).to_have_text(
        "Line L1  AC 13 034 kWh/t · To 13 000 +34 · To 13 350 −316 · Coverage 99 %".replace(
            " 0", "\u20090"
        ).replace("13 350", "13\u2009350")
    )
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-007")
    expect(shown.locator("#detail")).to_contain_text("Level")
    expect(shown.locator("#detail")).to_contain_text("Coverage %97")
    expect(shown.locator("#cell-alarms")).to_contain_text("poor clamp contact")
    expect(shown.locator("#cell-changes li")).to_have_text(
        [
            "anode 2006-15 21:07not judged yet",
            "anode 1206-14 23:07picks up slowly71 % · known after 12 h 00 min · not logged",
            "anode 406-13 23:07on time102 % · half load 7.6 h, expected 6.1 to 10.2 · known after 1 d 0 h",
        ]
    )
    expect(shown.locator(".chart")).to_have_count(4)
    shown.wait_for_timeout(200)
    assert painted(shown, "anodes") > 200, "the alarmed anode is not drawn in colour"
    assert painted(shown, "voltage") == 0, "colour where nothing is abnormal"
    for chart in ("voltage", "anodes", "bath", "energy"):
        expect(shown.locator(f"[data-chart={chart}] .empty")).to_be_hidden()
    assert errors == []


@pytest.mark.chromium
def test_texts_of_others_stay_texts(served: tuple[Board, Console], page: tuple[Page, list[str]]) -> None:
    board, console = served
    shown, errors = page
    fill_cells(board)
    fill_trends(board, 3)
    board.update_alarms([alarm(1, 2, title_en=SCRIPT, action_en=SCRIPT, causes=[CauseRow(SCRIPT, "", 1.0)])])
    board.update_figures({"broker": SCRIPT, SCRIPT: SCRIPT})
    open_page(shown, console)
    expect(shown.locator(".tile").nth(1).locator(".why")).to_have_text(SCRIPT)
    expect(shown.locator(".tile").nth(1)).to_have_class("tile unassessed waits selected")
    expect(shown.locator("#cell-reason")).to_contain_text(SCRIPT)
    expect(shown.locator("#gateway")).to_contain_text(SCRIPT)
    assert shown.locator("img").count() == 0
    assert shown.title() == "Potline console"
    assert errors == []


@pytest.mark.chromium
def test_language_is_switched_and_remembered(
    served: tuple[Board, Console], page: tuple[Page, list[str]]
) -> None:
    board, console = served
    shown, _ = page
    fill_cells(board)
    fill_trends(board, 3)
    board.update_alarms([alarm(1, 7)])
    board.update_changes(changes_of("L1-007"))
    shown.goto(console.url)
    expect(shown.locator("#line h2")).to_contain_text("Cells")
    shown.get_by_role("button", name="中文").click()
    expect(shown.locator("#line h2")).to_contain_text("电解槽")
    expect(shown.locator(".alarm").first).to_contain_text("12号阳极电流上升过慢")
    expect(shown.locator("#cell-changes li").nth(1)).to_contain_text(
        "电流上升过慢71 % · 12小时00分后判定 · 未登记"
    )
    expect(shown.locator("[data-chart=voltage]")).to_contain_text("槽电压")
    shown.goto(console.url)
    expect(shown.locator("#line h2")).to_contain_text("电解槽")
    assert shown.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.chromium
def test_both_languages_have_the_same_texts(
    served: tuple[Board, Console], page: tuple[Page, list[str]]
) -> None:
    shown, _ = page
    shown.goto(served[1].url)
    lacking = shown.evaluate(
        """async () => {
            const { TEXTS } = await import("/static/texts.js");
            const whole = (key, value) => typeof value === "string" || ["figure", "reason"].includes(key);
            const keys = (texts) => Object.entries(texts).flatMap(([key, value]) =>
              whole(key, value) ? [key] : Object.keys(value).map((one) => `${key}.${one}`));
            const holes = (texts) => Object.entries(texts).filter(([, value]) => typeof value === "string")
              .map(([key, value]) => key + (value.match(/\\{\\w+\\}/g) ?? []).sort());
            const lacking = (some, others) => some.filter((one) => !others.includes(one));
            const both = [keys, holes].map((of) => [of(TEXTS.en), of(TEXTS.zh)]);
            return both.flatMap(([en, zh]) => [...lacking(en, zh), ...lacking(zh, en)]);
        }"""
    )
    assert lacking == []
    reasons = shown.evaluate('import("/static/texts.js").then(({ TEXTS }) => Object.keys(TEXTS.zh.reason))')
    assert set(STATUS_REASONS.values()) <= set(reasons)


@pytest.mark.chromium
def test_updates_arrive_without_reloading(
    served: tuple[Board, Console], page: tuple[Page, list[str]]
) -> None:
    board, console = served
    shown, errors = page
    shown.goto(f"{console.url}?lang=en")
    expect(shown.locator("#banner")).to_contain_text("No data yet")
    expect(shown.locator("#no-alarms")).to_be_visible()
    fill_cells(board, 4.321)
    expect(shown.locator(".tile").first.locator(".voltage")).to_have_text("4.321 V")
    expect(shown.locator("#banner")).to_be_hidden()
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-001")
    fill_trends(board, 5)
    fill_cells(board, 4.322, T0_US + MINUTE_US)
    expect(shown.locator("[data-chart=voltage] .empty")).to_be_hidden()
    board.update_alarms([alarm(1, 9)])
    expect(shown.locator(".tile").nth(8).locator(".badge")).to_be_visible()
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-009")
    board.update_alarms([alarm(1, 9, state="ACKED")])
    expect(shown.locator(".alarm .badge")).to_have_class("badge priority-3")
    board.update_alarms([])
    expect(shown.locator(".alarm")).to_have_count(0)
    expect(shown.locator(".tile .badge")).to_have_count(0)
    assert errors == []


@pytest.mark.chromium
def test_old_data_and_a_lost_gateway_are_announced(page: tuple[Page, list[str]]) -> None:
    clock = FakeClock()
    board = make_board(clock=clock)
    console = Console(board, port=0)
    console.start()
    shown, _ = page
    fill_cells(board)
    board.update_figures({"broker": CONNECTED})
    shown.goto(f"{console.url}?lang=en")
    expect(shown.locator(".tile")).to_have_count(N_CELLS)
    expect(shown.locator("#banner")).to_be_hidden()
    clock.now_s += 12.0
    expect(shown.locator("#banner")).to_contain_text("Stale: no data for 12 s.")
    expect(shown.locator("body")).to_have_class("old")
    console.stop()
    expect(shown.locator("#banner")).to_contain_text("No connection to the gateway", timeout=10_000)


@pytest.mark.chromium
def test_keyboard_and_alarms_select_cells(
    served: tuple[Board, Console], page: tuple[Page, list[str]]
) -> None:
    board, console = served
    shown, errors = page
    fill_cells(board)
    fill_trends(board, 3)
    board.update_alarms([alarm(1, 7), alarm(2, 5, priority=2, anode=None, side="down")])
    open_page(shown, console)
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-005")
    expect(shown.locator("[data-chart=shell]")).to_be_visible()
    shown.locator(".tile.selected").focus()
    shown.keyboard.press("ArrowRight")
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-005")
    shown.keyboard.press("Enter")
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-006")
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("End")
    shown.keyboard.press("Enter")
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-024")
    shown.locator(".alarm").nth(1).click()
    expect(shown.locator("#cell-name")).to_have_text("Cell L1-007")
    expect(shown.locator("[data-chart=anodes]")).to_be_visible()
    expect(shown.locator(".tile.selected .name")).to_have_text("007")
    assert errors == []


@pytest.mark.chromium
@pytest.mark.parametrize(
    ("n_cells", "size"), [(24, (1366, 768)), (420, (1920, 1080)), (420, (1366, 768)), (24, (390, 844))]
)
def test_layout_holds(page: tuple[Page, list[str]], n_cells: int, size: tuple[int, int]) -> None:
    board = make_board(n_cells)
    fill_cells(board)
    fill_trends(board, 3)
    board.update_alarms([alarm(k, k + 1) for k in range(20)])
    console = Console(board, port=0)
    console.start()
    shown, errors = page
    try:
        shown.set_viewport_size({"width": size[0], "height": size[1]})
        open_page(shown, console)
        expect(shown.locator(".tile")).to_have_count(n_cells)
        grid = shown.locator("#grid").bounding_box()
        last = shown.locator(".tile").last.bounding_box()
        assert grid is not None
        assert last is not None
        assert last["y"] + last["height"] <= grid["y"] + grid["height"] + 1
        assert last["width"] >= 24
        assert last["height"] >= 17
        assert shown.evaluate("document.documentElement.scrollWidth") <= size[0]
        if size[0] > 900:
            assert shown.evaluate("document.documentElement.scrollHeight") <= size[1]
            visible = shown.locator(".alarm:visible").count()
            expect(shown.locator("#alarm-more")).to_have_text(f"{20 - visible} more: show all")
            shown.locator("#alarm-more").click()
            expect(shown.locator(".alarm:visible")).to_have_count(20)
        assert errors == []
    finally:
        console.stop()
