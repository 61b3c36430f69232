// The demo EHR: keeps the draft orders, fires the hooks, shows the cards, applies suggestions, posts feedback.

import { post, record, serviceId, uuid } from "./service.js";

const $ = (id) => document.getElementById(id);
const { patient, service } = document.body.dataset;
const USER = "Practitioner/demo";
const EVENTS = { "patient-view": "Chart opened", "order-select": "Order picked", "order-sign": "Signing" };
const UNREACHABLE = "http://127.0.0.1:9/fhir";

const drafts = new Map(); // "MedicationRequest/draft-1" -> resource
let answers = []; // what the profiles said last: {profile, base, id, status, body, ms}
let fired = 0;
let written = 0;
let last = { hook: "patient-view", selections: [] };
let warned = false; // the cards of this signing have been seen

// --- calls ---------------------------------------------------------------------------------------------------------

function chosen() {
  const names = [...$("profile").options].map((one) => one.value).filter((name) => name !== "both");
  return $("profile").value === "both" ? names : [$("profile").value];
}

const named = (profile) => [...$("profile").options].find((one) => one.value === profile).textContent;

function context(hook, selections) {
  const about = { userId: USER, patientId: patient };
  if (hook === "patient-view") return about;
  const entry = [...drafts.values()].map((resource) => ({ resource }));
  const orders = { ...about, draftOrders: { resourceType: "Bundle", type: "collection", entry } };
  return hook === "order-select" ? { ...orders, selections } : orders;
}

async function ask(profile, hook, request) {
  const base = `${service}/profiles/${profile}/cds-services`;
  const id = await serviceId(base, hook);
  const answer = await post(`${base}/${id}`, request);
  return { profile, title: named(profile), base, id, ...answer };
}

/** Fire a hook for the chosen profiles and show the cards; what comes after a newer call is dropped. */
async function fire(hook, selections = []) {
  const turn = ++fired;
  const fhirServer = $("fhir-down").checked ? UNREACHABLE : `${location.origin}/fhir`;
  const request = { hook, hookInstance: uuid(), fhirServer, context: context(hook, selections) };
  $("status").textContent = `${EVENTS[hook]}: asking…`;
  const got = await Promise.all(chosen().map((profile) => ask(profile, hook, request)));
  got.forEach((one) => record(`${hook}, ${one.profile}`, request, one));
  if (turn !== fired) return got;
  answers = got;
  const shown = answers.map(({ title, status, body }) => ({ profile: title, status, body }));
  const page = await fetch("/ehr/cards", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ answers: shown }),
  });
  const html = await page.text();
  if (turn !== fired) return got;
  show(html);
  $("status").textContent = `${EVENTS[hook]}: ${counted()}, ${Math.max(...got.map((one) => one.ms))} ms`;
  last = { hook, selections };
  return got;
}

const rendered = window.trustedTypes?.createPolicy("cards", { createHTML: (html) => html });

/** Show what this page's own server made of the cards: text escaped, Markdown sanitised. */
function show(html) {
  $("cards").innerHTML = rendered ? rendered.createHTML(html) : html;
  $("cards").classList.toggle("both", answers.length > 1);
}

function counted() {
  if (document.querySelector("#cards .failure")) return "not checked";
  const all = document.querySelectorAll("#cards .card").length;
  const levels = ["critical", "warning", "info"]
    .map((level) => [document.querySelectorAll(`#cards .card.${level}`).length, level])
    .filter(([count]) => count)
    .map(([count, level]) => `${count} ${level}`);
  return all ? `${all} card${all === 1 ? "" : "s"} (${levels.join(", ")})` : "no cards";
}

// --- orders --------------------------------------------------------------------------------------------------------

const reference = (resource) => `${resource.resourceType}/${resource.id}`;

function words(resource) {
  const concept = resource.medicationCodeableConcept ?? resource.codeCodeableConcept ?? resource.code ?? {};
  const dosage = (resource.dosageInstruction ?? []).map((one) => one.text).filter(Boolean);
  return [concept.text ?? concept.coding?.[0]?.display ?? "order", dosage.join("; ")];
}

function line(resource) {
  const [name, dosage] = words(resource);
  const item = document.createElement("li");
  const strong = document.createElement("strong");
  strong.textContent = name;
  const more = document.createElement("span");
  more.textContent = dosage;
  item.append(strong, " ", more);
  return item;
}

