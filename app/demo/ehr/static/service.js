// Calls to the decision support service, as any CDS client makes them, and the list of them in the drawer.

/** A version 4 UUID, also on pages that are not in a secure context. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** POST `body` as JSON: {status, body, ms}; status 0 when nobody answered. */
export async function post(url, body, headers = {}) {
  const started = performance.now();
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, body: parsed(text), ms: Math.round(performance.now() - started) };
  } catch {
    return { status: 0, body: null, ms: Math.round(performance.now() - started) };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const found = new Map();

/** The id of the service for a hook, from the discovery of `base`; the usual one when discovery fails. */
export async function serviceId(base, hook) {
  if (!found.has(base)) {
    const listed = await fetch(base)
      .then((answer) => answer.json())
      .catch(() => null);
    if (!Array.isArray(listed?.services)) return `cat-${hook}`;
    found.set(base, new Map(listed.services.map((service) => [service.hook, service.id])));
  }
  return found.get(base).get(hook) ?? `cat-${hook}`;
}

/** Put one exchange into the drawer: what was asked, what came, how long it took. */
export function record(title, request, answer) {
  const words = `${title}: ${answer.status || "no answer"}, ${answer.ms} ms`;
  document.getElementById("traffic").textContent = words;
  const entry = document.createElement("li");
  const fold = document.createElement("details");
  const head = document.createElement("summary");
  head.textContent = words;
  const sides = document.createElement("div");
  sides.className = "exchange";
  sides.append(json("Request", request), json("Response", answer.body));
  fold.append(head, sides);
  entry.append(fold);
  document.getElementById("calls").prepend(entry);
}

function json(title, content) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  const text = document.createElement("pre");
  text.tabIndex = 0;
  text.setAttribute("aria-label", `${title}, JSON`);
  text.setAttribute("role", "group");
  text.textContent = content === null ? "(nothing)" : JSON.stringify(content, null, 2);
  figure.append(caption, text);
  return figure;
}
