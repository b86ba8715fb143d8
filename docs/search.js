// How the search of the site orders and shows its results; see conf.py.
var Scorer = {
  score: (result) => {
    const [, title, anchor, , score, , kind] = result;
    if (kind === "index") {
      // A row of the reference; conf.py writes its name into the anchor.
      result[1] = `${title} > ${anchor.replace(/^.*?--/, "").replace("__", ":")}`;
    }
    // A page or section whose title is the query comes before names that contain it.
    return kind === "title" && score >= Scorer.title ? 85 + score : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
