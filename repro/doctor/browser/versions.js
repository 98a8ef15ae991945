// Versions and specifiers of PEP 440, as the Python package "packaging" compares them.
const pep440 = (() => {
  const PATTERN = /^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d+)?)?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d+)?)?(?:[-_.]?(dev)[-_.]?(\d+)?)?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;
  const LETTERS = {alpha: "a", beta: "b", c: "rc", pre: "rc", preview: "rc"};
  const CLAUSE = /^\s*(===|~=|==|!=|<=|>=|<|>)\s*([^\s,]+)\s*$/;

  function parsed(text) {
    const found = PATTERN.exec(text);
    if (!found || /\d{16}/.test(text)) return null;
    const letter = found[3] && found[3].toLowerCase();
    const version = {
      epoch: Number(found[1] || 0),
      release: found[2].split(".").map(Number),
      pre: letter ? [LETTERS[letter] || letter, Number(found[4] || 0)] : null,
      post: found[5] !== undefined ? Number(found[5]) : found[6] ? Number(found[7] || 0) : null,
      dev: found[8] ? Number(found[9] || 0) : null,
      local: found[10] ? found[10].toLowerCase().split(/[-_.]/).map(part => /^\d+$/.test(part) ? Number(part) : part) : null,
    };
    return version;
  }

  const isPre = version => version.pre !== null || version.dev !== null;
  const base = version => ({...version, pre: null, post: null, dev: null, local: null});
  const publicOf = version => ({...version, local: null});

  function shown(version) {
    return (version.epoch ? `${version.epoch}!` : "") + version.release.join(".")
      + (version.pre ? version.pre.join("") : "") + (version.post !== null ? `.post${version.post}` : "")
      + (version.dev !== null ? `.dev${version.dev}` : "") + (version.local ? `+${version.local.join(".")}` : "");
  }

  const sign = (left, right) => left < right ? -1 : left > right ? 1 : 0;

  function preKey(version) {  // [rank, letter, number]
    if (version.pre) return [0, ...version.pre];
    return version.post === null && version.dev !== null ? [-1, "", 0] : [1, "", 0];
  }

  function compareLocal(left, right) {
    if (!left || !right) return (left ? 1 : 0) - (right ? 1 : 0);
    for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
      if (at >= left.length) return -1;
      if (at >= right.length) return 1;
      const kinds = [left[at], right[at]].map(part => typeof part === "number" ? 1 : 0);
      const order = kinds[0] - kinds[1] || sign(left[at], right[at]);
      if (order) return order;
    }
    return 0;
  }

  function compare(left, right) {
    let order = left.epoch - right.epoch;
    for (let at = 0; !order && at < Math.max(left.release.length, right.release.length); at += 1) {
      order = (left.release[at] || 0) - (right.release[at] || 0);
    }
    if (order) return order;
    const [one, two] = [preKey(left), preKey(right)];
    order = one[0] - two[0] || sign(one[1], two[1]) || one[2] - two[2];
    order = order || (left.post === null ? -1 : left.post) - (right.post === null ? -1 : right.post);
    order = order || sign(left.dev === null ? Infinity : left.dev, right.dev === null ? Infinity : right.dev);
    return order || compareLocal(left.local, right.local);
  }

  // The clauses of a specifier set; null if it is not valid.
  const known = new Map();
  function clauses(text) {
    if (!known.has(text)) known.set(text, parsedClauses(text));
    return known.get(text);
  }

  function parsedClauses(text) {
    const found = [];
    for (const part of text.split(",")) {
      if (!part.trim()) continue;
      const match = CLAUSE.exec(part);
      if (!match) return null;
      const [, operator, version] = match;
      const star = version.endsWith(".*");
      const bound = operator === "===" ? null : parsed(star ? version.slice(0, -2) : version);
      if (operator !== "===" && !bound) return null;
      if (star && !["==", "!="].includes(operator)) return null;
      if (star && (bound.local || bound.dev !== null || bound.pre || bound.post !== null)) return null;
      if (bound && bound.local && !["==", "!="].includes(operator)) return null;
      if (operator === "~=" && bound.release.length < 2) return null;
      found.push({operator, text: version, star, bound});
    }
    return found;
  }

  function startsWith(version, bound, length) {
    if (version.epoch !== bound.epoch) return false;
    for (let at = 0; at < length; at += 1) if ((version.release[at] || 0) !== bound.release[at]) return false;
    return true;
  }

  function holds(clause, version) {
    const {operator, bound} = clause;
    if (operator === "===") return shown(version).toLowerCase() === clause.text.toLowerCase();
    if (operator === "==" || operator === "!=") {
      const same = clause.star ? startsWith(version, bound, bound.release.length)
        : compare(bound.local ? version : publicOf(version), bound) === 0;
      return same === (operator === "==");
    }
    if (operator === "<=") return compare(publicOf(version), bound) <= 0;
    if (operator === ">=") return compare(publicOf(version), bound) >= 0;
    if (operator === "~=") {
      return compare(publicOf(version), bound) >= 0 && startsWith(version, bound, bound.release.length - 1);
    }
    const sameBase = compare(base(version), base(bound)) === 0;
    if (operator === "<") return compare(version, bound) < 0 && !(!isPre(bound) && isPre(version) && sameBase);
    return compare(version, bound) > 0
      && !(bound.post === null && version.post !== null && sameBase) && !(version.local && sameBase);
  }

  // True if a version lies in a specifier set; pre-releases and local builds count by their version.
  const contains = (text, version) => (clauses(text) || []).every(clause => holds(clause, version));

  // The specifier set as it is printed: its clauses in order.
  const canonical = text => [...new Set(clauses(text).map(clause => clause.operator + clause.text))].sort().join(",");

  // The version that == or === states.
  function pin(text) {
    const found = clauses(text).find(clause => ["==", "==="].includes(clause.operator) && !clause.star);
    return found ? found.text : null;
  }

  return {parsed, shown, compare, isPre, base, clauses, contains, canonical, pin};
})();
