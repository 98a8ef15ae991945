// The box of the first page: takes a text, answers below it, and sends nothing.
const box = (() => {
  const LOG_COMMAND = "repro doctor --log FILE";
  const VERSIONS_COMMAND = "repro doctor --from FILE";

  const declined = (why, use) => ({kind: "declined", why, use});

  // The answer to a text, which is "log", "versions" or not known; what the page cannot know is declined with the
  // command that can.
  function answer(text, kind = "") {
    if (!text.trim()) return declined("the text is empty", LOG_COMMAND);
    const start = text.slice(0, known.limits.dump_start);
    if (start.trimStart()[0] === "{" && listing("dump_keys").filter(key => start.includes(key)).length >= known.limits.dump_keys) {
      return declined("this is a dump of a flight recorder", LOG_COMMAND);
    }
    let isLog = kind !== "versions";
    try {
      if (isLog) {
        const found = logs.answer(text);
        if (!found) return declined("the log is too long for a page", LOG_COMMAND);
        // A text that states versions holds no error.
        isLog = kind === "log" || found.answer !== "no error found" || !requirements.looksLike(text);
        if (isLog) return {kind: "log", needs_command: known.needs_command, ...found};
      }
      const stack = requirements.read(text);
      return {
        kind: "versions", denied: exposure.denied(stack), closed: stack.closed, python: stack.python, notes: stack.notes,
        skipped: stack.skipped, versions: stack.versions, failures: exposure.diagnose(stack),
      };
    } catch (error) {
      if (error instanceof requirements.Declined) return declined(error.message, VERSIONS_COMMAND);
      return declined("the page could not read this text", isLog ? LOG_COMMAND : VERSIONS_COMMAND);
    }
  }

  // --- showing: texts only, never markup

  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  const page = id => {
    const link = element("a", "mono", id);
    link.href = `${id}.html`;
    return link;
  };
  const command = text => element("code", "", text);
  const badge = text => element("span", `found f-${text.split(/[ ,]/)[0]}`, text);
  const list = items => element("ul", "plain", ...items.map(item => element("li", "", ...item)));

  const ask = use => ["Ask ", command(use), " instead."];

  function showDeclined(found) {
    return [element("p", "lead", badge("could not tell"), ` ${found.why}.`), element("p", "", ...ask(found.use))];
  }

  function showVersions(found) {
    const parts = found.denied.map(text => element("p", "lead denied", `Do not use: ${text}. Remove the release, import nothing of it, and replace every credential that the machine could reach.`));
    const spoken = new Set(known.failures.flatMap(failure => failure.distributions));
    const versions = Object.entries(found.versions).filter(([name]) => spoken.has(name) || Object.values(known.aliases).includes(name));
    parts.push(element("p", "small soft", `Read as versions: ${versions.map(one => one.join(" ")).join(", ") || "no exact version of the libraries"}. Judged by the records alone; nothing was run.`));
    const of = finding => found.failures.filter(item => item.finding === finding);
    const listed = of("listed");
    parts.push(element("p", "lead", listed.length ? `The records list these versions for ${listed.length} of ${found.failures.length} failures` : "No record lists these versions for certain", "."));
    parts.push(list(listed.map(item => [
      badge("listed"), " ", page(item.id), ` ${item.title} `, element("span", "soft small", `(${item.why})`),
      ...item.note ? [element("div", "small soft", `note: ${item.note}`)] : [],
      ...item.cures.slice(0, 1).map(cure => element("div", "small", `cure: ${cure}`)),
    ])));
    const reasons = new Map();
    for (const item of of("could not tell")) reasons.set(item.why, [...reasons.get(item.why) || [], item.id]);
    if (reasons.size) {
      parts.push(list([...reasons].map(([why, ids]) => [
        badge("could not tell"), ` ${why}: `, ...ids.flatMap((id, at) => at ? [", ", page(id)] : [page(id)]),
      ])));
      parts.push(element("p", "small", ...ask(VERSIONS_COMMAND), " It reads more formats, markers and other files; ",
        command("repro doctor"), " runs the failures on your environment."));
    }
    const clear = of("not affected");
    if (clear.length) parts.push(element("p", "small soft", `not affected: ${clear.map(item => item.id).join(", ")}`));
    for (const note of found.notes) parts.push(element("p", "small", `note: ${note}`));
    if (found.skipped) parts.push(element("p", "small soft", `${found.skipped} lines were not understood and passed over`));
    return parts;
  }

  const WORDS = {
    "consequences only": "the log holds only consequences of a failure, not its cause",
    new: "no record and no reported thread shows in this way",
    "no error found": "no exception and no stack was found",
  };

  function showFound(item) {
    const name = item.answer === "reported, unproved" ? element("a", "mono", item.id) : page(item.id);
    if (item.answer === "reported, unproved") name.href = item.links[0];
    const ranks = item.ranks > 1 ? `, ${item.ranks} ranks` : item.rank ? `, rank ${item.rank}` : "";
    const lines = [
      ...item.refused ? ["this release refuses the configuration with this clear error"] : [],
      ...item.because.length ? [`because: ${item.because.join("; ")}`] : [], ...item.but.map(text => `but: ${text}`),
      `versions: ${item.versions}`,
    ];
    return element("div", "group",
      element("p", "lead", badge(item.answer), " ", name, ` ${item.title}`),
      element("pre", "", `line ${item.line}${ranks}: ${item.shown}`),
      list(lines.map(text => [text])), ...item.cures.slice(0, 2).map(cure => element("p", "", `cure: ${cure}`)));
  }

  function showLog(found) {
    const parts = [element("p", "small soft", `Read as a log of ${found.lines} lines.`), ...found.found.map(showFound)];
    if (!found.found.length) parts.push(element("p", "lead", badge(found.answer), ` ${WORDS[found.answer]}.`));
    parts.push(list(found.nearest.map(near => ["nearest: ", page(near.id), ` ${near.title}`,
      ...near.differs.map(text => element("div", "small soft", `but ${text}`))])));
    const errors = found.errors.filter(error => !error.consequence);
    if (errors.length > 1 || (errors.length && !found.found.length)) {
      parts.push(element("h3", "", "Errors of the log, the first in front"));
      parts.push(list(errors.map(error => [`line ${error.line}${error.ranks > 1 ? `, ${error.ranks} ranks` : error.rank ? `, rank ${error.rank}` : ""}: ${error.text}`])));
    }
    if (found.consequences) parts.push(element("p", "small soft", `${found.consequences} more say only that another rank or process failed`));
    for (const note of found.notes) parts.push(element("p", "small", `note: ${note}`));
    for (const step of found.next) parts.push(element("p", "small", "next: ", command(step)));
    if (found.needs_command.length && found.answer !== "known") {
      parts.push(element("p", "small", badge("could not tell"), ` a browser cannot compare the log patterns of ${found.needs_command.join(", ")}. `, ...ask(LOG_COMMAND)));
    }
    return parts;
  }

  const SHOW = {declined: showDeclined, versions: showVersions, log: showLog};

  function start() {
    const form = document.getElementById("ask");
    const output = form.querySelector("output");
    form.addEventListener("submit", event => {
      event.preventDefault();
      const found = answer(form.elements.pasted.value, form.elements.kind.value);
      output.replaceChildren(...SHOW[found.kind](found));
      output.hidden = false;
    });
    form.addEventListener("reset", () => { output.replaceChildren(); output.hidden = true; });
    form.hidden = false;
  }

  return {answer, start};
})();
box.start();
globalThis.repro = {answer: box.answer};
