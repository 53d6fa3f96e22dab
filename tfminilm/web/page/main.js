// Loads the bundle and shows the view of its task.

import { Facts } from "./facts.js";
import { openBundle, readFile } from "./model/bundle.js";
import { Engine, startRuntime } from "./model/engine.js";
import { Latest } from "./latest.js";
import { ClassesView } from "./views/classes.js";
import { NamesView } from "./views/names.js";
import { QuestionsView } from "./views/questions.js";
import { SearchView } from "./views/search.js";

const VIEWS = {
  classification: ClassesView,
  multi_label_classification: ClassesView,
  regression: ClassesView,
  question_answering: QuestionsView,
  token_classification: NamesView,
  encoder: SearchView,
};
// Until something is said aloud: nobody listens while they type.
const SPEAK_AFTER = 900;

const byId = (id) => document.getElementById(id);

async function start() {
  const start = performance.now();
  const [page, { manifest, tokenizer, model }] = await Promise.all([
    openPage(),
    openBundle("bundle/"),
    startRuntime(),
  ]);
  const engine = await Engine.open(manifest, model);
  const View = VIEWS[manifest.task];
  const view = new View({ manifest, tokenizer, engine }, page);
  const facts = new Facts(byId("facts"), manifest, start);
  const form = byId("inputs");
  form.append(...view.inputs);
  form.addEventListener("submit", (event) => event.preventDefault());
  const latest = new Latest((isOld) => show(view, facts, isOld), fail);
  const ask = () => {
    byId("result").ariaBusy = "true";
    latest.ask();
  };
  form.addEventListener("input", ask);
  form.hidden = byId("result").hidden = false;
  byId("note").remove();
  ask();
}

async function openPage() {
  const content = await readFile("page.json");
  const page = JSON.parse(new TextDecoder().decode(content));
  document.title = byId("title").textContent = page.title;
  return page;
}

/** Asks the model and draws its answer, unless the text has changed. */
async function show(view, facts, isOld) {
  const before = performance.now();
  const answer = await view.answer(isOld);
  if (isOld()) return;
  const took = performance.now() - before;
  const said = view.draw(byId("result"), answer);
  byId("result").ariaBusy = "false";
  if (answer !== null) facts.answered(took);
  speak(said);
}

let waiting = 0;

function speak(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    byId("spoken").textContent = text;
  }, SPEAK_AFTER);
}

function fail(error) {
  const note = byId("note") ?? document.createElement("p");
  note.id = "note";
  note.className = "fault";
  note.setAttribute("role", "alert");
  note.textContent = `${error.message ?? error}.`.replace(/\.\.$/, ".");
  byId("inputs").before(note);
}

// note.js has said why.
if (location.protocol !== "file:") start().catch(fail);
