// What the page knows, and its regular expressions.
const known = JSON.parse(document.getElementById("known").textContent);

class Expression {
  constructor({source, flags}) {
    this.find = new RegExp(source, flags);
    this.start = new RegExp(source, `${flags}y`);
    this.every = new RegExp(source, `${flags}g`);
    this.full = new RegExp(`^(?:${source})(?![^])`, flags);
  }

  search(text) { return this.find.exec(text); }
  match(text) { this.start.lastIndex = 0; return this.start.exec(text); }
  whole(text) { return this.full.exec(text); }
  all(text) { return [...text.matchAll(this.every)]; }
}

const compiled = new Map();
function expressionOf(item) {
  if (!compiled.has(item)) compiled.set(item, new Expression(item));
  return compiled.get(item);
}
const regex = name => expressionOf(known.expressions[name]);
const canonicalName = name => name.replace(/[-_.]+/g, "-").toLowerCase();
const spaced = text => text.split(/\s+/).filter(Boolean).join(" ");
const listing = name => known.lists[name];

function clean(text) {
  return text.replaceAll("\r\n", "\n").replace(regex("escapes").every, "").replace(regex("control").every, "\ufffd");
}
