// The page: sends the text to /extract, shows the answer, filters it, gives it away as JSONL.

import { confidence, draw, hueOf } from "./drawing.js";

const EXAMPLE =
  "Ada Lovelace was born in London, England. Charles Babbage, who lived in Marylebone, worked for the University " +
  "of Cambridge.\nIn 1843 she published notes on his engine 🙂.";

const by = (id) => document.getElementById(id);
let model = { entity_types: [], relation_types: [], max_characters: Infinity };
let answer = null; // {raw: the JSONL of the server, extraction: its only line}
let redraw = () => {};

start();

async function start() {
  by("form").addEventListener("submit", (event) => {
    event.preventDefault();
    extract();
  });
  by("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      extract();
    }
  });
  by("text").addEventListener("input", countCharacters);
  by("example").addEventListener("click", () => {
    by("text").value = EXAMPLE;
    countCharacters();
    by("text").focus();
  });
  by("least").addEventListener("input", show);
  by("download").addEventListener("click", download);
  by("copy").addEventListener("click", copy);
  new ResizeObserver(() => redraw()).observe(by("result"));
  try {
    model = await asked(await fetch("model"));
    by("model").textContent = inWords(model.description);
  } catch (error) {
    fail(error);
  }
  countCharacters();
}

/** The JSON of an answer; an error has the server's sentence. */
async function asked(response) {
  const text = await response.text();
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Not from the application: said below by its status.
  }
  if (!response.ok || value === null) {
    const retry = response.headers.get("retry-after");
    const sentence = value?.error ?? `The server answered ${response.status} ${response.statusText}.`;
    throw new Error(retry ? `${sentence} (in about ${retry} s)` : sentence);
  }
  return value;
}

function inWords(description) {
  const parts = Object.entries(description ?? {}).map(([name, value]) => {
    const simple = typeof value !== "object" || value === null;
    const number = typeof value === "number" && !Number.isInteger(value);
    return `${name}: ${simple ? (number ? value.toFixed(3) : value) : inWords(value)}`;
  });
  return parts.join(", ");
}

function countCharacters() {
  const count = [...by("text").value].length;
  const most = Number.isFinite(model.max_characters) ? ` of at most ${model.max_characters.toLocaleString("en")}` : "";
  by("length").textContent = `${count.toLocaleString("en")}${most} characters`;
}

async function extract() {
  if (by("extract").disabled) return;
  busy(true);
  by("error").hidden = true;
  by("result").hidden = true;
  answer = null;
  try {
    const response = await fetch("extract", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
      body: JSON.stringify({ text: by("text").value }),
    });
    const raw = await response.clone().text();
    answer = { raw, extraction: await asked(response) };
    legends();
    by("result").hidden = false;
    show();
  } catch (error) {
    fail(error);
  } finally {
    busy(false);
  }
}

function busy(yes) {
  by("extract").disabled = yes;
  by("form").setAttribute("aria-busy", String(yes));
  if (yes) by("status").textContent = "Extracting …";
  else if (answer === null) by("status").textContent = "";
}

function fail(error) {
  const unreachable = error instanceof TypeError;
  by("error").textContent = unreachable ? "The server cannot be reached; does it still run?" : error.message;
  by("error").hidden = false;
}

/** One check box a type: those of the model, and any other that the answer has. */
function legends() {
  const { entities, relations } = answer.extraction;
  legend("entity-types", model.entity_types, entities, 0);
  legend("relation-types", model.relation_types, relations, 0.5);
}

function legend(id, known, found, shift) {
  const types = [...new Set([...known, ...found.map((each) => each.type)])];
  const unchecked = new Set([...by(id).querySelectorAll("input:not(:checked)")].map((box) => box.value));
  const labels = types.map((type, place) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: type, checked: !unchecked.has(type) });
    box.dataset.hue = hueOf(place + shift);
    box.addEventListener("change", show);
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.setProperty("--hue", box.dataset.hue);
    const count = found.filter((each) => each.type === type).length;
    label.append(box, " ", swatch, ` ${type} (${count})`);
    return label;
  });
  by(id).replaceChildren(by(id).querySelector("legend"), ...labels);
}

function boxes(id) {
  return [...by(id).querySelectorAll("input")];
}

/** Draw what the check boxes and the slider leave. */
function show() {
  if (answer === null) return;
  const { extraction } = answer;
  const least = Number(by("least").value);
  by("least-value").textContent = least.toFixed(2);
  const wanted = (id) => new Set(boxes(id).filter((box) => box.checked).map((box) => box.value));
  const hues = (id) => new Map(boxes(id).map((box) => [box.value, box.dataset.hue]));
  const [entityTypes, relationTypes] = [wanted("entity-types"), wanted("relation-types")];
  // What has no confidence is never hidden by the slider.
  const passes = (each, types) => types.has(each.type) && (each.score ?? 1) >= least;
  const entities = [...extraction.entities.keys()].filter((place) => passes(extraction.entities[place], entityTypes));
  const shown = new Set(entities);
  const relations = [...extraction.relations.keys()].filter((place) => {
    const relation = extraction.relations[place];
    return passes(relation, relationTypes) && shown.has(relation.head) && shown.has(relation.tail);
  });
  redraw = draw(by("drawing"), extraction, hues("entity-types"), hues("relation-types"), entities, relations);
  redraw();
  listRelations(relations);
  by("status").textContent = summary(extraction, entities.length, relations.length);
}

function listRelations(places) {
  const { entities, relations } = answer.extraction;
  const items = places.map((place) => {
    const { type, head, tail, score } = relations[place];
    const item = document.createElement("li");
    item.textContent = `${entities[head].text} – ${type} → ${entities[tail].text} (${confidence(score)})`;
    return item;
  });
  by("relations").replaceChildren(...items);
  by("list").hidden = items.length === 0;
}

function summary({ entities, relations }, shownEntities, shownRelations) {
  if (entities.length === 0) return "No entity was found in this text.";
  const hidden = shownEntities < entities.length || shownRelations < relations.length;
  const of = (shown, all, one, more) => `${hidden ? `${shown} of ` : ""}${all} ${all === 1 ? one : more}`;
  const counts = [
    of(shownEntities, entities.length, "entity", "entities"),
    of(shownRelations, relations.length, "relation", "relations"),
  ].join(", ");
  return hidden ? `${counts} shown; the JSONL has all.` : `${counts}.`;
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([answer.raw], { type: "application/x-ndjson" }));
  link.download = "extraction.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(answer.raw);
    by("status").textContent = "Copied.";
  } catch {
    by("status").textContent = "The browser does not allow copying here; download the file instead.";
  }
}
