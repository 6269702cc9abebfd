"""The page of the console in a real browser: on a phone and a desktop, light and dark, with keyboard and actions."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import Found, Policies
from resilience.console import serve

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no browser here")]
sync = pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")

RULES = {
    "trade": {"retry": "off", "deadline": "1s", "attempt_timeout": "500ms", "reconcile": {"wait": "10ms"}},
    "prices": {"retry": "off", "breaker": {"consecutive": 2, "open_for": "1h"}},
}
TOKEN = "open-sesame"
POOR = {"code": "43012", "msg": "Insufficient balance", "requestTime": 1, "data": None}
SIZES = [("light", 390, 844), ("dark", 390, 844), ("light", 1280, 900), ("dark", 1280, 900)]


class Bot:
    """A bot in trouble: two writes in doubt, no funds, and an open breaker."""

    def __init__(self) -> None:
        self.policies = Policies.from_mapping({"codes": ["bitget", "http"], "policies": RULES}, log=False)
        self.sent: list[str | None] = []
        self.answers = False
        self.token = ""
        options: dict[str, Any] = {"operation": "create_order", "key": "client_id"}
        self.order = self.policies.resilient("trade", reconcile=self.look_up, **options)(self.send)
        self.bare = self.policies.resilient("trade", operation="send_money", key="client_id")(self.send)
        self.price = self.policies.resilient("prices", operation="fetch_price", idempotent=True)(self.fetch)

    def send(self, answer: Any, *, client_id: str | None = None) -> Any:
        self.sent.append(client_id)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fetch(self) -> None:
        raise ConnectionResetError

    def look_up(self, _call: Any) -> Any:
        if not self.answers:
            raise ConnectionError("down")
        return Found({"orderId": "1638859", "status": "filled", "apiKey": "of-the-account"})

    def get_into_trouble(self) -> None:
        """Make the calls that fail."""
        calls = [
            *((self.order, (TimeoutError("lost"),), {"client_id": f"my-order-{number}"}) for number in (1, 2)),
            (self.bare, (TimeoutError("lost"),), {"client_id": "my-money-1"}),
            *(
                (
                    self.order,
                    ({"code": "43012", "msg": "Insufficient balance", "requestTime": 1, "data": None},),
                    {"client_id": f"poor-{number}"},
                )
                for number in range(3)
            ),
            *((self.price, (), {}) for _ in range(3)),
        ]
        for call, args, kwargs in calls:
            with pytest.raises(Exception):  # noqa: B017, PT011  # each fails in its own way
                call(*args, **kwargs)
        self.answers = True


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        browser.new_page()  # blank: pictures are measured in it
        yield browser
        browser.close()


@pytest.fixture
def bot() -> Bot:
    """A bot in trouble."""
    return Bot()


@pytest.fixture
def url(bot: Bot) -> Iterator[str]:
    """The console of the bot; the trouble comes after its start."""
    with serve(bot.policies) as console:
        bot.token = console.token
        bot.get_into_trouble()
        yield console.url


def opened(
    browser: Any, url: str, problems: list[str], scheme: str = "light", width: int = 1280, height: int = 900
) -> Any:
    """Return the page, when it shows what needs a person; what goes wrong in it is added to `problems`."""
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(url) else problems.append(sent.url))
    page.goto(url)
    page.locator("#needs-list .card").first.wait_for()
    return page


MEASURE = """async (encoded) => {
  const picture = new Image();
  picture.src = 'data:image/png;base64,' + encoded;
  await picture.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const pen = canvas.getContext('2d');
  pen.drawImage(picture, 0, 0);
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  let dark = 0, red = 0;
  for (let at = 0; at < data.length; at += 4) {
    colours.add((data[at] << 16) + (data[at + 1] << 8) + data[at + 2]);
    dark += data[at] + data[at + 1] + data[at + 2] < 384;
    red += data[at] > 150 && data[at] > data[at + 1] + 60;
  }
  return {colours: colours.size, dark: dark / data.length * 4, red: red / data.length * 4};
}"""


def measured(browser: Any, png: bytes) -> Any:
    """Return how many colours a picture has, and the shares of its pixels that are dark, and red."""
    return browser.contexts[0].pages[0].evaluate(MEASURE, base64.b64encode(png).decode())


@pytest.mark.parametrize(("scheme", "width", "height"), SIZES)
def test_a_glance(browser: Any, url: str, scheme: str, width: int, height: int) -> None:
    """What needs a person is on the first screen; nothing is cut off, overlaps, or is empty; nothing goes wrong."""
    problems: list[str] = []
    page = opened(browser, url, problems, scheme, width, height)
    assert page.locator("#health").inner_text() == "4 things need you, 1 breaker rejects calls"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    titles = page.locator("#needs-list h3").all_inner_texts()
    assert titles[:3] == ["Did create_order take effect?"] * 2 + ["Did send_money take effect?"]
    assert "fund" in titles[3].lower()
    assert page.locator("#now-list .row").first.inner_text().startswith("breaker prices")
    assert "3 times" in page.locator("#needs-list").inner_text()
    first = page.locator("#needs-list .card").first.bounding_box()
    assert first["y"] + first["height"] < height
    boxes = [page.locator(name).bounding_box() for name in ("header", "#needs", "#now", "#lately")]
    overlaps = [(one, other) for one in boxes for other in boxes if one is not other and overlap(one, other)]
    assert overlaps == []
    assert (measured(browser, page.screenshot())["dark"] > 0.5) == (scheme == "dark")
    for name in ("#needs", "#now .row", ".figures", "#feed"):
        assert measured(browser, page.locator(name).first.screenshot())["colours"] > 20, f"{name} is empty"
    chart = measured(browser, page.locator("#now-list canvas").first.screenshot())
    assert chart["red"] > 0.002, "no trouble is drawn"
    assert problems == []


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    """Return whether two boxes share more than an edge."""
    return all(
        one[start] + 1 < other[start] + other[size] and other[start] + 1 < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def test_a_write_is_looked_up_by_keyboard(browser: Any, url: str, bot: Bot) -> None:
    """Without a mouse: the button, the token, and the answer of the API, without secrets. Nothing is sent again."""
    problems: list[str] = []
    page = opened(browser, url, problems)
    page.get_by_role("button", name="Look up now: my-order-1").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("the token is missing or wrong").wait_for()
    page.keyboard.type(bot.token)
    page.keyboard.press("Enter")
    page.get_by_text("It took effect: the API has the order.").wait_for()
    shown = page.locator("#needs-list").inner_text()
    assert ("1638859" in shown, "of-the-account" in shown) == (True, False)
    page.get_by_role("button", name="Look up now: my-order-2").press("Space")
    page.get_by_text("Settled").nth(1).wait_for()
    page.get_by_role("button", name="Dismiss").first.press("Enter")
    assert bot.sent.count("my-order-1") == 1
    assert [row["key"] for row in bot.policies.snapshot()["writes_in_doubt"]] == ["my-money-1"]
    disabled = page.get_by_role("button", name="Look up now: my-money-1")
    assert disabled.is_disabled()
    assert "Not possible here: its operation has no lookup" in page.locator("#needs-list").inner_text()
    assert bot.token not in page.content()
    assert [text for text in problems if "401" not in text] == []  # the browser notes the refused token


def test_a_policy_is_isolated_and_released(browser: Any, url: str, bot: Bot) -> None:
    """With a reason, which everybody sees; the token is asked for once, and Escape closes the dialog."""
    problems: list[str] = []
    page = opened(browser, url, problems)
    page.get_by_role("button", name="Isolate…").first.click()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    page.locator("#stop").click()
    page.get_by_label("Reason").fill("the strategy is wrong")
    page.locator("#token").fill(bot.token)
    page.get_by_label("Policy", exact=True).select_option("trade")
    page.get_by_role("button", name="Isolate", exact=True).click()
    page.get_by_text("trade is isolated").wait_for()
    page.get_by_text("Policy trade was isolated by hand: nothing is sent. Reason: the strategy is wrong").wait_for()
    assert [row["policy"] for row in bot.policies.snapshot()["isolated"]] == ["trade"]
    page.get_by_role("button", name="Release…: trade is isolated (hand)").click()
    assert page.locator("#token-field").is_hidden()
    page.get_by_label("Reason").fill("mended")
    page.keyboard.press("Enter")
    page.get_by_text("Policy trade released").or_(page.get_by_text("Policy trade was released")).first.wait_for()
    page.get_by_role("button", name="close breaker prices").click()
    page.get_by_label("Reason").fill("it is back")
    page.keyboard.press("Enter")
    page.get_by_text("Reason: it is back").wait_for()
    assert [breaker.state for breaker in bot.policies.breakers("prices")] == ["closed"]
    assert problems == []


def test_names_for_screen_readers(browser: Any, url: str) -> None:
    """Every control, picture and region has a name, and headings are in order."""
    page = opened(browser, url, [])
    page.wait_for_timeout(300)
    tree = page.locator("body").aria_snapshot()
    assert 'heading "Needs you 4" [level=2]' in tree
    for line in tree.splitlines():
        kind = line.strip().removeprefix("- ").split(" ")[0].rstrip(":")
        if kind in ("button", "img", "link", "textbox", "combobox", "dialog", "region"):
            assert '"' in line, line
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to what needs you"
    seen = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"unlock", "stop", "Look up now"} <= seen


def test_what_a_server_says_is_no_html(browser: Any, url: str, bot: Bot) -> None:
    """Markup is shown as text, and characters that reverse the text are shown as their codes."""
    problems: list[str] = []
    page = opened(browser, url, problems)
    page.evaluate("window.stolen = false")
    bot.policies.isolate("trade", reason="<img src=x onerror='stolen=true'>\u202egnorts")
    page.get_by_text("<img src=x onerror='stolen=true'>\\u202egnorts").first.wait_for()
    assert page.evaluate("stolen") is False
    assert problems == []


IS_HIDDEN = """() => {
  const focused = document.activeElement;
  const box = focused.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height, innerHeight) / 2];
  return !focused.closest('header') && Boolean(document.elementFromPoint(x, y)?.closest('header'));
}"""


def test_a_page_that_is_narrow_or_enlarged(browser: Any, url: str, bot: Bot) -> None:
    """320 pixels are enough, which is 400 % of a desktop too: nothing is cut off, and what has the focus is visible."""
    bot.policies.isolate("trade", reason="r" * 400)
    for width, height in ((320, 256), (640, 560)):
        problems: list[str] = []
        page = opened(browser, url, problems, width=width, height=height)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for _ in range(14):
            page.keyboard.press("Tab")
            assert not page.evaluate(IS_HIDDEN)
        assert problems == []
        page.context.close()


TAKE = """(names) => {
  const row = (key) => ({...state.rows[0], id: 'one id', name: key});
  for (let tick = 0; tick < 3; tick += 1) take('change', {...state, rows: names.map(row), feed: []});
  return [...document.querySelectorAll('#now-list .row .name')].map((node) => node.textContent);
}"""


def test_rows_of_one_name(browser: Any, url: str) -> None:
    """Where a secret was removed from two names, they are the same: each row is shown once, however often it comes."""
    page = opened(browser, url, [])
    shown = page.evaluate(TAKE, ["one", "two\u2066\U000e0041"])
    assert [name.rpartition(" · ")[2] for name in shown] == ["one", "two\\u2066\\ue0041"]


def test_decisions_of_a_clock_that_was_set_back(browser: Any, url: str) -> None:
    """The latest decision is the first, and the oldest are dropped, whatever their times are."""
    page = opened(browser, url, [])
    add = "(at, id) => take('change', {...state, feed: [{id, at, text: 'decision ' + id, level: 'info', count: 1}]})"
    page.evaluate(f"() => {{ for (let id = 1; id <= 120; id += 1) ({add})(9e8 - id, 1000 + id); }}")
    assert page.evaluate("document.querySelector('#feed .text').textContent") == "decision 1120"
    assert page.evaluate("feed.size") == 100


def test_a_token_that_cannot_be_sent(browser: Any, url: str, bot: Bot) -> None:
    """The page says so, and goes on reading: no request can have it in a header."""
    page = opened(browser, url, [])
    page.locator("#unlock").click()
    page.locator("#token").fill("“quoted”")
    page.keyboard.press("Enter")
    page.get_by_text("ASCII alone").wait_for()
    page.locator("#token").fill(bot.token)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Forget token").wait_for()
    assert page.evaluate("sessionStorage.getItem('resilience-token')") == bot.token


def test_a_bot_that_is_gone(browser: Any, bot: Bot) -> None:
    """The page says that it is out of date; another page's script cannot use the console."""
    problems: list[str] = []
    with serve(bot.policies, token=TOKEN) as console:
        bot.get_into_trouble()
        page = browser.new_page()
        page.goto(console.url)
        page.locator("#token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.locator("#needs-list .card").first.wait_for()
        foreign = browser.new_page()
        foreign.route("http://evil.example/", lambda route: route.fulfill(body="<p>hello", content_type="text/html"))
        foreign.goto("http://evil.example/")
        for mode in ("cors", "no-cors"):
            script = (
                "([url, mode]) => fetch(url + '/actions/isolate', {method: 'POST', mode, body: '{}'})"
                ".then((answer) => answer.type + answer.status, (error) => 'refused')"
            )
            assert foreign.evaluate(script, [console.url, mode]) in ("refused", "opaque0")
        assert bot.policies.snapshot()["isolated"] == []
    page.get_by_text("Out of date").wait_for()
    assert problems == []
