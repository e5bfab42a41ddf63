package notify

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"millwright/plant/disk"
)

// Times are ns UTC, 0 where it has not happened. doc.go says what the rows mean.
const schema = `
CREATE TABLE desk (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  name   TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  first  INTEGER NOT NULL
) STRICT;
CREATE TABLE roster (
  revision INTEGER PRIMARY KEY,
  saved    INTEGER NOT NULL,
  saved_by TEXT NOT NULL,
  note     TEXT NOT NULL,
  body     TEXT NOT NULL
) STRICT;
CREATE TABLE episode (
  alarm  INTEGER PRIMARY KEY,
  state  TEXT NOT NULL,
  number INTEGER NOT NULL,
  step   INTEGER NOT NULL,
  lap    INTEGER NOT NULL,
  due    INTEGER NOT NULL,
  recurs TEXT NOT NULL,
  damped INTEGER NOT NULL,
  body   TEXT NOT NULL
) STRICT;
CREATE INDEX episode_due ON episode(due) WHERE due > 0;
CREATE TABLE message (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  key      TEXT NOT NULL UNIQUE,
  alarm    INTEGER NOT NULL,
  episode  INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  purpose  TEXT NOT NULL,
  step     INTEGER NOT NULL,
  lap      INTEGER NOT NULL,
  person   TEXT NOT NULL,
  channel  TEXT NOT NULL,
  address  TEXT NOT NULL,
  language TEXT NOT NULL,
  priority INTEGER NOT NULL,
  cause    TEXT NOT NULL,
  state    TEXT NOT NULL,
  hold     TEXT NOT NULL,
  held     INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  created  INTEGER NOT NULL,
  since    INTEGER NOT NULL,
  due      INTEGER NOT NULL,
  handed   INTEGER NOT NULL,
  sent     INTEGER NOT NULL,
  tries    INTEGER NOT NULL,
  fell     INTEGER NOT NULL,
  instead  INTEGER NOT NULL,
  error    TEXT NOT NULL,
  subject  TEXT NOT NULL,
  text     TEXT NOT NULL
) STRICT;
CREATE INDEX message_pending ON message(channel, due) WHERE state = 'pending';
CREATE INDEX message_state ON message(state, due);
CREATE INDEX message_handed ON message(person, handed) WHERE handed > 0;
CREATE INDEX message_cause ON message(cause, created);
CREATE INDEX message_instead ON message(instead) WHERE instead > 0;
CREATE INDEX message_step ON message(alarm, episode);
CREATE TABLE told (
  message INTEGER NOT NULL,
  alarm   INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (message, alarm)
) STRICT, WITHOUT ROWID;
CREATE INDEX told_alarm ON told(alarm);
CREATE TABLE link (
  hash    BLOB PRIMARY KEY,
  message INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE code (
  phone   TEXT NOT NULL,
  code    TEXT NOT NULL,
  message INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (phone, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE wrong (
  phone TEXT NOT NULL,
  at    INTEGER NOT NULL
) STRICT;
CREATE INDEX wrong_phone ON wrong(phone, at);
CREATE TABLE channel (
  name      TEXT PRIMARY KEY,
  sent      INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  dead      INTEGER NOT NULL,
  last_sent INTEGER NOT NULL,
  error     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE beat (
  team TEXT PRIMARY KEY,
  slot INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The name begins every key: what another plant sends, or this one after its
-- folder was lost, has other keys.
INSERT INTO desk VALUES (1, lower(hex(randomblob(4))), 0, 1);
`

// escalation keeps what a ladder needs that goes on when a condition comes back.
const escalation = `
ALTER TABLE episode ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE episode ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE episode ADD COLUMN acked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX episode_again ON episode(again) WHERE again > 0;
`

// guesses tells wrong codes from answers in which is none.
const guesses = `
ALTER TABLE wrong ADD COLUMN coded INTEGER NOT NULL DEFAULT 1;
`

// openSecret reads the key that links are made with, or makes one. It is not in
// the database: whoever reads that can use no link.
func openSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, "link.key")
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == 32:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("notify: %s is not a key of 32 bytes; remove it, links sent before will not open", path)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("notify: %w", err)
	}
	key = make([]byte, 32)
	rand.Read(key)
	if err := disk.Replace(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return key, nil
}
