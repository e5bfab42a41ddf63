package alarm

// Times are ns UTC. finding, journal.after and label.body are JSON of the plant
// types. mark holds the record numbers of an epoch as ranges.
const schema1 = `
CREATE TABLE alarm (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  seq      INTEGER NOT NULL,
  state    TEXT NOT NULL,
  edge     TEXT NOT NULL,
  asset    TEXT NOT NULL,
  key      TEXT NOT NULL,
  raised   INTEGER NOT NULL,
  returned INTEGER NOT NULL,
  acked    INTEGER NOT NULL,
  acked_by TEXT NOT NULL,
  note     TEXT NOT NULL,
  count    INTEGER NOT NULL,
  finding  TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_condition ON alarm(asset, key, id);
CREATE UNIQUE INDEX alarm_seq ON alarm(seq);
CREATE INDEX alarm_state ON alarm(state, seq);
CREATE TABLE journal (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  alarm INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  event TEXT NOT NULL,
  who   TEXT NOT NULL,
  note  TEXT NOT NULL,
  after TEXT NOT NULL
) STRICT;
CREATE INDEX journal_alarm ON journal(alarm, seq);
CREATE TABLE early (
  asset TEXT NOT NULL,
  key   TEXT NOT NULL,
  at    INTEGER NOT NULL,
  PRIMARY KEY (asset, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE mark (
  edge  TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  PRIMARY KEY (edge, epoch, first)
) STRICT, WITHOUT ROWID;
`

// A label is never deleted: ended says when it was replaced or withdrawn, 0
// while it is valid. of is the other alarm of a duplicate, 0 for other verdicts.
const schema2 = `
CREATE TABLE label (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  alarm    INTEGER NOT NULL,
  asset    TEXT NOT NULL,
  detector TEXT NOT NULL,
  verdict  TEXT NOT NULL,
  of       INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  body     TEXT NOT NULL,
  ended    INTEGER NOT NULL,
  ended_by TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX label_alarm ON label(alarm) WHERE ended = 0;
CREATE INDEX label_asset ON label(asset, id) WHERE ended = 0;
`

// tally is how many records of a block of 64 numbers are in the book, and how many
// findings they had.
const schema3 = `
CREATE TABLE tally (
  edge     TEXT NOT NULL,
  epoch    INTEGER NOT NULL,
  block    INTEGER NOT NULL,
  records  INTEGER NOT NULL,
  findings INTEGER NOT NULL,
  PRIMARY KEY (edge, epoch, block)
) STRICT, WITHOUT ROWID;
`

// steps lead from each format of the file (PRAGMA user_version) to the next.
func steps() []string { return []string{schema1, schema2, schema3} }
