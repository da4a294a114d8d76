"""Keyboard only: every control is reached, is seen to have focus; dialogs keep it and give it back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.system import System

SIGN = """const sign = (one) => [one.tagName, one.id, one.name ?? '', one.getAttribute('href') ?? '',
  one.getAttribute('value') ?? '', one.parentElement?.closest('[id]')?.id ?? ''].join('|');"""
CONTROLS = f"""() => {{ {SIGN} return [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter((one) => !one.disabled && one.getClientRects().length
    && one.checkVisibility({{ visibilityProperty: true }})).map(sign); }}"""
FOCUSED = f"""() => {{ {SIGN} const one = document.activeElement, style = getComputedStyle(one);
  return [sign(one), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]; }}"""


def reached(page: Page) -> tuple[set[str], set[str], set[str]]:
    """All controls, those that Tab reaches, and those that do not look focused when they are.

    Live pages change meanwhile: a running job whose row is gone by the end is none of them.
    """
    wanted = set(page.evaluate(CONTROLS))
    seen: set[str] = set()
    unseen: set[str] = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(len(wanted) + 20):
        page.keyboard.press("Tab")
        control, visible = page.evaluate(FOCUSED)
        seen.add(control)
        if control in wanted and not visible:
            unseen.add(control)
        if wanted <= seen:
            break
    return wanted & set(page.evaluate(CONTROLS)), seen, unseen


def test_every_control_is_reached_and_seen(visit: Visit, system: System) -> None:
    """Controls that only a mouse finds; focus that nobody sees."""
    fixture = system.api("/api/upcoming-matches?limit=1")["items"][0]["external_id"]
    for address in (
        "/?search=a&confidence=0.6",
        f"/matches/{fixture}",
        "/record",
        "/players",
        "/jobs",
        "/health",
        "/h2h",
    ):
        for width in (1440, 390):
            page = visit(address, key=system.key, width=width)
            wanted, seen, unseen = reached(page)
            assert (wanted - seen, unseen) == (set(), set()), (address, width)
            page.context.close()


def test_skip_to_content(visit: Visit) -> None:
    """Tabbing through the navigation on every page."""
    page = visit("/record")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_dialogs_keep_and_return_the_focus(visit: Visit, system: System) -> None:
    """A question behind which one tabs on, or after which one is lost; a key that is revoked without one."""
    key = system.api("/api/keys", "POST", json={"name": "to be revoked", "scope": "read"})["id"]
    page = visit("/keys", key=system.key)
    page.locator("body[data-ready='1']").wait_for(state="attached")
    row = page.locator(f"#key-{key}")
    button = row.get_by_role("button", name="Revoke")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#confirm")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Whoever uses the key of to be revoked is refused")
    for _ in range(6):
        page.keyboard.press("Tab")
        inside = page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#confirm')"
        )
        assert inside, page.evaluate("document.activeElement.outerHTML")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    expect(row).not_to_contain_text("Revoked")
    page.keyboard.press("Enter")
    page.locator("#confirm-yes").press("Enter")
    expect(row).to_contain_text("Revoked")
