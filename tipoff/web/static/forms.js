// Forms: questions before what cannot be undone, filters that act at once, parts of a page asked anew.
import { swap } from "./live.js";

function ask(text, yes) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function confirmed(event, form) {
  if (form.dataset.sure) return;
  event.preventDefault();
  const button = event.submitter;
  if (await ask(form.dataset.confirm, button?.textContent.trim() || "Yes")) {
    form.dataset.sure = "1";
    const token = form.querySelector("[name=csrf]:disabled");
    if (token) { token.disabled = false; form.method = "post"; }
    form.requestSubmit(button);
  } else button?.focus();
}

let turn = 0;
async function partly(form) {
  const mine = ++turn;
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  const address = new URL(form.action);
  address.hash = "";
  address.search = query;
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (mine !== turn) return;
  if (!answer.ok) { location.assign(address); return; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of form.dataset.parts.split(" ")) {
    const part = fresh.getElementById(id), old = document.getElementById(id);
    if (part && old) swap(old, part);
  }
  history.replaceState(null, "", address);
  document.dispatchEvent(new CustomEvent("tipoff:patched"));
}

function debounced(act, ms) {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => act(...given), ms); };
}

export function startForms() {
  const soon = debounced(partly, 180);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm) confirmed(event, form);
    else if (form.dataset.parts) { event.preventDefault(); partly(form); }
  });
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form?.dataset.parts) soon(form);
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    document.getElementById("toast").textContent = "Copied";
    setTimeout(() => { document.getElementById("toast").textContent = ""; }, 2000);
  });
}
