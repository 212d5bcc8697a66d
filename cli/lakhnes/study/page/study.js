// A listening study. STUDY comes from data.js. The page keeps its progress in the browser, and needs no network.
"use strict";

const QUESTIONS = {
  turing: "Which clip did a person write?",
  preference: "Which clip do you prefer?",
  rating: "How good is this clip?",
  check: "In which clip does a steady tone replace the music for a while?",
};
const ABOUT = {
  turing: "You hear pairs of clips. A person wrote one of the two, a computer composed the other.",
  preference: "You hear pairs of clips. Choose the one that you would rather hear again.",
  rating: "You hear one clip at a time, and rate what you hear.",
};
const STORE = `lakhnes-study-${STUDY.study}`;
const main = document.getElementById("main");
let state = load();
let onKey = () => {};

// ---- state ----

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (kept && /^[0-9a-f]{32}$/.test(kept.listener) && Array.isArray(kept.answers)) return kept;
  } catch { /* nothing is kept, or the browser keeps nothing */ }
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const listener = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { listener, started: null, finished: null, sent: false, answers: [] };
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
  } catch { /* then the study has to be taken in one go */ }
}

// Random numbers that depend on the listener only, so that a reload continues with the same order (mulberry32).
function random(text) {
  let a = parseInt(text.slice(0, 8), 16);
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, next) {
  const result = list.slice();
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

function trialsOf(listener) {
  const next = random(listener);
  return STUDY.blocks.flatMap((block) =>
    shuffled(block.trials, next).map((trial) => ({
      ...trial, about: ABOUT[block.question], clips: shuffled(trial.clips, next),
    })));
}

function result() {
  return {
    format: "lakhnes-study-result-1",
    study: STUDY.study,
    listener: state.listener,
    started: state.started,
    finished: state.finished,
    answers: state.answers,
  };
}

// ---- views ----

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function show(title, ...children) {
  const heading = el("h1", { tabIndex: -1 }, title);
  main.replaceChildren(heading, ...children);
  document.title = `${title} - ${STUDY.title}`;
  heading.focus();
  scrollTo(0, 0);
}

function welcome() {
  const count = trialsOf(state.listener).length;
  const begin = el("button", { type: "button", id: "begin", onclick: () => {
    state.started = new Date().toISOString();
    save();
    step();
  } }, "Begin");
  onKey = () => false;
  show(STUDY.title,
    ...(STUDY.introduction ? [el("p", {}, STUDY.introduction)] : []),
    el("p", {}, `The study has ${count} questions about short clips of music. Use headphones if you can. All clips ` +
      "are equally loud: set the volume at the first one, and leave it there."),
    el("p", {}, "Your progress stays in this browser. The result contains your answers, their times and a random " +
      "number, but nothing about who you are."),
    el("p", {}, "Keys: A and B play and stop the clips, numbers answer, Enter goes on."),
    el("div", { className: "actions" }, begin));
}

function player(clip, name, onHeard) {
  const audio = new Audio(`clips/${clip}.flac`);
  const label = () => `${audio.paused ? "Play" : "Stop"} clip ${name}`;
  const button = el("button", { type: "button", id: `play-${name}` }, label());
  const heard = el("progress", { max: STUDY.heard_seconds, value: 0 });
  heard.setAttribute("aria-label", `Clip ${name}, heard of what is needed`);
  const note = el("p", { className: "status" }, "");
  const box = el("div", { className: "clip" }, button, heard, note);
  const self = {
    box, audio, clip,
    seconds() {
      let sum = 0;
      for (let i = 0; i < audio.played.length; i++) sum += audio.played.end(i) - audio.played.start(i);
      return sum;
    },
    enough: () => self.seconds() >= STUDY.heard_seconds,
    toggle() {
      if (!audio.paused) return audio.pause();
      for (const other of self.others) other.audio.pause();
      audio.currentTime = 0;
      return audio.play().catch(() => failed());
    },
    others: [],
  };
  function failed() {
    note.textContent = "This clip cannot be played. Load the page again, or try another browser.";
  }
  function update() {
    button.textContent = label();
    box.classList.toggle("playing", !audio.paused);
    heard.value = Math.min(self.seconds(), STUDY.heard_seconds);
    onHeard();
  }
  for (const event of ["play", "pause", "ended", "timeupdate"]) audio.addEventListener(event, update);
  audio.addEventListener("error", failed);
  audio.preload = "auto";
  button.addEventListener("click", () => self.toggle());
  return self;
}

function choices(legend, name, values, labels, onChoice) {
  const inputs = values.map((value) => el("input", { type: "radio", name, value, onchange: onChoice }));
  const rows = inputs.map((input, i) => el("label", {}, input, labels[i]));
  const set = el("fieldset", { id: `ask-${name}` },
    el("legend", {}, legend), el("div", { className: "choices" }, ...rows));
  return {
    set, inputs,
    value: () => inputs.find((input) => input.checked)?.value ?? null,
    choose(index) {
      if (!inputs[index]) return;
      inputs[index].checked = true;
      inputs[index].focus();
      onChoice();
    },
  };
}

function step() {
  const trials = trialsOf(state.listener);
  const position = state.answers.length;
  if (position >= trials.length) return end();
  const trial = trials[position];
  const isRating = trial.question === "rating";
  const names = trial.clips.length > 1 ? ["A", "B"] : ["A"];
  const began = performance.now();
  const status = el("p", { className: "status", role: "status" });
  const next = el("button", { type: "button", id: "next", onclick: done },
    position + 1 < trials.length ? "Next" : "Finish");
  const players = trial.clips.map((clip, i) => player(clip, names[i], update));
  for (const one of players) one.others = players.filter((other) => other !== one);
  const grades = Array.from({ length: STUDY.best }, (_, i) => String(i + 1));
  const asked = isRating
    ? STUDY.aspects.map((aspect) => choices(
      aspect[0].toUpperCase() + aspect.slice(1), aspect, grades, grades, update))
    : [choices(QUESTIONS[trial.question], "choice", trial.clips, names.map((name) => `Clip ${name}`), update)];

  function missing() {
    if (!players.every((one) => one.enough())) {
      const time = STUDY.heard_seconds === 1 ? "a second" : `${STUDY.heard_seconds} seconds`;
      return `Listen to ${names.length > 1 ? "each clip" : "the clip"} for ${time} first.`;
    }
    return asked.every((one) => one.value() !== null) ? "" : "Now answer.";
  }

  function update() {
    const said = missing();
    if (status.textContent !== said) status.textContent = said;
    next.disabled = said !== "";
  }

  function done() {
    if (missing()) return;
    for (const one of players) one.audio.pause();
    const answer = {
      trial: trial.id,
      shown: trial.clips,
      heard: players.map((one) => Math.round(one.seconds() * 10) / 10),
      seconds: Math.round((performance.now() - began) / 100) / 10,
    };
    if (isRating) answer.ratings = Object.fromEntries(STUDY.aspects.map((a, i) => [a, Number(asked[i].value())]));
    else answer.choice = asked[0].value();
    state.answers.push(answer);
    if (state.answers.length === trials.length) state.finished = new Date().toISOString();
    save();
    step();
  }

  onKey = (key) => {
    const place = ["a", "b"].indexOf(key);
    if (place >= 0 && players[place]) players[place].toggle();
    else if (/^[1-9]$/.test(key)) (asked.find((one) => one.value() === null) ?? asked[0]).choose(Number(key) - 1);
    else if (key === "enter") done();
    else return false;
    return true;
  };
  show(QUESTIONS[trial.question],
    el("p", {}, trial.question === "check" ? "A question to see that everything can be heard." : trial.about),
    el("p", { id: "position" }, `Question ${position + 1} of ${trials.length}`),
    el("div", { className: "clips" }, ...players.map((one) => one.box)),
    ...asked.map((one) => one.set),
    ...(isRating ? [el("p", { className: "ends" }, el("span", {}, "1: bad"),
      el("span", {}, `${STUDY.best}: very good`))] : []),
    status,
    el("div", { className: "actions" }, next));
  update();
}

function end() {
  const status = el("p", { className: "status", role: "status", id: "sent" });
  const text = JSON.stringify(result(), null, 1);
  const download = el("a", {
    className: "button", id: "download", download: `${state.listener}.json`,
    href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
  }, "Download the result");
  const again = el("button", { type: "button", className: "plain", id: "again", onclick: () => {
    if (!confirm("Clear this result and let another person begin?")) return;
    try { localStorage.removeItem(STORE); } catch { /* nothing is kept */ }
    state = load();
    welcome();
  } }, "Another listener");

  async function send() {
    status.textContent = "Sending the result …";
    try {
      const reply = await fetch(STUDY.send_to, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: text,
      });
      if (!reply.ok) throw new Error((await reply.text()).slice(0, 200) || String(reply.status));
      state.sent = true;
      save();
      status.textContent = "Your result has arrived. You can close the page.";
    } catch (error) {
      status.textContent = `The result could not be sent (${error.message}). Try again, or download it and send ` +
        "it to the person who invited you.";
    }
  }

  const retry = el("button", { type: "button", id: "send", onclick: send }, "Send the result");
  onKey = () => false;
  show("Thank you",
    el("p", {}, STUDY.send_to ? "You have answered every question."
      : "You have answered every question. Download the result, and send it to the person who invited you."),
    status,
    el("div", { className: "actions" }, ...(STUDY.send_to ? [retry] : []), download, again));
  if (STUDY.send_to && !state.sent) send();
  else if (state.sent) status.textContent = "Your result has arrived. You can close the page.";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const onButton = event.target.closest?.("button, a");
  if (event.key === "Enter" && onButton) return;
  if (onKey(event.key.toLowerCase())) event.preventDefault();
});

if (state.started === null) welcome();
else step();
