// Reads a pasted log and compares it with the records: as repro/doctor/log does, line by line.
const logs = (() => {
  const limits = known.limits;
  const words = known.words;
  const MOST_CHARACTERS = 8 << 20;
  const lines_of = text => text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  const lastPart = (text, sign) => text.slice(text.lastIndexOf(sign) + 1);
  const firstParts = (text, sign) => text.includes(sign) ? text.slice(0, text.lastIndexOf(sign)) : "";

  // --- lines

  // Lines that may matter with their numbers: those with something of interest, and some after each.
  function chosen(text) {
    const found = [];
    const alone = [regex("own_line"), ...Object.values(known.texts).map(expressionOf)];
    let active = 0, number = 0, at = 0, total = 0;
    while (at < text.length) {
      let end = at;
      while (end < text.length && text[end] !== "\n" && text[end] !== "\r") end += 1;
      const line = text.slice(at, end);
      if (regex("interest").search(line)) active = limits.window;
      else if (!active && alone.some(one => one.search(line))) active = 1;
      if (active) {
        active -= 1;
        found.push([line.slice(0, limits.line), number + 1]);
      }
      const pair = text[end] === "\r" && text[end + 1] === "\n";
      if (pair || text[end] === "\n") number += 1;
      if (end < text.length) total = number;
      at = end + (pair ? 2 : 1);
    }
    return {found, total};
  }

  // Cleans the lines of one log, and remembers the prefixes that only other lines tell apart from prose.
  class Cleaner {
    pods = new Map();
    labels = new Set();

    lines(raw, number) {
      const text = clean(raw);
      if (text[0] === "{" && text.trimEnd().endsWith("}")) {
        const inner = ofJson(text);
        if (inner) {
          return inner.parts.flatMap(part => this.lines(part, number))
            .map(line => ({...line, rank: line.rank || inner.rank}));
        }
      }
      if (text.includes(words.escaped)) {
        return text.replaceAll('\\"', '"').split("\\n").slice(0, limits.json_lines)
          .map(part => this.ofPod(unprefixed(part, number)));
      }
      return this.parts(text.replace(/\n+$/, "")).map(part => this.ofPod(unprefixed(part, number)));
    }

    // The line without stern's prefix, which is known once it stands before what prose has not.
    ofPod(line) {
      const {text, number} = line;
      let prefix = [...this.pods.keys()].find(known => text.startsWith(known));
      if (prefix === undefined) {
        const found = regex("begins").search(text) ? regex("stern").match(text) : null;
        const begun = found && regex("begins").match(unprefixed(found[3], number).text);
        if (!begun || (begun[0] === words.head && found[1].split(" ").length - 1 > limits.pod_words)) return line;
        prefix = found[1];
        if (this.pods.size < limits.learned) this.pods.set(prefix, found[2]);
      }
      const inner = unprefixed(text.slice(prefix.length), number);
      const rank = line.rank || inner.rank || this.pods.get(prefix) || null;
      return {...inner, rank, logged: line.logged + inner.logged};
    }

    // The lines of several ranks that were written as one, each with its label if it has one.
    parts(text) {
      const label = regex("srun").match(text);
      if (label && this.labels.size < limits.learned) this.labels.add(label[1]);
      const start = label ? label[0].length : 0;
      const rest = text.slice(start);
      for (let digits = label ? 1 : -2; digits <= (label ? limits.label : -2); digits += 1) {
        const half = (rest.length - digits - 2) / 2;
        if (!Number.isInteger(half) || half <= 0) continue;
        const [first, between] = [rest.slice(0, half), rest.slice(half, rest.length - half)];
        if (first !== rest.slice(rest.length - half) || !regex("of_errors").match(first)) continue;
        if (!label || (regex("srun").match(between) || [""])[0] === between) {
          return [text.slice(0, start + half), between + first];
        }
      }
      if (!label) return [text];
      const parts = [];
      let begun = 0;
      for (const found of regex("glued").all(text)) {
        const at = found.index < start ? null : this.second(text, found);
        if (at === null) continue;
        parts.push(text.slice(begun, at));
        begun = at;
      }
      return [...parts, text.slice(begun)];
    }

    // Where the label of a second rank begins; null if its digits may belong to what stands before.
    second(text, found) {
      const digits = found[1];
      for (let at = 0; at < digits.length; at += 1) if (this.labels.has(digits.slice(at))) return found.index + at;
      return words.closers.includes(text[found.index - 1]) ? found.index : null;
    }
  }

  function ofJson(text) {
    let value;
    try { value = JSON.parse(text); } catch { return null; }
    const {record} = value;
    const texts = [...listing("texts"), ...listing("traces")].map(key => value[key]);
    if (record && typeof record === "object" && !Array.isArray(record)) {
      texts.push(...listing("traces").map(key => record[key]));
    }
    const parts = texts.filter(item => typeof item === "string" && item)
      .flatMap(item => lines_of(item.replace(/(?:\r\n|[\n\r])$/, "")));
    if (!parts.length || parts[0][0] === "{") return null;
    const key = listing("ranks").find(one => ["number", "string"].includes(typeof value[one]));
    return {rank: key === undefined ? null : String(value[key]).slice(0, 20), parts: parts.slice(0, limits.json_lines)};
  }

  const firstMatch = (names, text) => {
    for (const name of names) {
      const found = regex(name).match(text);
      if (found) return found;
    }
    return null;
  };

  function unprefixed(raw, number) {
    let text = raw, rank = null, isLocal = false, logged = 0, boxed = false;
    for (let turn = 0; turn < limits.prefixes; turn += 1) {
      const service = text.slice(0, limits.service).includes("| ");
      if (!logged && text && !words.may_be_prefix.includes(text[0]) && !service) break;
      const writer = ["rank", "role", "ray", "srun", "pod", "mpi", "compose"].find(name => regex(name).match(text));
      if (writer) {
        const named = regex(writer).match(text);
        // torch's own label is the rank; the number of a pod or of a local process may be another.
        rank = rank === null || (isLocal && writer === "rank") ? named[1] : rank;
        isLocal = ["role", "pod", "compose"].includes(writer);
        text = text.slice(named[0].length);
        continue;
      }
      const stamp = firstMatch(["glog", "stamp", "level", "syslog"], text);
      if (stamp) {
        logged += 1;
        text = text.slice(stamp[0].length);
        continue;
      }
      const box = firstMatch(["box_edge", "box"], text);
      if (box) {
        boxed = true;
        text = box[box.length - 1];
        continue;
      }
      const other = firstMatch(["viewer", "quoted", "host"], text);
      if (!other) break;
      text = text.slice(other[0].length);
    }
    return {number, text, rank, logged, boxed};
  }

  // --- versions that the log states

  // True if a version is required, recommended or gone, and not said to be there.
  const isAsked = (text, found) => regex("asked_before").search(text.slice(Math.max(0, found.index - limits.before), found.index))
    || regex("asked_after").search(text.slice(found.index + found[0].length));

  class Said {
    said = new Map();
    python = new Set();
    count = 0;

    look(text) {
      if (this.count > limits.said || text.length > 2000 || !text.includes(".")) return;
      this.count += 1;
      if (this.python.size < 2 && text.includes("-packages")) {
        for (const found of regex("python").all(text)) this.python.add(found[1]);
      }
      for (const name of ["said", "in_path"]) {
        for (const found of regex(name).all(text)) {
          if (isAsked(text, found)) continue;
          const lower = found.groups.name.toLowerCase();
          const key = words[`name ${lower}`] || lower;
          if (!this.said.has(key)) this.said.set(key, new Set());
          this.said.get(key).add(found.groups.version);
        }
      }
    }

    notes() {
      return [...this.said].filter(([, said]) => said.size > 1).map(
        ([name, said]) => `the log states several versions of ${name}: ${[...said].sort().slice(0, 5).join(", ")}`);
    }

    stack() {
      const held = {};
      for (const [name, said] of this.said) {
        const why = said.size === 1 ? "" : "is stated with several versions";
        held[name] = exposure.fact({versions: [...said].sort(), why});
      }
      return new exposure.Stack(held, {python: this.python.size === 1 ? [...this.python][0] : null});
    }
  }

  // --- traces

  const slashes = path => path.replaceAll("\\", "/");

  function owner(path) {
    const site = regex("site").search(path);
    if (site) return ["library", slashes(site[1])];
    if (regex("stdlib").search(path) || path.startsWith("<")) return ["stdlib", lastPart(slashes(path), "/")];
    const source = regex("source").all(path).at(-1);
    if (source) {
      const name = Object.values(source.groups).find(Boolean);
      return ["library", slashes(path.slice(path.indexOf(name, source.index)))];
    }
    const first = path.split(/[/\\]/)[0];
    if (listing("libraries").includes(first) && first !== path) return ["library", slashes(path)];
    return ["script", lastPart(slashes(path), "/")];
  }

  function packageOf(frame) {
    if (frame.origin === "library") {
      const name = frame.file.split("/")[0].replace(/\.py$/, "");
      return words[`same ${name}`] || name;
    }
    return frame.origin === "script" ? "script" : "";
  }

  function parsedFrame(text) {
    const name = ["file", "pyspy", "rich", "ipython", "pretty"].find(one => regex(one).match(text));
    if (!name) return null;
    const {file, func} = regex(name).match(text).groups;
    const [origin, path] = name === "pretty" ? ["other", file] : owner(file);
    const ofStack = name === "pyspy";
    const shown = ofStack ? lastPart(func, ".") : func.trim();
    return {frame: {origin, file: path.slice(0, 500), function: shown.slice(0, 300)}, ofStack};
  }

  const isLost = text => regex("watchdog").search(text) || regex("lost").search(text);
  const isConsequence = error => regex("consequences").search(error.message)
    && !["AssertionError", "KeyError"].includes(error.type);
  const onlyReports = trace => listing("wrappers").includes(trace.error.type) || Boolean(isConsequence(trace.error))
    || Boolean(regex("watchdog").search(trace.error.message));

  function shape(trace) {
    const inner = trace.error.frames.slice(-3).map(frame => frame.function);
    const message = trace.error.message.slice(0, 300).replace(regex("digits").every, "0");
    return JSON.stringify([trace.error.type, message, inner, trace.stack]);
  }

  function once(message) {
    const half = message.length / 2;
    return Number.isInteger(half) && message.slice(0, half) === message.slice(half) ? message.slice(0, half) : message;
  }

  const newWriter = rank => ({
    rank, frames: [], begun: 0, head: false, mixed: false, stack: false, afterFile: false, indented: false, half: "",
    open: null, chain: null, last: null, outer: [], untyped: null,
  });

  class TraceReader {
    writers = new Map();
    traces = [];
    end = [];
    ranks = new Map();
    lostCount = 0;
    failedRanks = [];
    leftOut = 0;

    finish() {
      for (const writer of this.writers.values()) {
        this.close(writer);
        this.giveUp(writer);
      }
      this.traces = [...this.traces, ...this.end].map(trace => ({...trace, ranks: this.ranks.get(shape(trace)).length}));
      this.traces.sort((one, other) => one.line - other.line);
      return this;
    }

    line(line) {
      const rank = this.writers.has(line.rank) || this.writers.size < limits.writers ? line.rank : null;
      if (!this.writers.has(rank)) this.writers.set(rank, newWriter(rank));
      const writer = this.writers.get(rank);
      if (this.lost(line) || this.marker(writer, line) || this.frame(writer, line)) return;
      const {afterFile} = writer;
      writer.afterFile = false;
      if (this.error(writer, line, afterFile) || this.goesOn(writer, line)) return;
      if (!line.text.trim() && writer.stack) this.giveUp(writer);
    }

    lost({text}) {
      if (!isLost(text)) {
        const row = regex("table_row").match(text);
        if (row && row[1] === "rank") {
          this.failedRanks.push(row[2].trim().split(/\s+/)[0].slice(0, 20));
          this.failedRanks.length = Math.min(this.failedRanks.length, 64);
        }
        return false;
      }
      this.lostCount += 1;
      return true;
    }

    marker(writer, line) {
      const {text} = line;
      if (text.includes(words.cause) || text.includes(words.context)) {
        this.close(writer);
        writer.chain = writer.last;
        return true;
      }
      if (regex("spawned").match(text)) {
        this.close(writer);
        writer.chain = null;
        return true;
      }
      const fatal = regex("fatal").match(text);
      if (fatal) {
        this.close(writer);
        this.giveUp(writer);
        if (this.lostCount && fatal[1].startsWith(words.aborted)) {
          this.lostCount += 1;
          return true;
        }
        this.open(writer, "", `Fatal Python error: ${fatal[1]}`, line, true);
        return true;
      }
      if (regex("first_call").match(text)) {
        this.close(writer);
        this.giveUp(writer);
        Object.assign(writer, {stack: true, begun: line.number, head: true});
        return true;
      }
      if (!regex("head").search(text)) return false;
      this.close(writer);
      if (writer.stack) this.giveUp(writer);
      if (regex("of_rank").search(text)) {
        Object.assign(writer, {frames: [...writer.outer], begun: line.number, chain: writer.last});
      } else if (writer.frames.length) {
        writer.mixed = true;
      } else {
        writer.begun = line.number;
      }
      Object.assign(writer, {head: true, afterFile: false, half: ""});
      return true;
    }

    frame(writer, line) {
      let {text} = line;
      if (!line.boxed && ![".py", "<", "File "].some(part => text.includes(part))) return false;
      if (line.boxed) {
        const joined = writer.half + text.trim();
        writer.half = "";
        if (!regex("rich").match(joined) && !regex("file").match(joined)) {
          if (regex("rich_start").match(joined) && joined.length < limits.message) writer.half = joined;
          return Boolean(writer.half);
        }
        text = joined;
      }
      const found = parsedFrame(text);
      if (!found || (found.ofStack && !writer.stack)) return false;
      this.close(writer);
      if (!writer.frames.length && !writer.begun) writer.begun = line.number;
      writer.frames.push(found.frame);
      if (writer.frames.length > limits.frames) writer.frames.splice(Math.floor(limits.frames / 2), 1);
      writer.afterFile = true;
      writer.indented = /^\s/.test(text);
      return true;
    }

    error(writer, line, afterFile) {
      const {text} = line;
      if (writer.stack) return false;
      const inCode = afterFile && writer.indented && /^\s/.test(text);
      const found = inCode ? null : regex("error").match(text);
      if (found && this.isError(writer, found)) {
        this.close(writer);
        let kind = lastPart(found[1], ".");
        let message = (found[2] || "").trim();
        const twice = regex("twice").match(kind);
        if (twice) {
          kind = twice[1];
          message = once(message.replace(/^: /, "").replace(/^:/, "").trim());
          writer.mixed = true;
        }
        this.open(writer, kind, message, line, !writer.frames.length);
        return true;
      }
      if (writer.frames.length && !afterFile && this.mayBeUntyped(writer, text)) {
        writer.untyped = {
          type: "", message: [text.trim().slice(0, limits.message)], line: line.number, frames: [...writer.frames],
          cut: !writer.head, mixed: writer.mixed, chain: writer.chain,
        };
        return true;
      }
      if (writer.open === null && !writer.frames.length && regex("orphan").match(text)) {
        this.open(writer, "", text.trim(), line, true);
        return true;
      }
      const bare = !writer.frames.length && writer.open === null && text.includes("rror");
      const inline = bare ? regex("inline").search(text) : null;
      if (inline && !inline[1].endsWith("Warning")) {
        this.open(writer, lastPart(inline[1], "."), inline[2], line, true);
        return true;
      }
      return false;
    }

    isError(writer, found) {
      const last = lastPart(found[1], ".");
      if (last.endsWith("Warning") && !writer.frames.length) return false;
      if (listing("endings").some(end => last.endsWith(end)) && !["Error", "Failed", "Failure", "Timeout"].includes(last)) {
        return true;
      }
      return Boolean(writer.frames.length && found[2] && /^\p{Lu}/u.test(last) && !/^\s/.test(found[0]));
    }

    mayBeUntyped(writer, text) {
      return writer.untyped === null && writer.indented && /^\S/.test(text) && text.trim().includes(" ")
        && !/[(,)]$/.test(text.trimEnd()) && !regex("carets").match(text) && !text.includes("%|");
    }

    open(writer, type, message, line, bare) {
      writer.open = {
        type, message: [message.slice(0, limits.message)], line: line.number, frames: [...writer.frames],
        cut: !writer.head, mixed: writer.mixed, bare, chain: writer.chain, logged: line.logged,
        characters: message.length,
      };
      Object.assign(writer, {
        outer: writer.frames, frames: [], untyped: null, head: false, mixed: false, afterFile: false, begun: 0,
        chain: null, half: "",
      });
    }

    goesOn(writer, line) {
      const {open} = writer;
      if (open === null) return false;
      if (line.logged > open.logged || regex("table").match(line.text) || open.message.length > limits.message_lines) {
        this.close(writer);
        return false;
      }
      if (open.characters < limits.message) {
        const text = line.text.slice(0, limits.message - open.characters);
        open.message.push(text);
        open.characters += text.length + 1;
      }
      return true;
    }

    close(writer) {
      const {open} = writer;
      writer.open = null;
      if (open === null) return;
      writer.last = open.line;
      this.keep(open, writer);
    }

    giveUp(writer) {
      const frames = [...writer.frames];
      if (writer.stack && frames.length) {
        this.add({type: "", message: "", frames: frames.reverse()}, writer.begun, writer, {stack: true, mixed: writer.mixed});
      } else if (writer.untyped !== null) {
        this.keep(writer.untyped, writer);
      } else if (frames.length) {
        this.add({type: "", message: "", frames}, writer.begun, writer, {cut: true, mixed: writer.mixed});
      }
      Object.assign(writer, {frames: [], untyped: null, stack: false, head: false, mixed: false, begun: 0});
    }

    keep(found, writer) {
      const error = {type: found.type, message: found.message.join("\n").trim(), frames: found.frames};
      this.add(error, found.line, writer, {cut: found.cut, mixed: found.mixed, chain: found.chain});
    }

    add(error, line, writer, more) {
      const trace = {error, line, rank: writer.rank, stack: false, cut: false, mixed: false, chain: null, ...more};
      const key = shape(trace);
      const ranks = this.ranks.get(key);
      if (ranks) {
        if (ranks.length < limits.writers && (trace.rank === null || !ranks.includes(trace.rank))) ranks.push(trace.rank);
        return;
      }
      this.ranks.set(key, [trace.rank]);
      if (this.traces.length < limits.traces) {
        this.traces.push(trace);
        return;
      }
      this.end.push(trace);
      if (this.end.length > limits.traces) {
        this.ranks.delete(shape(this.end.shift()));
        this.leftOut += 1;
      }
    }
  }

  // --- the rule

  const isInterrupted = trace => trace.error.type === "KeyboardInterrupt";
  const ANOTHER_LINE = /\n$/;

  // As in Python, "$" also matches before a last newline.
  const isFound = (item, text) => {
    const one = expressionOf(item);
    return Boolean(one.search(text) || (ANOTHER_LINE.test(text) && one.search(text.slice(0, -1))));
  };
  const isFrame = (wanted, frame) => (!wanted.library || wanted.library === packageOf(frame))
    && Boolean(expressionOf(wanted.function).whole(lastPart(frame.function.replace(/\(\)$/, ""), ".")));
  const named = frame => frame.library ? `${frame.library}'s ${frame.named}` : frame.named;
  const shownFrame = frame => {
    const owned = packageOf(frame);
    return ["", "script"].includes(owned) ? frame.function : `${owned}'s ${frame.function}`;
  };

  class Seen {
    because = [];
    but = [];
    differs = [];
    points = 0;
    possible = 0;

    part(weight, same, what, other) {
      this.possible += weight;
      if (same) {
        this.points += weight;
        this.because.push(what);
      } else {
        this.differs.push(other);
      }
    }
  }

  function compare(pattern, trace, noted) {
    if (!["error", "hang"].includes(pattern.kind)) return {grade: 0, because: [], but: [], differs: [], near: 0};
    const seen = new Seen();
    if (pattern.kind === "hang") compareHang(pattern, trace, seen);
    else compareError(pattern, trace, seen);
    compareFrames(pattern, trace, seen);
    if (pattern.beside && !noted.has(pattern.beside)) seen.differs.push(`no line of the log matches ${pattern.beside_shown}`);
    if (pattern.but) seen.but.push(pattern.but);
    const near = seen.points / Math.max(seen.possible, 1);
    const {because, but, differs} = seen;
    if (differs.length) return {grade: 0, because, but: [], differs, near};
    return {grade: but.length ? 1 : 2, because, but, differs: [], near};
  }

  function compareHang(pattern, trace, seen) {
    const other = trace.error.type || "a traceback without an end";
    seen.part(1, trace.stack || isInterrupted(trace), "a rank stands still", `${other} was raised; the failure is a hang`);
    if (pattern.error.length && trace.error.type && !isInterrupted(trace) && !pattern.error.includes(trace.error.type)) {
      seen.differs.push(`the type is ${trace.error.type}`);
    }
  }

  function compareError(pattern, trace, seen) {
    const {error} = trace;
    if (trace.stack || isInterrupted(trace) || !(error.type || error.message)) {
      seen.differs.push("nothing was raised");
      return;
    }
    const types = pattern.error.join(" or ");
    if (error.type) {
      seen.part(1, pattern.error.includes(error.type), error.type, `the type is ${error.type}, not ${types}`);
    } else {
      seen.possible += 1;
      seen.but.push(`the exception's type is not in the log; ${types} is expected`);
    }
    if (pattern.message) {
      // What a job prints next may follow the message.
      const matched = isFound(pattern.message, error.message) || isFound(pattern.message, error.message.split("\n")[0]);
      seen.part(3, matched, "its message", "the message is another one");
      if (!matched) {
        seen.points += 3 * likeness(pattern.words, error.message);
        return;
      }
    }
    if (pattern.lacks && isFound(pattern.lacks, error.message)) {
      seen.differs.push(`the message also holds ${pattern.lacks_shown}`);
    }
    for (const relation of pattern.holds) compareRelation(pattern, relation, error.message, seen);
  }

  function compareRelation(pattern, relation, message, seen) {
    const pairs = expressionOf(pattern.message).all(message).slice(0, 50)
      .map(({groups}) => [groups[relation.group] || "", groups[relation.other] || ""]);
    const wrong = pairs.find(pair => !holds(relation.relation, ...pair)) || ["", ""];
    const all = pairs.length > 0 && pairs.every(pair => holds(relation.relation, ...pair));
    const said = `${relation.group} is ${relation.relation} of ${relation.other}`.replace("is equal of", "is equal to");
    seen.part(2, all, pairs.length ? `${said} (${pairs[0][1]} and ${pairs[0][0]})` : said,
      `${relation.group} ${wrong[0]} is not ${relation.relation} of ${relation.other} ${wrong[1]}`);
  }

  const numbers = text => (text.match(/\d{1,15}/g) || []).map(Number);

  function holds(relation, value, other) {
    const [left, right] = [numbers(value), numbers(other)];
    if (!left.length || left.length !== right.length) return false;
    if (relation === "equal") return left.every((one, at) => one === right[at]);
    if (relation === "twice") return left.every((one, at) => one === 2 * right[at]) && right.some(Boolean);
    const changed = left.map((one, at) => [one, right[at]]).filter(([one, two]) => one !== two);
    return changed.length === 1 && changed[0][0] === 2 * changed[0][1];
  }

  function likeness(wanted, message) {
    const said = new Set((message.slice(0, 2000).match(/[A-Za-z_]{4,}/g) || []).map(word => word.toLowerCase()));
    return wanted.length ? wanted.filter(word => said.has(word)).length / wanted.length * 0.8 : 0;
  }

  function compareFrames(pattern, trace, seen) {
    const {frames} = trace.error;
    for (const unwanted of pattern.without) {
      const found = frames.find(frame => isFrame(unwanted, frame));
      if (found) seen.differs.push(`the traceback goes through ${shownFrame(found)}`);
    }
    if (!pattern.frames.length) return;
    const weight = 2;
    if (!frames.length) {
      seen.possible += weight;
      if (!pattern.alone) seen.differs.push("the log holds no traceback, and the message alone says too little");
      return;
    }
    const missing = missingFrames(pattern.frames, frames, !trace.mixed);
    const last = pattern.frames.at(-1);
    if (missing.length && trace.cut && !missing.includes(last)) {
      seen.possible += weight;
      seen.points += weight / 2;
      const where = missing.map(named).join(", ");
      seen.but.push(`the log does not show whether ${where} called it: the head of the traceback is missing`);
      return;
    }
    if (missing.length && isByName(pattern, frames, !trace.mixed)) {
      seen.possible += weight;
      seen.points += weight / 2;
      seen.but.push("the traceback names files without their folders: their library is not known");
      return;
    }
    let same = !missing.length;
    let other = missing.length ? `not in ${named(missing[0])}` : "";
    if (same && !pattern.inside && !trace.mixed && !isInnermost(last, frames)) {
      same = false;
      other = `raised in ${shownFrame(frames.at(-1))}, not in ${named(last)}`;
    }
    seen.part(weight, same, pattern.kind === "hang" ? `in ${named(last)}` : `raised in ${named(last)}`, other);
  }

  function missingFrames(wanted, frames, inOrder) {
    const missing = [];
    let at = 0;
    for (const want of wanted) {
      const found = frames.findIndex((frame, index) => index >= at && isFrame(want, frame));
      if (found < 0) missing.push(want);
      else if (inOrder) at = found + 1;
    }
    return missing;
  }

  // True if frames whose library is not known have the names of the wanted functions.
  function isByName(pattern, frames, inOrder) {
    if (frames.every(frame => frame.origin !== "other")) return false;
    const wanted = pattern.frames.map(frame => ({...frame, library: ""}));
    return !missingFrames(wanted, frames, inOrder).length && (pattern.inside || isFrame(wanted.at(-1), frames.at(-1)));
  }

  function isInnermost(last, frames) {
    const owned = frames.filter(frame => ["library", "script"].includes(frame.origin));
    while (owned.length > 1 && listing("comprehensions").includes(owned.at(-1).function)
      && owned.at(-1).file === owned.at(-2).file) owned.pop();
    return owned.length > 0 && isFrame(last, owned.at(-1));
  }

  // --- the answer

  const cutTo = (text, most) => text.length <= most ? text : `${text.slice(0, most - 3)}...`;
  const short = (text, most = 300) => cutTo(spaced(text), most);

  function textOf(trace) {
    const {error} = trace;
    if (trace.stack) return `a stack that stands in ${error.frames.length ? error.frames.at(-1).function : ""}`;
    if (!(error.type || error.message)) return "a traceback without its last line";
    const first = error.message.trim().split("\n")[0];
    if (!error.type) return short(error.message.split("\n")[0]);
    return short(cutTo(first ? `${error.type}: ${first}` : error.type, limits.error_line));
  }

  function states(failure, stack) {
    const {versions} = stack;
    return failure.judged_by.some(name => name in versions) || "pytorch-lightning" in versions;
  }

  function withVersions(match, stack) {
    const {failure, seen} = match;
    if (failure.link) {
      return !seen.with_versions || exposure.covers(failure.stated, stack.versions) ? [match] : [];
    }
    const stated = states(failure, stack);
    const judged = stated ? exposure.judge(failure, stack).exposure : null;
    if (seen.with_versions && judged !== "affected") return [];
    let clear = judged === "clear" && !seen.refused;
    if (seen.refused && failure.rejected.length && stated) {
      clear = !failure.rejected.some(releases => exposure.surely(stack, releases));
    }
    if (!clear) return [match];
    const but = [...match.compared.but, "the record does not list these versions"];
    return [{...match, compared: {...match.compared, grade: 1, but, differs: []}}];
  }

  function matches(shown) {
    const found = [];
    const patterns = [...known.failures.flatMap(failure => failure.seen_as.map(seen => [failure, seen])),
      ...known.reported.map(item => [item, item.seen_as])];
    for (const [failure, seen] of patterns) {
      if (seen.kind === "text") {
        const note = shown.noted.get(seen.text);
        if (note && (!seen.beside || shown.noted.has(seen.beside))) {
          const compared = {grade: seen.but ? 1 : 2, because: ["a line of the log"], but: seen.but ? [seen.but] : []};
          found.push(...withVersions({failure, seen, compared, ...note, ranks: 1}, shown.stack));
        }
        continue;
      }
      for (const trace of shown.read.traces) {
        if (onlyReports(trace)) continue;
        const compared = compare(seen, trace, shown.noted);
        if (!compared.grade) continue;
        const {line, rank, ranks} = trace;
        found.push(...withVersions({failure, seen, compared, line, rank, ranks, text: textOf(trace)}, shown.stack));
      }
    }
    const order = match => [match.failure.link ? 0 : -match.compared.grade, -match.compared.grade,
      -match.compared.because.length, match.line];
    return found.sort((one, other) => {
      const [left, right] = [order(one), order(other)];
      const at = left.findIndex((value, index) => value !== right[index]);
      return at < 0 ? 0 : left[at] - right[at];
    });
  }

  function distinct(all) {
    const found = new Map();
    for (const match of all) if (!found.has(match.failure.id)) found.set(match.failure.id, match);
    const documented = [...found.values()].filter(match => !match.failure.link);
    return documented.length ? documented : [...found.values()].slice(0, 5);
  }

  function versionsShown(failure, seen, stack) {
    const {versions} = stack;
    const held = [...failure.judged_by, "pytorch-lightning"].filter(name => name in versions)
      .map(name => `${name} ${versions[name]}`);
    if (!held.length) return `the log states no version of ${failure.judged_by.join(" or ")}: give --python or --from`;
    if (seen.refused) {
      const refuses = failure.rejected.some(releases => exposure.surely(stack, releases));
      return `${held.join(", ")}: ${refuses ? "refuses the configuration" : "not listed as refusing it"}`;
    }
    const judged = exposure.judge(failure, stack);
    const word = {affected: "affected by the record", clear: "not listed by the record",
      "not known": `could not tell (${judged.why})`}[judged.exposure];
    return `${held.join(", ")}: ${word}`;
  }

  function foundOf(match, stack) {
    const {failure, seen, compared, line, rank, ranks, text} = match;
    const common = {id: failure.id, pattern: seen.name, line, rank, ranks, shown: text, because: compared.because};
    if (failure.link) {
      const stated = Object.entries(failure.stated).map(([name, releases]) => `${name} ${releases}`.trim()).join(", ");
      return {
        ...common, title: short(failure.said), answer: "reported, unproved", refused: false,
        but: [...compared.but, "nobody of this project has run it"], cures: [], links: [failure.link], said: failure.said,
        versions: stated ? `the thread speaks of ${stated}` : "the thread states no versions",
      };
    }
    return {
      ...common, title: failure.title, answer: compared.grade === 2 ? "known" : "could be", but: compared.but,
      refused: seen.refused, versions: versionsShown(failure, seen, stack), cures: failure.cures, links: failure.links,
      said: "",
    };
  }

  function nearest(causes, noted) {
    const best = new Map();
    for (const failure of known.failures) {
      for (const seen of failure.seen_as) {
        for (const trace of causes.slice(-20)) {
          const compared = compare(seen, trace, noted);
          const before = best.has(failure.id) ? best.get(failure.id).compared.near : 0;
          if (compared.near >= 0.25 && compared.near > before) best.set(failure.id, {failure, compared});
        }
      }
    }
    return [...best.values()]
      .sort((one, other) => other.compared.near - one.compared.near || (one.failure.id < other.failure.id ? -1 : 1))
      .slice(0, 3).map(({failure, compared}) => ({id: failure.id, title: failure.title, differs: compared.differs}));
  }

  function chosenTraces(traces) {
    let ordered = [...traces].sort((one, other) => onlyReports(one) - onlyReports(other) || one.line - other.line);
    if (ordered.length > 10) ordered = [...ordered.slice(0, 5), ...ordered.slice(-5)];
    return ordered.sort((one, other) => one.line - other.line);
  }

  function notesOf(kind, found, causes, shown) {
    const notes = [...shown.notes];
    if (shown.read.leftOut) notes.push(`${shown.read.leftOut} errors in the middle of the log were left out`);
    const last = Math.max(0, ...causes.map(trace => trace.line));
    if (causes.length && kind === "new" && shown.lines - last > 200) {
      notes.push(`${shown.lines - last} lines follow the last error: the run may have survived it`);
    }
    if (found.length && !found[0].failure.link && last > found[0].line + 200) {
      notes.push(`another error stands later in the log, line ${last}`);
    }
    if (kind === "consequences only") {
      const {failedRanks} = shown.read;
      notes.push(failedRanks.length
        ? `the launcher says that rank ${failedRanks[0]} failed first; its own output is not in the log`
        : "each line only says that another rank or process has gone; the cause is in that one's output");
    }
    return notes;
  }

  function nextOf(kind, found) {
    if (kind === "known" || kind === "could be") {
      const {id} = found.find(match => !match.failure.link).failure;
      return [`repro show ${id}`, `repro doctor ${id}   runs it on your versions`];
    }
    if (kind === "consequences only") {
      return ["give the output of the rank that failed first: torchrun --log-dir DIR --tee 3 writes one of each rank"];
    }
    if (kind === "reported, unproved") {
      return ["read the thread; nothing of it was proved here", "repro new ID --upstream LINK   begins a record of it"];
    }
    return kind === "new"
      ? ["repro new ID   begins a record; repro bisect ID   finds the release; repro draft ID   writes the report"] : [];
  }

  function kindOf(found, causes, lost) {
    const grades = found.filter(match => !match.failure.link).map(match => match.compared.grade);
    if (grades.length) return Math.max(...grades) === 2 ? "known" : "could be";
    if (found.length) return "reported, unproved";
    if (causes.length) return "new";
    return lost ? "consequences only" : "no error found";
  }

  // The answer to a log, as `repro doctor --log` gives it; null if the text is too long for a page.
  function answer(text) {
    if (text.length > MOST_CHARACTERS) return null;
    const {found: raw, total} = chosen(text);
    if (raw.length > limits.head) return null;
    const noted = new Map(), said = new Said(), reader = new TraceReader(), cleaner = new Cleaner();
    for (const [line, number] of raw) {
      for (const one of cleaner.lines(line, number)) {
        for (const [key, item] of Object.entries(known.texts)) {
          if (!noted.has(key) && isFound(item, one.text)) {
            noted.set(key, {line: one.number, rank: one.rank, text: spaced(one.text).slice(0, 300)});
          }
        }
        said.look(one.text);
        reader.line(one);
      }
    }
    const read = reader.finish();
    const stack = said.stack();
    const shown = {read, lines: total, stack, noted, notes: said.notes()};
    const causes = read.traces.filter(trace => !onlyReports(trace));
    const all = matches(shown);
    const raised = Math.max(0, ...causes.filter(trace => !trace.stack && !isInterrupted(trace)).map(trace => trace.line));
    const isWarning = match => match.line < raised && match.seen.kind === "text" && match.compared.grade === 1;
    const warned = distinct(all.filter(isWarning));
    const found = distinct(all.filter(match => !isWarning(match)));
    const lost = read.lostCount + read.traces.length - causes.length;
    const kind = kindOf(found, causes, lost);
    const spoken = new Set(known.failures.flatMap(failure => failure.judged_by));
    return {
      answer: kind, lines: total, python: stack.python,
      versions: Object.fromEntries(Object.entries(stack.versions).filter(([name]) => spoken.has(name)).sort()),
      found: found.map(match => foundOf(match, stack)),
      errors: chosenTraces(read.traces).map(trace => ({
        line: trace.line, rank: trace.rank, ranks: trace.ranks, text: textOf(trace), consequence: onlyReports(trace),
        stack: trace.stack, after: trace.chain,
      })),
      consequences: lost, left_out: read.leftOut, nearest: kind === "new" ? nearest(causes, noted) : [],
      notes: [...notesOf(kind, found, causes, shown), ...warned.map(match =>
        `line ${match.line} may show ${match.failure.id}, but is not the error: ${match.compared.but.join(" ")}`)],
      next: nextOf(kind, found),
    };
  }

  return {answer};
})();
