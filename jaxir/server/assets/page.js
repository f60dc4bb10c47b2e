/* The page: choose a photo, say what spoiled it, watch, look. One of three sections is shown at a time.

   All words that come from a file, a person or the server become text, never markup. */

import { makeBuilder } from "./builder.js";
import { connect } from "./connection.js";
import { makeMask } from "./mask.js";
import { ended, line, pace } from "./progress.js";
import { read, send, upload } from "./server.js";
import { makeSession } from "./session.js";

const $ = (id) => document.getElementById(id);
const SAVE = { photo: "Save the photo", report: "Report", sidecar: "Settings", mask: "Mask" };
const QUIET = 300; // milliseconds without a key before the words are checked

let limits = { bytes: Infinity, pixels: Infinity };
let photo = null; // that the form is about: what the server said of it
let source = null; // where it is: {photo: id} or {job: id}
let jobs = []; // the oldest first
let looked = null; // id of the job that is looked at
let shown = ""; // what `result` shows: the id of a job

if (location.search) history.replaceState(null, "", "/"); // server.js has the token now

const touched = matchMedia("(pointer: coarse)").matches;
const INVITATION = touched ? "Choose a photo" : "Drop a photo here";
$("choose-title").textContent = INVITATION;
$("or-paste").hidden = touched;
if (touched) $("browse").textContent = "Browse";

/* ---- Sections ---- */

function show(section) {
  for (const id of ["choose", "prepare", "work"]) $(id).hidden = id !== section;
  if (section !== "work") {
    looked = null;
    document.title = "jaxir";
  }
  complain("");
  session.show(jobs, looked);
  scrollTo(0, 0);
}

function complain(words) {
  $("problem").textContent = words;
  $("problem").hidden = !words;
  if (words) $("problem").scrollIntoView({ block: "nearest" });
}

/* ---- Choosing a photo ---- */

async function choose(file) {
  if (!file) return;
  if (file.size > limits.bytes) {
    return complain(`The photo is larger than the ${megabytes(limits.bytes)} that this server takes.`);
  }
  busy(true);
  try {
    photo = await upload("/photos", file, file.name || "photo");
  } catch (error) {
    return complain(error.message);
  } finally {
    busy(false);
  }
  source = { photo: photo.id };
  mask.begin(photo);
  prepare(`/photos/${photo.id}/thumbnail`);
}

function busy(reading) {
  document.body.classList.toggle("busy", reading);
  $("choose-title").textContent = reading ? "Reading the photo…" : INVITATION;
}

function prepare(thumbnail) {
  $("thumbnail").src = thumbnail;
  $("thumbnail").parentNode.style.setProperty("--ratio", photo.width / photo.height);
  $("photo-name").textContent = photo.name;
  const depth = { 8: "", 16: ", 16 bits" }[photo.depth] ?? `, ${photo.depth}`;
  const page = photo.pages > 1 ? `Page 1 of ${photo.pages}, ` : "";
  $("photo-facts").textContent = `${page}${photo.width} × ${photo.height}, ${photo.format}${depth}, ${megabytes(photo.size)}`;
  show("prepare");
  builder.focus();
  check();
}

