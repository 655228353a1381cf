"""A real browser for page tests: Debian's Chromium, driven by playwright, cut off from everything but our server."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Route, sync_playwright

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    """Find Chromium; without it a test is skipped, except in CI, where that is a failure."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("chromium is not on the PATH: apt-get install chromium")
        pytest.skip("chromium is not on the PATH: apt-get install chromium")
    return path


@contextmanager
def browsing(outside: list[str], locale: str = "en-GB") -> Generator[BrowserContext]:
    """Open a fresh browser profile; every request that does not go to 127.0.0.1 is refused and noted in ``outside``."""

    def guard(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    path = chromium_path()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        context = browser.new_context(locale=locale, viewport={"width": 1920, "height": 1080})
        context.route("**/*", guard)
        try:
            yield context
        finally:
            context.close()
            browser.close()