function showDrafts() {
  warned = false;
  $("drafts").replaceChildren(
    ...[...drafts].map(([key, resource]) => {
      const item = line(resource);
      const remove = document.createElement("button");
      remove.className = "remove";
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove ${words(resource)[0]}`);
      remove.addEventListener("click", () => drop(key));
      item.append(remove);
      return item;
    }),
  );
  $("no-drafts").hidden = drafts.size > 0;
  $("sign").disabled = drafts.size === 0;
  $("sign").textContent = "Sign orders";
}

function drop(key) {
  drafts.delete(key);
  showDrafts();
  $("order").focus();
  refire();
}

/** After the drafts changed: what is there now is asked about, the chart when nothing is. */
const refire = (selections = [...drafts.keys()]) =>
  drafts.size ? fire("order-select", selections) : fire("patient-view");

/** Run `work` while the button cannot be pressed again. */
async function once(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

async function add() {
  const key = $("order").value;
  const answer = await fetch(`/ehr/patients/${patient}/drafts/${key}?id=draft-${++written}`);
  if (!answer.ok) return;
  const resource = await answer.json();
  drafts.set(reference(resource), resource);
  $("order").value = "";
  showDrafts();
  await fire("order-select", [reference(resource)]);
}

/** Sign: at once when nobody objects, else after the cards have been seen. */
async function sign() {
  if (!warned) {
    const got = await fire("order-sign");
    if (last.hook !== "order-sign") return; // something newer happened meanwhile
    if (got.some((one) => one.status !== 200 || one.body?.cards?.length)) {
      warned = true;
      $("sign").textContent = "Sign anyway";
      return;
    }
  }
  $("signed").hidden = false;
  $("signed").append(...[...drafts.values()].map(line));
  $("status").textContent = `Signed: ${[...drafts.values()].map((one) => words(one)[0]).join(", ")}`;
  drafts.clear();
  showDrafts();
}

// --- what the clinician makes of a card ----------------------------------------------------------------------------

function card(element) {
  const { answer, card: id } = element.closest(".card").dataset;
  return { answer: answers[answer], content: answers[answer].body.cards.find((one) => one.uuid === id) };
}

async function feedback(answer, entry) {
  const request = { feedback: [{ ...entry, outcomeTimestamp: new Date().toISOString() }] };
  const got = await post(`${answer.base}/${answer.id}/feedback`, request);
  record(`feedback (${entry.outcome}), ${answer.profile}`, request, got);
  return got.status >= 200 && got.status < 300;
}

function apply(action) {
  if (action.type === "delete") {
    const keys = action.resourceId ?? (action.resource ? reference(action.resource) : []);
    [keys].flat().forEach((key) => drafts.delete(key));
  } else if (action.resource) {
    drafts.set(reference(action.resource), action.resource);
  }
}

async function accept(button) {
  const { answer, content } = card(button);
  const suggestion = content.suggestions.find((one) => one.uuid === button.dataset.suggestion);
  suggestion.actions.forEach(apply);
  showDrafts();
  const outcome = { card: content.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] };
  const stored = await feedback(answer, outcome);
  const made = suggestion.actions.filter((one) => one.resource).map((one) => reference(one.resource));
  await refire(made.filter((key) => drafts.has(key)));
  $("status").textContent += `. Accepted: ${suggestion.label}${stored ? "" : " (feedback was not stored)"}`;
  $("sign").focus();
}

async function override(form) {
  const { answer, content } = card(form);
  const { reason, comment } = form.elements;
  const outcome = { card: content.uuid, outcome: "overridden" };
  const code = reason?.selectedOptions[0];
  const given = code ? { reason: { code: code.value, system: code.dataset.system } } : {};
  if (comment.value.trim()) given.userComment = comment.value.trim();
  if (Object.keys(given).length) outcome.overrideReason = given;
  const stored = await feedback(answer, outcome);
  const note = document.createElement("p");
  note.className = "note";
  note.textContent = `${code ? `Overridden: ${code.textContent}` : "Dismissed"}${stored ? "" : " (feedback was not stored)"}`;
  const element = form.closest(".card");
  element.classList.add("done");
  element.querySelectorAll(".offers, .override").forEach((part) => part.remove());
  element.querySelector(".summary").after(note);
  element.focus();
  $("status").textContent = note.textContent;
}

// --- the page ------------------------------------------------------------------------------------------------------

function find() {
  const wanted = $("find").value.trim().toLowerCase();
  const items = [...$("patients").children];
  items.forEach((item) => (item.hidden = !item.textContent.toLowerCase().includes(wanted)));
  $("nobody").hidden = items.some((item) => !item.hidden);
}

if (matchMedia("(min-width: 64rem)").matches) $("patient-list").open = true;
$("find").addEventListener("input", find);
document.querySelector('#patients [aria-current="page"]')?.scrollIntoView({ block: "nearest" });

if (patient) {
  const kept = sessionStorage.getItem("profile");
  if ([...$("profile").options].some((one) => one.value === kept)) $("profile").value = kept;
  $("profile").addEventListener("change", () => {
    sessionStorage.setItem("profile", $("profile").value);
    fire(last.hook, last.selections);
  });
  $("fhir-down").addEventListener("change", () => fire(last.hook, last.selections));
  $("order-form").addEventListener("submit", (event) => {
    event.preventDefault();
    once(event.submitter, add);
  });
  $("sign").addEventListener("click", () => once($("sign"), sign));
  $("cards").addEventListener("click", (event) => {
    const button = event.target.closest(".accept");
    if (button) once(button, () => accept(button));
  });
  $("cards").addEventListener("submit", (event) => {
    event.preventDefault();
    once(event.submitter, () => override(event.target));
  });
  fire("patient-view");
}
