// The versions that a pasted freeze, requirements text or `pip list` states.  What only Python reads is not guessed.
const requirements = (() => {
  const OTHERS = {
    toml: "TOML", yaml: "YAML", fence: "a text with fenced blocks", setup_cfg: "a setup.cfg", explicit: "a list of conda",
    report: "a report of an environment", pip_show: "the output of pip show", conda_list: "a list of conda",
  };
  const BROUGHT_BY_TORCH = ["filelock", "jinja2", "sympy"];
  const SCHEMES = /^(?:git\+|hg\+|svn\+|bzr\+|https?:|ftp:|file:|\.\/|\.\.\/|\/|~)/;

  class Declined extends Error {}

  // Libraries of the records, under every name.
  // What `pip freeze` and most locks leave out: an environment often has them all the same.
  const UNLISTED = ["pip", "setuptools", "wheel", "distribute"];
  const watched = () => [...new Set(known.failures.flatMap(one => [...one.distributions, ...one.may_be_absent])
    .flatMap(name => Object.hasOwn(known.aliases, name) ? [name, known.aliases[name]] : [name]))];

  function otherFormat(text) {
    if (/^\s*(?:\{|\[\s*[{\]])/.test(text)) return "JSON";
    const name = Object.keys(OTHERS).find(one => regex(one).search(text));
    if (name) return OTHERS[name];
    const lines = text.split("\n").filter(line => !line.trimStart().startsWith("#"));
    const installs = lines.some(line => regex("install").search(line));
    if (regex("dockerfile").search(text) && installs) return "a Dockerfile";
    if (installs && !lines.some(line => regex("pinned").match(line))) return "a script";
    return "";
  }

  function logicalLines(text) {
    const found = [];
    let joined = "";
    for (const raw of text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/)) {
      let line;
      if (raw.trimStart().startsWith("#")) {
        if (regex("editable").match(raw.trim())) found.push(raw.trim());
        line = joined.trim();
        joined = "";
      } else if (raw.endsWith("\\")) {
        joined += `${raw.slice(0, -1)} `;
        continue;
      } else {
        line = (joined + raw).replace(/(^|\s)#.*$/, "").trim();
        joined = "";
      }
      if (line) found.push(line);
    }
    if (joined.trim()) found.push(joined.trim());
    return found;
  }

  const isSource = line => SCHEMES.test(line) || (/(?:\.whl|\.tar\.gz|\.zip)$/.test(line) && !line.includes("@"));

  // Libraries that a line speaks of, whatever it says of them.
  function mentioned(line) {
    const words = new Set((line.match(/[A-Za-z0-9][A-Za-z0-9._-]*/g) || []).flatMap(
      word => [canonicalName(word), canonicalName(word.replace(/\.git$|-\d.*$/, ""))]));
    return watched().filter(name => words.has(name)).concat(words.has("pytorch") ? ["torch"] : []);
  }

  const REQUIREMENT = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:\(([^()]*)\)|([^();@]*))\s*(;.*)?$/s;
  const ADDRESS = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*@\s*(\S.*)$/s;

  // What one line states: {name, pin, specifiers, why, marker, inexact}.
  function statement(name, specifiers, more = {}) {
    const valid = pep440.clauses(specifiers) !== null;
    const text = valid ? pep440.canonical(specifiers) : "";
    const why = valid ? "" : `is stated as '${specifiers.trim().slice(0, 60)}'`;
    return {name: canonicalName(name), specifiers: text, pin: why ? null : pep440.pin(text), why, marker: "", inexact: "", ...more};
  }

  function ofLine(line) {
    const text = line.split(/\s--?[a-z]/)[0].trim();
    if (regex("conda_item").whole(text)) {
      const name = text.split("=")[0];
      return {...statement(name, ""), why: "is stated as conda does, which the page does not read", pin: null};
    }
    const address = ADDRESS.exec(text);
    if (address) return {...statement(address[1], ""), why: "is installed from an address", pin: null};
    const found = REQUIREMENT.exec(text.replace(regex("star_bound").every, "$1"));
    if (!found || pep440.clauses(found[2] ?? found[3] ?? "") === null) return null;
    return statement(found[1], found[2] ?? found[3] ?? "", {marker: (found[4] || "").slice(1).trim()});
  }

  function ofRequirements(text) {
    if (regex("conda_header").search(text)) throw new Declined("conda's form of a requirements text is not read here");
    const reading = {required: [], notes: [], skipped: 0, unread: false, odd: false, python: null};
    let editable = null;
    for (const line of logicalLines(text)) {
      const comment = regex("editable").match(line);
      if (comment) {
        editable = statement(comment.groups.name, `==${comment.groups.version}`, {inexact: "is an editable install"});
        continue;
      }
      const option = regex("option").match(line);
      const before = editable;
      editable = null;
      if (option && ["-e", "--editable"].includes(option[1])) {
        if (before) reading.required.push(before);
        else ofSource(reading, option[2].trim());
      } else if (option) {
        reading.notes.push(`another file is named and not read: ${option[2].trim().slice(0, 60)}`);
        reading.unread = true;
      } else if (line.startsWith("-")) {
        continue;
      } else if (isSource(line)) {
        ofSource(reading, line);
      } else {
        ofRequirement(reading, line);
      }
    }
    return reading;
  }

  function ofSource(reading, text) {
    for (const name of mentioned(text)) {
      reading.required.push({...statement(name, ""), why: "is installed from an address or a folder", pin: null});
    }
    // A tag or a file may state a version, which decides how the list is read as a whole.
    if (/@v?\d|\.whl|\.tar\.gz|\.zip|archive|zipball|tarball/.test(text)) reading.odd = true;
  }

  function ofRequirement(reading, line) {
    let found = ofLine(line);
    if (!found) {
      const named = regex("named").whole(line.split(/\s--?[a-z]/)[0].trim());
      if (!named) {
        const names = mentioned(line);
        if (names.length) reading.notes.push(`not understood: ${line.slice(0, 60)}`);
        else reading.skipped += 1;
        return;
      }
      found = {...statement(named.groups.name, ""), why: `is stated as '${named.groups.rest.slice(0, 57)}'`, pin: null};
    }
    if (Object.hasOwn(known.conda_names, found.name)) {
      reading.notes.push(`${found.name} is conda's name of ${known.conda_names[found.name]}`);
      found = {...found, name: known.conda_names[found.name]};
    }
    if (found.name === "python") reading.python = reading.python || found.pin;
    else reading.required.push(found);
  }

  function ofPipList(text) {
    const head = regex("pip_header").search(text);
    const reading = {required: [], notes: [], skipped: 0, unread: false, odd: false, python: null, list: true};
    const editables = head[0].includes("Editable project location");
    for (const line of text.slice(head.index + head[0].length).split("\n").slice(1)) {
      const [name = "", version = "", other = ""] = line.trim().split(/\s+/);
      if (!pep440.parsed(version)) {
        reading.skipped += name ? 1 : 0;
        continue;
      }
      const inexact = editables && other.includes("/") ? "is an editable install" : "";
      reading.required.push(statement(name, `==${version}`, {inexact}));
    }
    if (!reading.required.length) throw new Declined("it lists no distribution");
    return reading;
  }

  // True if the list is that of a whole environment: then what it does not name is not installed.
  function isWhole(reading) {
    const names = reading.required.filter(item => item.pin).map(item => item.name);
    if (!names.includes("torch") || !BROUGHT_BY_TORCH.every(name => names.includes(name))) return false;
    if (reading.list) return true;
    if (reading.unread || reading.odd || !reading.required.every(item => item.pin || item.why)) return false;
    if (reading.required.some(item => item.why.startsWith("is stated as"))) return false;
    const held = reading.required.map(item => item.name);
    return held.every((name, at) => !at || held[at - 1] <= name);
  }

  function combined(name, statements) {
    const inexact = (statements.find(item => item.inexact) || {inexact: ""}).inexact;
    const marked = statements.find(item => item.marker);
    if (marked) {
      const why = "is named with a marker, which the page does not evaluate";
      return exposure.fact({mayBeAbsent: true, why, inexact});
    }
    const unknown = statements.find(item => item.why);
    if (unknown) return exposure.fact({why: unknown.why, inexact});
    const text = pep440.canonical(statements.map(item => item.specifiers).filter(Boolean).join(","));
    const possible = exposure.representatives(text, []);
    const pins = [...new Set(statements.map(item => item.pin).filter(Boolean))];
    for (const pin of pins) {
      const version = pep440.parsed(pin);
      if (version && !pep440.contains(text, version)) {
        throw new Declined(`${name}${text}: no version of ${name} satisfies that, and pip refuses it`);
      }
    }
    if (pins.length) return exposure.fact({versions: [pep440.pin(text)], inexact});
    if (!possible.length) throw new Declined(`${name}${text}: no version of ${name} seems to satisfy that`);
    return exposure.fact({specifiers: text, why: `is not pinned${text ? ` (${text})` : ""}`, inexact});
  }

  // The stack that a text states; throws Declined if the page does not read such a text.
  function read(text) {
    const other = otherFormat(text);
    if (other) throw new Declined(`this is ${other}, which the page does not read`);
    const reading = regex("pip_header").search(text) ? ofPipList(text) : ofRequirements(text);
    if (!reading.required.length && !reading.notes.length) throw new Declined("nothing in it is understood");
    const groups = {};
    for (const item of reading.required) (groups[item.name] ||= []).push(item);
    const names = new Set(watched());
    const held = {};
    for (const [name, statements] of Object.entries(groups)) {
      if (names.has(name)) held[name] = combined(name, statements);
    }
    const notes = reading.notes;
    const unlisted = UNLISTED.filter(name => !Object.hasOwn(groups, name));
    const {python, skipped} = reading;
    return new exposure.Stack(held, {closed: isWhole(reading), python, notes, skipped, unlisted});
  }

  // True if most lines of a text look like those of a freeze, a requirements text or a list.
  function looksLike(text) {
    if (otherFormat(text) || regex("pip_header").search(text)) return true;
    const lines = logicalLines(text);
    const like = lines.filter(line => regex("editable").match(line) || regex("option").match(line)
      || line.startsWith("--") || isSource(line) || ofLine(line) !== null || regex("named").whole(line));
    return like.length * 2 > lines.length;
  }

  return {read, looksLike, Declined};
})();
