// The page, kept as the server would write it now: when something changed it is asked again, and what differs replaced.
import { follow } from "./stream.js";

const SOONEST = 900, AT_LEAST_EVERY = 15000;
const served = new Map();
let asked = 0, timer = 0, busy = false, missed = false;

function remember() {
  for (const element of document.querySelectorAll("[data-live]")) served.set(element.id, element.outerHTML);
}

function patch(fresh) {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) { // what is asked about must stay
    dialog.addEventListener("close", soon, { once: true });
    return;
  }
  let changed = 0;
  for (const element of fresh.querySelectorAll("[data-live]")) {
    const text = element.outerHTML, old = document.getElementById(element.id);
    if (!old || served.get(element.id) === text) continue;
    const focus = old.contains(document.activeElement);
    if (focus && old.matches("[data-calm]")) continue;
    served.set(element.id, text);
    const children = element.dataset.live === "list" ? rows(old, element) : replace(old, element);
    changed += children;
  }
  if (changed) document.dispatchEvent(new CustomEvent("tipoff:patched", { detail: { changed } }));
}

function replace(old, element) {
  const open = [...old.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(element);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
  return 1;
}

function rows(old, element) {
  const known = new Map([...old.children].map((row) => [row.id, row]));
  let changed = 0;
  const wanted = [...element.children].map((row) => {
    const there = known.get(row.id), text = row.outerHTML;
    if (there && (served.get(row.id) ?? text) === text) { served.set(row.id, text); return there; }
    served.set(row.id, text);
    row.classList.add("flash");
    changed += 1;
    return row;
  });
  if (wanted.length !== old.children.length || wanted.some((row, i) => old.children[i] !== row)) {
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceChildren(...wanted);
    if (focused) old.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    changed = Math.max(changed, 1);
  }
  return changed;
}

async function refresh() {
  if (busy) { missed = true; return; }
  busy = true;
  missed = false;
  asked = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache" });
    if (answer.ok) patch(new DOMParser().parseFromString(await answer.text(), "text/html"));
    document.body.classList.toggle("unreachable", answer.status >= 500);
  } catch {
    document.body.classList.add("unreachable");
  } finally {
    busy = false;
    if (missed) soon();
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(0, asked + SOONEST - Date.now()));
}

export function startLive() {
  remember();
  for (const list of document.querySelectorAll("[data-live=list]"))
    for (const row of list.children) served.set(row.id, row.outerHTML);
  for (const name of ["change", "lost"]) document.addEventListener(`tipoff:${name}`, soon);
  document.addEventListener("tipoff:cut", () => document.body.classList.add("unreachable"));
  document.addEventListener("tipoff:refresh", soon);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  setInterval(() => { if (!document.hidden && Date.now() - asked > AT_LEAST_EVERY) refresh(); }, 1000);
  follow(document.body.dataset.topics);
}
