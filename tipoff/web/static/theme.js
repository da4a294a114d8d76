// The theme changes at once; the cookie makes the next page come in it.
const NEXT = { auto: "dark", dark: "light", light: "auto" };

export function startTheme() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.id !== "theme") return;
    event.preventDefault();
    const theme = form.elements.theme.value;
    document.documentElement.dataset.theme = theme;
    form.elements.theme.value = NEXT[theme];
    document.querySelector(".prefs [name=theme]").value = theme;
    const button = form.querySelector("button");
    button.title = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
    await fetch(form.action, { method: "POST", body: new URLSearchParams({ theme, back: "/" }), redirect: "manual" });
    document.dispatchEvent(new CustomEvent("tipoff:refresh"));
  });
}
