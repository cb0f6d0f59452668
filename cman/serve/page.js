// The page: sends the text to /extract, shows the answer, filters it, gives it away as JSONL.

import { colourOf, drawing, element } from "./drawing.js";

const EXAMPLE =
  "Ada Lovelace was born in London, England. Charles Babbage, who lived in Marylebone, worked for the University " +
  "of Cambridge.\nIn 1843 she published notes on his engine 🙂.";

const by = (id) => document.getElementById(id);
let model = { entity_types: [], relation_types: [], max_characters: Infinity };
let answer = null; // {raw: the JSONL of the server, extraction: its only line}

by("form").addEventListener("submit", (event) => {
  event.preventDefault();
  extract();
});
by("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  extract();
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
new ResizeObserver(show).observe(by("result"));
try {
  model = await asked(await fetch("model"));
  by("model").textContent = inWords(model.description);
} catch (error) {
  fail(error);
}
const given = new URLSearchParams(location.search).get("text"); // an address may hold a text
if (given !== null) {
  by("text").value = given;
  extract();
}
countCharacters();

/** The JSON of an answer; an error has the server's sentence. */
async function asked(response) {
  const value = await response.json().catch(() => null); // what is no JSON is not from the application
  if (response.ok && value !== null) return value;
  const retry = response.headers.get("retry-after");
  const sentence = value?.error ?? `The server answered ${response.status} ${response.statusText}.`;
  throw new Error(retry ? `${sentence} (in about ${retry} s)` : sentence);
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
  answer = null;
  by("error").hidden = by("result").hidden = true;
  busy(true);
  try {
    const response = await fetch("extract", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
      body: JSON.stringify({ text: by("text").value }),
    });
    const raw = await response.clone().text();
    answer = { raw, extraction: await asked(response) };
    legend("entity-types", model.entity_types, answer.extraction.entities, 0);
    legend("relation-types", model.relation_types, answer.extraction.relations, model.entity_types.length);
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

/** One check box a type, of the model's and any other that the answer has; each with its colour. */
function legend(id, known, found, shift) {
  const types = [...new Set([...known, ...found.map((each) => each.type)])];
  const unchecked = new Set(boxes(id).filter((box) => !box.checked).map((box) => box.value));
  const labels = types.map((type, place) => {
    const colour = colourOf(place + shift);
    const box = element("input", { type: "checkbox", value: type, "data-colour": colour });
    box.checked = !unchecked.has(type);
    box.addEventListener("change", show);
    const count = found.filter((each) => each.type === type).length;
    return element("label", {}, box, element("span", { class: `name ${colour}` }, type), ` (${count})`);
  });
  by(id).replaceChildren(by(id).querySelector("legend"), ...labels);
}

function boxes(id) {
  return [...by(id).querySelectorAll("input")];
}

function confidence(score) {
  return score === null ? "no confidence" : `confidence ${score.toFixed(2)}`;
}

/** Draw what the check boxes and the slider leave. */
function show() {
  if (answer === null) return;
  const { text, entities, relations } = answer.extraction;
  const least = Number(by("least").value);
  by("least-value").textContent = least.toFixed(2);
  const colours = (id) => new Map(boxes(id).filter((box) => box.checked).map((box) => [box.value, box.dataset.colour]));
  const [entityColours, relationColours] = [colours("entity-types"), colours("relation-types")];
  // What has no confidence is never hidden by the slider.
  const passes = (each, known) => known.has(each.type) && (each.score ?? 1) >= least;
  const shownEntities = entities.filter((entity) => passes(entity, entityColours));
  const place = new Map(shownEntities.map((entity, at) => [entities.indexOf(entity), at]));
  const shownRelations = relations.filter((each) => passes(each, relationColours) && place.has(each.head) && place.has(each.tail));
  const { words, spans } = wordsOf(text, shownEntities);
  const drawn = shownEntities.map((entity, at) => ({
    ...spans[at], label: entity.type, look: entityColours.get(entity.type),
    title: `${entity.type} “${entity.text}”, ${confidence(entity.score)}`,
  }));
  const said = ({ type, head, tail, score }) => `${entities[head].text} – ${type} → ${entities[tail].text} (${confidence(score)})`;
  const arcs = shownRelations.map((each) => ({
    head: place.get(each.head), tail: place.get(each.tail), label: each.type, title: said(each), look: relationColours.get(each.type),
  }));
  const label = [text, ...[...drawn, ...arcs].map((each) => each.title)].join("; ");
  by("drawing").replaceChildren(drawing(words, drawn, arcs, by("drawing").clientWidth - 24, label));
  by("relations").replaceChildren(...shownRelations.map((each) => element("li", {}, said(each))));
  by("list").hidden = shownRelations.length === 0;
  by("status").textContent = summary(answer.extraction, shownEntities.length, shownRelations.length);
}

/** The words of a text, cut at its entities as well, and the span of each entity in words. */
function wordsOf(text, entities) {
  const units = [0]; // position in the string (UTF-16) of every character (code point), and of its end
  for (const character of text) units.push(units[units.length - 1] + character.length);
  const edges = entities.map(({ start, end }) => [units[start], units[end]]);
  const cuts = new Set(edges.flat());
  const words = [], firsts = [];
  let gap = "";
  const add = (from, to, wordLike) => {
    const piece = text.slice(from, to);
    if (from < to && !piece.trim()) gap += piece;
    else {
      words.push({ text: piece, gap, sticks: gap === "" && !wordLike });
      firsts.push(from);
      gap = "";
    }
  };
  for (const { segment, index, isWordLike } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) {
    let from = index;
    for (let at = index + 1; at <= index + segment.length; at += 1) {
      if (at < index + segment.length && !cuts.has(at)) continue;
      add(from, at, isWordLike);
      from = at;
    }
  }
  const spans = edges.map(([from, to]) => {
    const within = firsts.flatMap((first, at) => (first >= from && first < to ? [at] : []));
    return { start: within[0] ?? 0, end: (within.at(-1) ?? 0) + 1 }; // what has no characters stands at the beginning
  });
  return { words, spans };
}

function summary({ entities, relations }, shownEntities, shownRelations) {
  if (entities.length === 0) return "No entity was found in this text.";
  const hidden = shownEntities < entities.length || shownRelations < relations.length;
  const of = (shown, all, one, more) => `${hidden ? `${shown} of ` : ""}${all} ${all === 1 ? one : more}`;
  const entitiesSaid = of(shownEntities, entities.length, "entity", "entities");
  const counts = `${entitiesSaid}, ${of(shownRelations, relations.length, "relation", "relations")}`;
  return hidden ? `${counts} shown; the JSONL has all.` : `${counts}.`;
}

function download() {
  const link = element("a", { download: "extraction.jsonl" });
  link.href = URL.createObjectURL(new Blob([answer.raw], { type: "application/x-ndjson" }));
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
