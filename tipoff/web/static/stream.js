// One stream of events for a page: closed while nobody looks, opened again by itself.
const FIRST = 1000, MOST = 15000;
let source = null, wait = FIRST, timer = 0;

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`tipoff:${name}`, { detail }));
}

function open(topics) {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(`/api/events?topics=${encodeURIComponent(topics)}`);
  source.onopen = () => { wait = FIRST; };
  source.onmessage = (event) => {
    const message = JSON.parse(event.data);
    document.body.dataset.stream = "open";
    if (message.type === "stopping" || message.type === "dropped") return again(topics);
    tell(message.type === "snapshot" || message.type === "changes" ? "change" : message.type, message);
  };
  source.onerror = () => again(topics);
}

function again(topics) {
  source.close();
  delete document.body.dataset.stream;
  tell("cut");
  clearTimeout(timer);
  timer = setTimeout(() => open(topics), wait * (0.75 + Math.random() / 2));
  wait = Math.min(MOST, wait * 2);
}

export function follow(topics) {
  if (!topics) return;
  open(topics);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) source.close();
    else open(topics);
  });
}