const megabytes = (bytes) => (bytes < 1e5 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 2 ** 20).toFixed(1)} MB`).replace(".0", "");

$("drop").addEventListener("click", () => $("file").click());
$("another").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  choose($("file").files[0]);
  $("file").value = ""; // the same one may be chosen again
});
$("next").addEventListener("click", () => {
  show("choose");
  $("browse").focus();
});

let over = 0; // elements below the dragged file: they are left one by one
addEventListener("dragenter", (event) => {
  event.preventDefault();
  over += 1;
  document.body.classList.add("dragged");
});
addEventListener("dragleave", () => {
  over -= 1;
  document.body.classList.toggle("dragged", over > 0);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  over = 0;
  document.body.classList.remove("dragged");
  const files = event.dataTransfer.files;
  choose(files[0]).then(() => files.length > 1 && complain("One photo at a time: this is the first of them."));
});
addEventListener("paste", (event) => choose(event.clipboardData?.files[0]));

/* ---- Saying what spoiled it ---- */

const form = $("prepare");
const mask = makeMask(check);
const builder = makeBuilder();

function settings() {
  const { method, steps, samples, seed, fidelity } = form.elements;
  return {
    degradation: builder.text(),
    method: method.value.trim(),
    steps: steps.valueAsNumber,
    samples: samples.valueAsNumber,
    seed: seed.valueAsNumber,
    fidelity: fidelity.valueAsNumber,
  };
}

/* Whether it can begin; the server reads the words when no key was pressed for a while. */
function check() {
  mask.visible(builder.paints());
  clearTimeout(check.due);
  check.due = setTimeout(async () => {
    if (form.hidden) return;
    const unpainted = builder.paints() && mask.empty();
    const asked = builder.text();
    const wrong = form.checkValidity() ? await send("/check", { ...source, settings: settings() }).catch(({ message }) => ({ error: message })) : {};
    if (asked !== builder.text()) return;
    builder.complain(wrong.error ?? "");
    $("begin").disabled = Boolean(wrong.error) || unpainted;
    $("begin").textContent = unpainted ? "Paint over what is broken first" : "Restore";
  }, QUIET);
}

form.addEventListener("input", () => {
  $("fidelity-value").textContent = form.elements.fidelity.value;
  check();
});
$("fidelity-value").textContent = form.elements.fidelity.value;

/* A field that is wrong is shown: the browser points at it, and cannot where it is folded away. */
form.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), true);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  $("begin").disabled = true;
  try {
    const file = builder.paints() ? await mask.file() : null;
    const painted = file && (await upload("/masks", file, "mask.png")).id;
    const job = await send("/jobs", { ...source, mask: painted, settings: settings() });
    if (!jobs.some(({ id }) => id === job.id)) jobs.push(job);
    look(job.id);
  } catch (error) {
    complain(error.message);
  } finally {
    $("begin").disabled = false;
  }
});

$("again").addEventListener("click", () => {
  const job = current();
  if (photo?.id !== job.photo.id || mask.empty()) mask.begin(job.photo, job.mask); // else what was painted stays
  photo = job.photo;
  source = { job: job.id };
  const { degradation, ...others } = job.settings;
  builder.tell(degradation ?? "auto");
  for (const [name, value] of Object.entries(others)) form.elements[name].value = value;
  $("fidelity-value").textContent = form.elements.fidelity.value;
  prepare(`/jobs/${job.id}/thumbnail`);
});

/* ---- Watching ---- */

const current = () => jobs.find(({ id }) => id === looked);

function look(id) {
  looked = id;
  show("work");
  showWork();
  $("work-name").focus({ preventScroll: true });
}

function showWork() {
  const job = current();
  if (!job) return void (looked !== null && show(photo ? "prepare" : "choose"));
  const waiting = jobs.filter((each) => !ended(each));
  const before = waiting.findIndex(({ id }) => id === job.id);
  $("work-name").textContent = job.photo.name;
  $("work-settings").textContent = words(job);
  $("running").hidden = ended(job);
  $("again").hidden = !ended(job);
  $("ended").hidden = !["failed", "cancelled"].includes(job.status);
  $("ended").textContent = job.status === "failed" ? job.error : "Cancelled.";
  if (!ended(job)) showPace(job, before);
  showFiles(job);
  showResultOf(job);
  tell(job);
}

const words = ({ settings: { degradation, method, steps, samples } }) =>
  `${degradation}, ${method}, ${steps} steps, ${samples} ${samples === 1 ? "sample" : "samples"}`;

function showPace(job, before) {
  if (job.total) {
    $("bar").max = job.total;
    $("bar").value = job.done;
  } else {
    $("bar").removeAttribute("value");
  }
  $("pace").textContent = pace(job, before);
  $("found").textContent = job.said;
  $("cancel").disabled = job.stopping;
  $("preview").parentNode.style.setProperty("--ratio", job.photo.width / job.photo.height);
  $("preview").classList.toggle("early", !job.preview);
  const picture = job.preview ? `/jobs/${job.id}/preview?${job.preview}` : `/jobs/${job.id}/thumbnail`;
  if ($("preview").getAttribute("src") !== picture) $("preview").src = picture;
  $("preview").alt = job.preview ? `${job.photo.name}, as it looks now` : "";
}

function showFiles(job) {
  const links = Object.entries(SAVE)
    .filter(([what]) => what in job.files)
    .map(([what, text], i) => {
      const name = job.files[what];
      const href = `/jobs/${job.id}/files/${what}`;
      const className = i ? "button" : "button main";
      const words = { textContent: text, title: `Save as ${name}` };
      return Object.assign(document.createElement("a"), { href, className, download: name, ...words });
    });
  if ($("files").childElementCount !== links.length || shown !== job.id) $("files").replaceChildren(...links);
}

async function showResultOf(job) {
  const id = job.status === "done" ? job.id : "";
  if (shown === id) return;
  shown = id;
  $("result").replaceChildren();
  if (!id) return;
  try {
    const entry = await read(`/jobs/${id}/entry`);
    if (shown === id) showResult($("result"), entry);
  } catch (error) {
    complain(error.message);
  }
}

$("cancel").addEventListener("click", async () => {
  await send(`/jobs/${looked}/cancel`).catch((error) => complain(error.message));
});

/* Said to a screen reader at each tenth of the way, and in the title of the page. */
let said = "";
function tell(job) {
  const tenth = job.total ? Math.floor((10 * job.done) / job.total) : 0;
  const key = `${job.id} ${job.status} ${tenth}`;
  document.title = ended(job) ? `${line(job)}: ${job.photo.name}` : `${line(job, 0)} ${job.photo.name}`;
  if (key === said) return;
  said = key;
  $("news").textContent = ended(job) ? `${job.photo.name}: ${line(job)}` : `${job.photo.name}: ${pace(job, 0)}`;
}

/* ---- The session ---- */

const session = makeSession(look);

connect($("connection"), (told) => {
  jobs = told;
  session.show(jobs, looked);
  if (!$("work").hidden) showWork();
});
limits = await read("/limits").catch(() => limits);
if (limits.formats) {
  const formats = `${limits.formats.slice(0, -1).join(", ")} or ${limits.formats.at(-1)}`;
  $("limits").textContent = `${formats}, up to ${megabytes(limits.bytes)} and ${limits.pixels / 1e6} megapixels`;
}
