"""The control room in real Chromium, with zero tolerance: whatever the browser complains of fails the test.

A `Room` is one browser page of one person. Complaints are: errors and warnings of the console, exceptions, requests
that failed, answers of 400 and above, requests to another host, violations of the content policy. A test that provokes
one of them announces it by its address with `room.expect(...)`.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.services.city import City, Client, wait_for
from tests.services.hurry import Hurry

SIZES = {1920: 1080, 1366: 768, 390: 844}
MESSAGES = Path(__file__).parents[2] / "dashboards/control_room/src/lib/i18n"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
    "preload": False,
}
_POLICY = """document.addEventListener('securitypolicyviolation',
  (event) => console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`))"""
_DRAWN = """document.fonts.ready.then(() =>
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0)))))"""
_TURN = "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }"
_WAITING = """() => [...document.querySelectorAll('main .skeleton')]
  .map((e) => `no value: ${e.closest('li, dd, .tile, td, p')?.textContent ?? 'a skeleton'}`)"""


class Room:
    """One page of the control room, and everything that Chromium said about it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.add_init_script(_POLICY)
        self.page = self._watch(context.new_page())
        self.page.set_default_timeout(10_000)

    def _watch(self, page: Page) -> Page:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._complain(f"exception: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._asked)
        page.on("response", self._answered)
        return page

    def _complain(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self._expected):
            self.complaints.append(text)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complain(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        # A page that is left takes its requests with it; the browser calls that ERR_ABORTED.
        if request.failure != "net::ERR_ABORTED":
            self._complain(f"request failed: {request.failure} {request.url}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.url).netloc:
            self._complain(f"request to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._complain(f"answer {response.status}: {response.request.method} {response.url}")

    @contextmanager
    def expect(self, *patterns: str) -> Iterator[None]:
        """Announce complaints that match (regular expressions over the whole line)."""
        before = self._expected
        self._expected = [*before, *(re.compile(pattern) for pattern in patterns)]
        try:
            yield
        finally:
            self.page.evaluate("0")  # lets the events that are on their way arrive
            self._expected = before

    def load(self, path: str) -> Page:
        """Load a page from the server."""
        self.page.goto(self.url + path)
        return self.settle()

    def go(self, path: str) -> Page:
        """Go to a page inside the application, as the back button does."""
        self.turn(path)
        return self.settle()

    def turn(self, path: str) -> Page:
        """The same without waiting for what it fetches."""
        self.page.evaluate(_TURN, path)
        return self.page

    def settle(self) -> Page:
        """Wait until nothing is being fetched, the fonts are there and two frames are drawn."""
        # Locators and not wait_for_function: that one needs eval, which the content policy forbids, and rightly.
        self.page.locator("main h1").first.wait_for(state="attached")
        expect(self.page.locator('main [aria-busy="true"]')).to_have_count(0, timeout=10_000)
        self.page.evaluate(_DRAWN)
        return self.page

    def waiting(self) -> list[str]:
        """Return the values that are still not there after 5 s."""
        try:
            expect(self.page.locator("main .skeleton")).to_have_count(0, timeout=5_000)
        except AssertionError:
            return list(self.page.evaluate(_WAITING))
        return []

    def language(self, language: str) -> None:
        """Switch by the button of the top bar."""
        if language != ("en" if self.page.evaluate("document.documentElement.lang") == "en" else "zh"):
            self.page.get_by_role("button", name=re.compile("Switch to English|切換為中文")).click()
        self.page.locator(f"html[lang^={language}]").wait_for(state="attached")

    def theme(self, theme: str) -> None:
        """Switch by F9."""
        if self.page.evaluate("document.documentElement.dataset.theme") != theme:
            self.page.keyboard.press("F9")
        self.page.locator(f"html[data-theme={theme}]").wait_for(state="attached")

    def size(self, width: int) -> None:
        """Set one of the three sizes of window."""
        self.page.set_viewport_size({"width": width, "height": SIZES[width]})

    def axe(self, scope: str = "html") -> list[str]:
        """Return what axe finds serious or critical, one line a rule."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("([scope, options]) => axe.run(scope, options)", [scope, AXE])
        return [
            f"axe {item['id']} ({item['impact']}): {item['help']}; {len(item['nodes'])} times, "
            f"first {item['nodes'][0]['html'][:200]}"
            for item in found["violations"]
            if item["impact"] in {"serious", "critical"}
        ]

    def picture(self, name: str) -> None:
        """Save a picture where SHIFU_SCREENSHOTS says."""
        if folder := os.environ.get("SHIFU_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


class Building:
    """Opens rooms for people, and keeps what all of them complained of."""

    def __init__(self, browser: Browser, url: str, people: Callable[[str], Client]) -> None:
        self._browser = browser
        self._url = url
        self._people = people
        self.rooms: list[Room] = []
        self._last_words: list[str] = []

    def room(self, role: str | None, *, width: int = 1920, **options: Any) -> Room:
        """A new window of somebody who is signed in, or of nobody."""
        context = self._browser.new_context(
            viewport={"width": width, "height": SIZES[width]}, locale="zh-TW", timezone_id="Asia/Taipei", **options
        )
        if role:
            context.add_cookies(
                [
                    {
                        "name": c.name,
                        "value": c.value or "",
                        "url": self._url,
                        "sameSite": "Strict",
                        "httpOnly": True,
                    }
                    for c in self._people(role).cookies
                ]
            )
            context.add_init_script(
                "localStorage.getItem('shifu.session') ?? localStorage.setItem('shifu.session', 'in')"
            )
        room = Room(context, self._url)
        self.rooms.append(room)
        return room

    def complaints(self) -> list[str]:
        """Return and forget what the browser said."""
        found, self._last_words = self._last_words, []
        for room in self.rooms:
            room.page.evaluate("0")  # lets the events that are on their way arrive
            found += room.complaints
            room.complaints = []
        return found

    def close(self, rooms: list[Room]) -> None:
        """Close windows; what they said until now counts, what they would say from now on interests nobody."""
        self._last_words = self.complaints()
        for room in rooms:
            self.rooms.remove(room)
            room.context.close()


@contextmanager
def furnished(url: str, people: Callable[[str], Client]) -> Iterator[Building]:
    """Yield what Chromium shows of the control room at `url`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=ARGUMENTS
        )
        yield Building(browser, url, people)
        browser.close()


def people_of(house: Hurry) -> Callable[[str], Client]:
    """Return who gives the signed-in client of a role; a role's link works once, so each is kept."""

    @functools.cache
    def person(role: str) -> Client:
        found = Client(house.url)
        found.sign_in(f"#token={house.links[role]}")
        return found

    return person


@pytest.fixture(scope="session")
def whole_city(city: City, people: Callable[[str], Client]) -> City:
    """The city when every device has reported once."""
    client = people("viewer")

    def missing() -> list[str]:
        return [item["id"] for item in client.all("/devices") if item["state"] != "good"]

    wait_for(lambda: not missing(), 240, lambda: f"no report of {missing()}")
    return city


@pytest.fixture(scope="module")
def building(city: City, people: Callable[[str], Client]) -> Iterator[Building]:
    """Chromium for one module: its event loop may not stay while tests of other folders run theirs."""
    with furnished(city.url, people) as found:
        yield found


@pytest.fixture(autouse=True)
def silence(request: pytest.FixtureRequest, building: Building) -> Iterator[None]:
    """Fail a test whose browser complained; close the windows that the test itself opened."""
    for shared in ("window", "room"):
        if shared in request.fixturenames:
            request.getfixturevalue(shared)
    before = list(building.rooms)
    yield
    complaints = building.complaints()
    building.close([room for room in building.rooms if room not in before])
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)


@pytest.fixture(scope="module")
def window(building: Building) -> Room:
    """The window of an operator, for all tests of a module."""
    room = building.room("operator")
    room.load("/")
    return room


@pytest.fixture
def operator(window: Room) -> Room:
    """The operator's window as an operator finds it: Chinese, night, nothing open over the page."""
    if window.page.locator("dialog[open]").count():
        window.load("/")
    window.language("zh")
    window.theme("night")
    window.size(1920)
    return window


def slashed(address: str) -> str:
    """Return an address as pages write it in theirs: with slashes."""
    return address.replace(".", "/").replace("#", "%23")


def messages(language: str) -> dict[str, str]:
    """Return the words of the application by key, read from its source."""
    text = "".join(path.read_text("utf-8") for path in sorted((MESSAGES / language).glob("*.ts")))
    return {
        key: value.replace("\\'", "'")
        for key, value in re.findall(r"^\s*'([^']+)':\s*'((?:[^'\\]|\\.)*)',?\s*$", text, re.MULTILINE)
    }


# All that a person can read or hear: text and the attributes that are spoken, without what says it is Chinese.
WORDS = """() => {
  const out = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  const root = document.documentElement;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.nodeType === 3 ? node.parentElement : node;
    if (element.closest('#guard, noscript, script') || element.closest('[lang]') !== root) continue;
    if (node.nodeType === 3) out.add(node.data.trim());
    else for (const name of ['aria-label', 'title', 'placeholder', 'alt']) out.add(element.getAttribute(name) ?? '');
  }
  out.delete('');
  return [...out];
}"""
WIDTHS = """() => Object.entries({ page: document.scrollingElement, content: document.querySelector('#content'),
    bar: document.querySelector('header.top'), banner: document.querySelector('.banner') })
  .filter(([, e]) => e && e.scrollWidth > Math.min(e.clientWidth, innerWidth) + 1)
  .map(([name, e]) => `${name} is ${e.scrollWidth} px wide in ${e.clientWidth}`)"""
_CHINESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\u3000-\u303f\uff00-\uffef]")
ZH = messages("zh-TW")
EN = messages("en")
_KEY = re.compile(rf"(?<![\w.])(?:{'|'.join(re.escape(key) for key in ZH)})(?![\w.])")
_UNFILLED = re.compile(r"\{\w+\}|\bundefined\b|\bNaN\b|\[object|\bnull\b|\bInfinity\b")


def untranslated(words: list[str], language: str) -> list[str]:
    """Return words that belong to no language or to the other one."""
    found = [f"raw: {word[:80]}" for word in words if _KEY.search(word) or _UNFILLED.search(word)]
    if language == "en":
        return found + [f"Chinese in English: {word[:80]}" for word in words if _CHINESE.search(word)]
    # Abbreviations of the trade are the same word in both languages, and people are called what they are called.
    words = [word for word in words if word not in {"COP", "operator"}]
    english = {value for key, value in EN.items() if ZH[key] != value and re.search("[A-Za-z]{3}", value)} - set(
        ZH.values()
    )
    return found + [f"English in Chinese: {word}" for word in words if word in english]
