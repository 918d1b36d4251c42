"""A page that is watched: dialogs, console errors, uncaught errors and reports of the content security policy."""

from __future__ import annotations

import re
import time

_WATCH = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.reports.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
});
"""

# A new hash is told to the page in a task of its own.
_GO = """hash => new Promise((done) => {
  addEventListener("hashchange", () => setTimeout(done), { once: true });
  setTimeout(done, 300); // it was there already
  location.hash = hash;
})"""

# Empty, or what reaches beyond the right edge of a page that can be scrolled sideways.
_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > width + 0.5);
  return [document.documentElement.scrollWidth - width, ...wide.slice(0, 9).map((node) => `${node.tagName} ${node.getAttribute("class")} ${node.textContent.slice(0, 40)}`)];
}"""


class Watched:
    """One tab of its own browser context. Attributes: ``page`` (playwright's), ``context``, ``base``."""

    def __init__(self, context, port: int):
        self.context, self.base = context, f"http://127.0.0.1:{port}/"
        self.page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.add_init_script(_WATCH)
        self._said: list[str] = []
        self._allowed: list[re.Pattern] = []
        self.page.on("console", lambda message: message.type in ("error", "warning") and self._said.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self._said.append(f"uncaught: {error} {error.stack}"))
        self.page.on("dialog", self._dialog)

    def _dialog(self, dialog) -> None:
        self._said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def allow(self, pattern: str) -> None:
        """Lines that match are no trouble."""
        self._allowed.append(re.compile(pattern))

    def troubles(self) -> list[str]:
        """What went wrong and was not allowed."""
        reports = self.page.evaluate("window.reports ?? []")
        if self.page.evaluate("window.pwned !== undefined"):
            reports = [*reports, "a sender's script has run"]
        return [line for line in [*self._said, *reports] if not any(pattern.search(line) for pattern in self._allowed)]

    # -- getting about -----------------------------------------------------------------------------

    def sign_in(self, token: str) -> None:
        """By the link that ``serve`` prints."""
        self.page.goto(f"{self.base}#token={token}")
        self.page.wait_for_selector("#nav a[aria-current]")

    def go(self, hash_: str) -> None:
        """To a view, as a link within the page would."""
        if self.page.url.startswith(self.base):
            self.page.evaluate(_GO, hash_)
        else:
            self.page.goto(self.base + hash_)

    def settle(self) -> None:
        """Until nothing is loading any more and nothing moves."""
        self.until("!document.querySelector('.skeleton, [aria-busy=true], .waiting')")
        self.still()

    def still(self) -> None:
        """Until no colour fades any more."""
        self.until("document.getAnimations().every((animation) => animation.playState !== 'running')")

    def until(self, expression: str, argument=None, seconds: float = 10) -> None:
        """Waits until ``expression`` is true. Not playwright's own: that one needs ``eval``, which our policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression, argument):
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression} {argument or ''}"
            self.page.wait_for_timeout(20)

    def has(self, text: str, within: str = "#main") -> None:
        """Waits until ``text`` can be seen."""
        self.page.locator(within).get_by_text(text).first.wait_for()

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def wait_count(self, selector: str, number: int) -> None:
        """Waits until exactly ``number`` elements match."""
        self.until("([selector, number]) => document.querySelectorAll(selector).length === number", [selector, number])

    def text(self, selector: str = "#main") -> str:
        return self.page.inner_text(selector)

    def fact(self, label: str) -> str:
        """The headline number under ``label``."""
        return self.page.locator(".fact", has=self.page.get_by_text(label, exact=True)).locator("dd").first.inner_text()

    def fits(self, where: str) -> None:
        """Nothing is wider than the window, as soon as the charts have followed its size."""
        deadline = time.monotonic() + 3
        while wide := self.page.evaluate(_WIDE):
            assert time.monotonic() < deadline, f"{where}: too wide are {wide}"
            self.page.wait_for_timeout(20)
