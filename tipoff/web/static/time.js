// Times in the zone of whoever looks, with countdowns. The zone goes into a cookie: the next page comes in it.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const both = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "long" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long" });
const FORMS = { clock: (at) => clock.format(at), day: (at) => day.format(at), both: (at) => both.format(at) };
const chose = () => /(?:^|; )chosen=1/.test(document.cookie);

function coarse(seconds) {
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min`;
  return seconds < 86400 * 1.5 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function countdown(seconds) {
  if (seconds <= 0) return "now";
  if (seconds < 120) return `in ${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  return `in ${coarse(seconds)}`;
}

function ago(seconds) {
  if (Math.abs(seconds) < 45) return seconds >= 0 ? "just now" : "in less than a minute";
  return seconds > 0 ? `${coarse(seconds)} ago` : `in ${coarse(-seconds)}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-countdown]"))
    write(element, countdown((Date.parse(element.dateTime) - now) / 1000));
  for (const element of document.querySelectorAll("time[data-ago]"))
    write(element, ago((now - Date.parse(element.dateTime)) / 1000));
}

// The day stands over its first row: in another zone that is another row.
function headings() {
  for (const list of document.querySelectorAll(".matches:has(> [data-day])")) {
    let before = "";
    for (const row of list.children) {
      const at = new Date(row.querySelector("time").dateTime), said = `${weekday.format(at)}, ${date.format(at)}`;
      if (said === before) delete row.dataset.day;
      else row.dataset.day = said;
      before = said;
    }
  }
}

function localise() {
  if (!chose() && document.body.dataset.zone !== here) {
    for (const [kind, form] of Object.entries(FORMS))
      for (const element of document.querySelectorAll(`time[data-${kind}]`))
        write(element, form(new Date(element.dateTime)));
    for (const element of document.querySelectorAll("[data-zone-name]")) write(element, here);
    headings();
  }
  tick();
}

export function startTimes() {
  if (!chose() && document.body.dataset.zone !== here) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `zone=${here}; Path=/; Max-Age=${400 * 86400}; SameSite=Lax${secure}`;
  }
  localise();
  document.addEventListener("tipoff:patched", localise);
  setInterval(tick, 1000);
}
