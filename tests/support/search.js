// Usage: node search.js SITE < QUERIES
//
// Reads a JSON list of queries from standard input. Prints, for each of them, what the search of the site shows: a list
// of pages with the anchor, the score and the title of each, the best one first. It runs the scripts of the site itself.

const fs = require("fs");
const path = require("path");
const vm = require("vm");

const site = process.argv[2];
const context = vm.createContext({
  _ready: () => {},
  document: { getElementById: () => null },
  localStorage: { setItem: () => {} },
  SPHINX_HIGHLIGHT_ENABLED: false,
  console,
});
context.window = context;
for (const name of ["_static/base-stemmer.js", "_static/english-stemmer.js", "_static/language_data.js",
                    "_static/searchtools.js", "searchindex.js"]) {
  vm.runInContext(fs.readFileSync(path.join(site, name), "utf8"), context);
}
const search = vm.runInContext("(query) => Search._performSearch(...Search._parseQuery(query))", context);
const found = JSON.parse(fs.readFileSync(0, "utf8")).map((query) => {
  return search(query).map(([page, title, anchor, , score]) => [page, anchor, score, title]).reverse();
});
console.log(JSON.stringify(found));
