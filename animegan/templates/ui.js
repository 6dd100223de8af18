"use strict";
const at = id => document.getElementById(id);
const meta = name => document.querySelector(`meta[name=${name}]`).content;
const token = meta("token"), most = Number(meta("most"));
let photo = null;
// Counts what was asked for: an answer to anything but the latest is passed over.
let turn = 0;

const pause = time => new Promise(done => setTimeout(done, time));
const numbers = new Intl.NumberFormat("en");
function say(text) { if (at("said").textContent !== text) at("said").textContent = text; }
function show(id, visible) { at(id).hidden = !visible; }
function complain(text) {
  at("alert").textContent = text;
  show("alert", Boolean(text));
}

async function ask(path, method = "GET", body = undefined, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: { "X-Token": token, ...headers } });
  } catch {
    throw new Error("The page has been closed: run animeprep ui again.");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}
// One wish after the other: the last one to arrive is the one that counts.
let sent = Promise.resolve();
function send(path, value) {
  const answer = sent.then(
    () => ask(path, "POST", JSON.stringify(value), { "Content-Type": "application/json" }));
  sent = answer.catch(() => undefined);
  return answer;
}

// What is shown of the painting's progress.
function busy(working, done = false) {
  for (const id of ["bar", "along", "cancel"]) show(id, working);
  show("paint", Boolean(photo) && !working && !done);
  show("download", done);
}
function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
function follow(told) {
  busy(true);
  say("Painting…");
  at("bar").value = told.share;
  at("along").textContent = told.state === "waiting" ? "waiting for another painting to end"
    : `${Math.floor(100 * told.share)} %`
      + (told.seconds_left ? `, about ${duration(told.seconds_left)} left` : "");
}

async function attempt(work) {
  const mine = ++turn;
  complain("");
  try {
    const done = await work(() => mine === turn);
    if (mine === turn) busy(false, done);
  } catch (error) {
    if (mine !== turn) return;
    complain(error.message);
    say("");
    busy(false);
  }
}

function take(file) {
  if (!file) return undefined;
  return attempt(async isLatest => {
    if (file.size > most) {
      throw new Error(`${file.name}: larger than ${most / 2 ** 30} GB; paint it with animeprep stylize`);
    }
    await file.slice(0, 1).arrayBuffer().catch(() => {
      throw new Error(`${file.name}: cannot be read; drop a photo or film`);
    });
    if (photo) send("cancel", { photo: photo.photo }).catch(() => undefined);
    say(`Reading ${file.name}…`);
    const told = await ask("photo", "PUT", file, { "X-Name": encodeURIComponent(file.name) });
    if (!isLatest()) return false;
    photo = told;
    begin();
    if (photo.at_once) return paint(isLatest);
    say("A film takes a while. Choose how, then press Paint.");
    return false;
  });
}
function begin() {
  at("pair").style.setProperty("--ratio", photo.width / photo.height);
  at("pair").style.setProperty("--wide", photo.width);
  at("photo").src = "photo/" + photo.photo;
  at("photo").alt = `The photo ${photo.name}`;
  at("facts").textContent = [photo.name,
    `${numbers.format(photo.width)} × ${numbers.format(photo.height)} pixels`, ...photo.facts].join(" · ");
  for (const id of ["pair", "another"]) show(id, true);
  show("drop", false);
  compare(false);
}
function compare(visible) {
  for (const id of ["painted", "line", "left", "right"]) show(id, visible);
  at("pair").classList.toggle("done", visible);
}

// Whether there is a painting now.
async function paint(isLatest) {
  if (!at("how").reportValidity()) return false;
  let told = await send("paint", { photo: photo.photo, model: at("model").value, settings: {
    strength: at("strength").value / 100,
    keep_colours: at("colours").checked,
    max_side: at("side").value ? Number(at("side").value) : null,
  } });
  // Strength and colours are quick: no bar comes and goes for them.
  for (let wait = 80; isLatest() && (told.state === "waiting" || told.state === "painting"); wait = 150) {
    if (wait > 80) follow(told);
    await pause(wait);
    told = await ask("job/" + told.job);
  }
  if (told.state === "failed") throw new Error(told.error);
  if (told.state === "done") return reveal(told, isLatest);
  if (isLatest()) say(photo.at_once ? "Cancelled." : "Cancelled. Paint goes on where it was.");
  return false;
}
async function reveal(told, isLatest) {
  const picture = new Image();
  picture.src = "painting/" + told.job;
  await picture.decode();
  if (!isLatest()) return false;
  at("painted").src = picture.src;
  compare(true);
  at("download").href = "download/" + told.job;
  at("download").download = told.painting.name;
  at("facts").textContent = [told.painting.name, ...told.painting.facts].join(" · ");
  say("Painted: drag the line to compare.");
  return true;
}
function again() { return photo ? attempt(paint) : undefined; }

function moveLine() { at("pair").style.setProperty("--line", `${at("line").value}%`); }
function tellStrength() { at("percent").textContent = `${at("strength").value} %`; }

at("file").onchange = () => { take(at("file").files[0]); at("file").value = ""; };
at("another").onclick = () => at("file").click();
at("how").onsubmit = event => { event.preventDefault(); again(); };
// A film is painted anew when one asks for it, and goes on as it was begun.
function changed() {
  if (!photo) return;
  if (photo.at_once) again();
  else if (at("cancel").hidden) show("paint", true);
}
for (const id of ["model", "strength", "colours", "side"]) at(id).onchange = changed;
at("cancel").onclick = () => send("cancel", { photo: photo.photo }).catch(
  error => complain(error.message));
at("line").oninput = moveLine;
at("strength").oninput = tellStrength;

let inside = 0;
const over = visible => document.body.classList.toggle("over", visible);
addEventListener("dragenter", event => { event.preventDefault(); inside += 1; over(true); });
addEventListener("dragleave", () => { inside -= 1; over(inside > 0); });
addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => {
  event.preventDefault();
  inside = 0;
  over(false);
  take(event.dataTransfer.files[0]);
});
addEventListener("paste", event => take(event.clipboardData.files[0]));
moveLine();
tellStrength();
