// Whether versions have a failure, by the record alone: as repro/doctor/exposure.py and diagnosis.py decide.
const exposure = (() => {
  const BRINGS = {lightning: "torch", "pytorch-lightning": "torch", accelerate: "torch"};
  const ABSENT = "absent";
  const inWords = (name, text) => text === ABSENT ? `no ${name}` : `${name} ${text}`.trim();
  const covers = (releases, versions) => Object.entries(releases).every(([name, text]) => {
    if (text === ABSENT) return !(name in versions);
    if (!(name in versions)) return false;
    const version = pep440.parsed(versions[name]);
    return version !== null && pep440.contains(text, version);
  });

  const fact = (more = {}) => ({versions: [], specifiers: "", mayBeAbsent: false, why: "", inexact: "", ...more});
  const certain = held => held && held.versions.length === 1 && !held.mayBeAbsent ? held.versions[0] : null;

  class Stack {
    constructor(held, {closed = false, python = null, notes = [], skipped = 0, unlisted = []} = {}) {
      Object.assign(this, {held, closed, python, notes, skipped, unlisted});
    }

    // What is known about the interpreter; of 3.11 the series only.
    get interpreter() {
      const version = pep440.parsed((this.python || "").replace(/\+$/, ""));
      if (!version) return fact({why: "is not stated"});
      const text = pep440.shown(version);
      if (version.release.length >= 3) return fact({versions: [text]});
      return fact({specifiers: `==${text}.*`, why: `is known as ${text} only`});
    }

    get versions() {
      const found = {};
      for (const [name, held] of Object.entries(this.held)) {
        const version = certain(held);
        if (version !== null) found[name] = version;
      }
      return found;
    }

    get(name) {
      if (name === "python") return this.interpreter;
      if (Object.hasOwn(this.held, name)) return this.held[name];
      if (this.unlisted.includes(name)) {
        return fact({mayBeAbsent: true, why: "is not named: lists of this kind leave it out"});
      }
      if (this.closed) return null;
      const by = Object.keys(BRINGS).find(other => BRINGS[other] === name && Object.hasOwn(this.held, other));
      if (by) return fact({why: `is not named (${by} brings it)`});
      return fact({mayBeAbsent: true, why: "is not named: another distribution may bring it"});
    }

    under(alias, name) {
      if (!alias || !Object.hasOwn(this.held, alias)) return null;
      if (JSON.stringify(this.held[name]) === JSON.stringify(this.held[alias])) return null;
      return new Stack({...this.held, [name]: this.held[alias]}, this);
    }
  }

  // The releases between which the code of a build lies; "" if it is the release itself.
  function span(text, inexact) {
    const version = pep440.parsed(text);
    if (!version) return "";
    const [major, minor, micro] = [...version.release, 0, 0];
    const base = pep440.shown(pep440.base(version));
    if (pep440.isPre(version) && version.post === null) {
      const before = micro ? [major, minor, micro - 1] : minor ? [major, minor - 1] : [Math.max(major - 1, 0)];
      return `>=${before.join(".")},<=${base}`;
    }
    const following = `>=${base},<=${major}.${minor}.${micro + 1}`;
    return inexact || pep440.isPre(version) || isVendor(version) ? following : "";
  }

  const isVendor = version => version.local !== null && !regex("official").whole(version.local.join("."));

  function describe(text, inexact = "") {
    if (inexact) return inexact;
    const version = pep440.parsed(text);
    if (!version) return "is not a version that can be compared";
    if (pep440.isPre(version)) return `is a pre-release of ${pep440.shown(pep440.base(version))}`;
    return isVendor(version) ? "is a vendor build" : "";
  }

  const rightAfter = version => pep440.parsed(`${version.epoch}!${version.release.join(".")}.0.0.1`);

  function points(texts) {
    const found = [pep440.parsed("0")];
    for (const text of texts) {
      for (const {operator, bound} of pep440.clauses(text)) {
        if (!bound) continue;
        const {epoch, release} = bound;
        const series = pep440.parsed([...release.slice(0, -1), release.at(-1) + 1].join("."));
        found.push(bound, rightAfter({epoch, release}), series, rightAfter(series));
        if (operator === "~=") {
          const kept = release.slice(0, -1);
          found.push(pep440.parsed([...kept.slice(0, -1), kept.at(-1) + 1].join(".")));
        }
      }
    }
    return found.sort(pep440.compare).filter((version, at) => !at || pep440.compare(version, found[at - 1]));
  }

  const allowed = (within, texts) => points([within, ...texts]).filter(version => pep440.contains(within, version));

  function representatives(within, texts) {
    const found = new Map();
    for (const version of allowed(within, texts)) {
      const shape = texts.map(text => pep440.contains(text, version)).join();
      if (!found.has(shape)) found.set(shape, pep440.shown(version));
    }
    return [...found.values()];
  }

  function valuesOf(stack, name, texts) {
    const held = stack.get(name);
    if (held === null) return [null];
    const found = new Set();
    for (const version of held.versions) {
      const between = span(version, held.inexact);
      for (const value of between ? representatives(between, texts) : [version]) found.add(value);
    }
    if (!held.versions.length) for (const value of representatives(held.specifiers, texts)) found.add(value);
    return held.mayBeAbsent ? [...found, null] : [...found];
  }

  function readings(stack, failure) {
    let found = [{}];
    for (const [name, texts] of Object.entries(failure.specifiers)) {
      const values = valuesOf(stack, name, texts);
      found = found.flatMap(one => values.map(value => value === null ? one : {...one, [name]: value}));
    }
    return found;
  }

  // Whether all versions that a stack allows lie in these releases.
  function surely(stack, releases) {
    const specifiers = Object.fromEntries(
      Object.entries(releases).map(([name, text]) => [name, text === ABSENT ? [] : [text]]));
    const found = readings(stack, {specifiers});
    return found.length > 0 && found.every(versions => covers(releases, versions));
  }

  function newest(stack, failure) {
    const found = {};
    for (const [name, texts] of Object.entries(failure.specifiers)) {
      const held = stack.get(name);
      if (held === null) continue;
      const within = allowed(held.specifiers, texts);
      if (held.mayBeAbsent || !(held.versions.length || within.length)) return null;
      found[name] = held.versions.length ? held.versions[0] : pep440.shown(within.at(-1));
    }
    return found;
  }

  // The conditions on the other roles of a record with stages: this one environment would have to play them all.
  const isAffected = (failure, versions) => [failure.affected, ...failure.sides]
    .every(side => side.some(releases => covers(releases, versions)));

  const playsARole = (failure, versions) => failure.sides.length > 0 && [failure.affected, ...failure.sides]
    .some(side => side.some(releases => covers(releases, versions)));

  function isOpen(failure, versions) {
    const fits = (name, text) => [text, ...failure.never_tried.filter(([other]) => other === name).map(item => item[1])]
      .some(releases => covers({[name]: releases}, versions));
    return failure.affected.some(releases => Object.entries(releases).every(([name, text]) => fits(name, text)));
  }

  function ofVersions(failure, versions) {
    if (isAffected(failure, versions)) return "affected";
    return playsARole(failure, versions) || isOpen(failure, versions) ? "not known" : "clear";
  }

  function stated(held) {
    return Object.entries(held).filter(([, facts]) => facts)
      .map(([name, facts]) => `${name} ${facts.versions.join(" or ") || facts.specifiers || "any"}`).join(", ");
  }

  function doubt(name, facts) {
    if (facts.versions.length === 1 && span(facts.versions[0], facts.inexact)) {
      return `${name} ${facts.versions[0]} ${describe(facts.versions[0], facts.inexact)}`;
    }
    return `${name} ${facts.why}`;
  }

  function deciding(all, found) {
    const names = [...new Set(all.flatMap(Object.keys))].sort();
    return names.filter(name => {
      const answers = new Map();
      all.forEach((versions, at) => {
        const rest = JSON.stringify(Object.entries(versions).filter(([other]) => other !== name).sort());
        if (!answers.has(rest)) answers.set(rest, new Set());
        answers.get(rest).add(found[at]);
      });
      return [...answers.values()].some(kinds => kinds.size > 1);
    });
  }

  function whyClear(failure, held, all) {
    const missing = Object.keys(held).filter(name => held[name] === null && !failure.may_be_absent.includes(name));
    if (missing.length && failure.affected.every(releases => missing.some(name => name in releases))) {
      return `${missing.join(", ")} is not installed`;
    }
    for (const releases of failure.rejected) {
      if (all.every(versions => covers(releases, versions))) return `${stated(held)}: refused with a clear error`;
    }
    const alternatives = failure.affected.map(
      releases => Object.entries(releases).map(item => inWords(...item)).join(", "));
    return `${stated(held)}: only ${alternatives.join(" or ")} is affected`;
  }

  function underOneName(failure, stack) {
    const held = Object.fromEntries(failure.judged_by.map(name => [name, stack.get(name)]));
    const odd = Object.entries(held).flatMap(([name, facts]) => (facts ? facts.versions : [])
      .filter(version => !pep440.parsed(version)).map(version => `${name} ${version}`));
    const unknown = why => ({exposure: "not known", why, possible: true, newest: null, alias: ""});
    if (odd.length) return unknown(`${odd.join(", ")}: not a version that can be compared`);
    const all = readings(stack, failure);
    if (!all.length) return unknown(`${stated(held)}: no version satisfies this`);
    const found = all.map(versions => ofVersions(failure, versions));
    const kinds = new Set(found);
    const possible = kinds.size > 1 || !kinds.has("clear");
    if (kinds.size === 1 && kinds.has("affected")) {
      return {exposure: "affected", why: stated(held), possible, newest: null, alias: ""};
    }
    if (!possible) return {exposure: "clear", why: whyClear(failure, held, all), possible, newest: null, alias: ""};
    let doubts = deciding(all, found).filter(name => held[name]).map(name => doubt(name, held[name]));
    if (kinds.size === 1) {
      doubts = failure.never_tried
        .filter(([name, specifier]) => all.some(versions => covers({[name]: specifier}, versions)))
        .map(([, , words]) => `${words} was never tried`);
    }
    if (failure.sides.length) {
      doubts = [`two environments decide together (${failure.affected_together}), and this is one of them`];
    }
    if (!doubts.length) {
      doubts = Object.entries(held).filter(([, facts]) => facts && certain(facts) === null)
        .map(([name, facts]) => doubt(name, facts));
    }
    const last = newest(stack, failure);
    return {...unknown(doubts.join("; ")), possible, newest: last === null ? null : ofVersions(failure, last)};
  }

  const WEIGHT = {affected: 2, "not known": 1, clear: 0};

  function judge(failure, stack) {
    let found = underOneName(failure, stack);
    for (const name of failure.judged_by) {
      const alias = Object.hasOwn(known.aliases, name) ? known.aliases[name] : "";
      const renamed = stack.under(alias, name);
      if (!renamed) continue;
      const other = underOneName(failure, renamed);
      const only = !Object.hasOwn(stack.held, name) && other.exposure === "not known" && found.exposure === "not known";
      if (only || WEIGHT[other.exposure] > WEIGHT[found.exposure]) found = {...other, alias};
    }
    return found;
  }

  const FINDINGS = {affected: "listed", "not known": "could not tell", clear: "not affected"};

  function why(judged, stack) {
    if (!judged.alias) return judged.why;
    const name = Object.keys(known.aliases).find(one => known.aliases[one] === judged.alias);
    if (Object.hasOwn(stack.held, name)) {
      return `${judged.why} of ${judged.alias}, the same code as ${name}: code that imports it`;
    }
    return `${judged.why}; ${judged.alias} is ${name} under another name, which the reproduction does not import`;
  }

  function notes(failure, finding, stack) {
    const {versions} = stack;
    const found = [];
    for (const name of failure.judged_by) {
      const held = stack.held[name];
      const build = held && certain(held) !== null ? describe(certain(held), held.inexact) : "";
      if (build && finding !== "could not tell") found.push(`${name} ${certain(held)} ${build}`);
    }
    for (const [name, text] of finding === "listed" ? Object.entries(failure.needs) : []) {
      if (name in versions && !covers({[name]: text}, versions)) {
        found.push(`the reproduction cannot run here: it needs ${name}${text}`);
      }
    }
    for (const [name, last] of Object.entries(failure.tried)) {
      if (!failure.judged_by.includes(name) || !(name in versions)) continue;
      const version = pep440.parsed(versions[name]);
      const bare = one => ({...pep440.base(one), epoch: 0});
      if (version && pep440.compare(bare(version), bare(pep440.parsed(last))) > 0) {
        const fixed = name in failure.fixed_in ? `fixed in ${name} ${failure.fixed_in[name]} by the record; ` : "";
        found.push(`${fixed}newest run ${name} ${last}; not run on ${versions[name]}`);
      }
    }
    return found;
  }

  // One finding for each failure, as `repro doctor --from` gives them.
  function diagnose(stack) {
    const names = [...new Set(known.failures.flatMap(failure => failure.distributions))].sort();
    const spoken = [...names, ...names.filter(name => name in known.aliases).map(name => known.aliases[name])];
    const none = names.length && !spoken.some(name => Object.hasOwn(stack.held, name))
      ? `none of ${names.join(", ")} is ${stack.closed ? "installed: is it the right environment?" : "named"}` : "";
    return known.failures.map(failure => {
      const judged = none ? null : judge(failure, stack);
      const finding = none ? "could not tell" : FINDINGS[judged.exposure];
      return {
        id: failure.id, title: failure.title, finding, why: none || why(judged, stack),
        note: notes(failure, finding, stack).join("; "), cures: !none && judged.possible ? failure.cures : [],
      };
    });
  }

  function denied(stack) {
    const found = [];
    for (const [name, held] of Object.entries(stack.held)) {
      for (const text of held.versions) {
        const version = pep440.parsed(text);
        const entry = version && known.denied.find(
          one => one.distribution === name && pep440.compare(pep440.parsed(one.version), version) === 0);
        if (entry) found.push(`${name} ${text}: ${entry.reason}`);
      }
    }
    return found;
  }

  return {Stack, fact, judge, covers, surely, diagnose, denied, representatives, certain};
})();
