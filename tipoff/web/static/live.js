// The page, kept as the server would write it now: when something changed it is asked again, and what differs replaced.
import { follow } from "./stream.js";

const SOONEST = 900, AT_LEAST_EVERY = 15000, PATIENCE = 15000;
const served = new Map();
let asked = 0, timer = 0, busy = false, missed = false;

function remember() {
  for (const element of document.querySelectorAll("[data-live], [data-live=list] > *")) served.set(element.id, said(element));
}

// Ages and countdowns tick by themselves: what differs in nothing else is the same.
function said(element) {
  return element.outerHTML.replace(/(<time\b[^>]*>)[^<]*/g, "$1");
}

function patch(fresh) {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) { // what is asked about must stay
    dialog.addEventListener("close", soon, { once: true });
    return;
  }
  let changed = 0;
  for (const element of fresh.querySelectorAll("[data-live]")) {
    const text = said(element), old = document.getElementById(element.id);
    if (!old || served.get(element.id) === text) continue;
    served.set(element.id, text);
    if (element.dataset.live === "list") changed += rows(old, element);
    else { swap(old, element); changed += 1; }
  }
  if (changed) document.dispatchEvent(new CustomEvent("tipoff:patched", { detail: { changed } }));
}

// Parts that can be open, focused or scrolled, each by a name that its successor has too.
function parts(root) {
  const seen = new Map();
  return [root, ...root.querySelectorAll("[id], [href], [name], [tabindex], button, summary, .scroll")].map((one) => {
    const name = one.id || [one.tagName, one.getAttribute("href"), one.getAttribute("name")].join(" ");
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return [`${name} ${seen.get(name)}`, one];
  });
}

export function swap(old, fresh) {
  const was = new Map(parts(old).map(([name, one]) => [name, {
    open: one.open === true, focused: one === document.activeElement, top: one.scrollTop, left: one.scrollLeft,
  }]));
  old.replaceWith(fresh);
  for (const [name, one] of parts(fresh)) {
    const { open, focused, top, left } = was.get(name) ?? {};
    if (open && one.matches("details")) one.open = true;
    if (top) one.scrollTop = top;
    if (left) one.scrollLeft = left;
    if (focused) one.focus({ preventScroll: true });
  }
}

function rows(old, element) {
  const known = new Map([...old.children].map((row) => [row.id, row])), wanted = [...element.children];
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const coming = new Set(wanted.map((row) => row.id));
  let changed = 0;
  old.hidden = element.hidden;
  for (const [id, row] of known) if (!coming.has(id)) { row.remove(); served.delete(id); changed += 1; }
  wanted.forEach((row, i) => {
    const there = known.get(row.id), text = said(row), same = there && served.get(row.id) === text;
    const now = same ? there : row;
    served.set(row.id, text);
    if (!same) {
      row.classList.add("flash");
      if (there) swap(there, row);
    }
    if (!same || old.children[i] !== now) changed += 1;
    if (old.children[i] !== now) old.insertBefore(now, old.children[i] ?? null);
  });
  if (active?.isConnected && active !== document.activeElement) active.focus({ preventScroll: true });
  return changed;
}

async function refresh() {
  if (busy) { missed = true; return; }
  busy = true;
  missed = false;
  asked = Date.now();
  try {
    const signal = AbortSignal.timeout(PATIENCE); // a server that is frozen takes the request, and is silent
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache", signal });
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
  for (const name of ["change", "lost"]) document.addEventListener(`tipoff:${name}`, soon);
  document.addEventListener("tipoff:cut", () => document.body.classList.add("unreachable"));
  document.addEventListener("tipoff:refresh", soon);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  setInterval(() => { if (!document.hidden && Date.now() - asked > AT_LEAST_EVERY) refresh(); }, 1000);
  follow(document.body.dataset.topics);
}
