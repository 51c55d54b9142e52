-- The chart: tables made from facts. Rules: docs/facts.md. A `record` is packed by src/chart/records.c.
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- FHIR resources as they came, to be given back whole. The content with the greatest key, and the greatest key of a deletion
-- (gone_entry -1: none): it is deleted when that one is the greater. subject: whose it is, 0: nobody's.
CREATE TABLE resource (
    type TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL, subject INTEGER NOT NULL,
    sure INTEGER NOT NULL, said INTEGER NOT NULL, clock INTEGER NOT NULL, entry INTEGER NOT NULL,
    gone_sure INTEGER NOT NULL, gone_said INTEGER NOT NULL, gone_clock INTEGER NOT NULL, gone_entry INTEGER NOT NULL,
    json BLOB,
    UNIQUE (type, id, source)
);
CREATE INDEX resource_subject ON resource (subject, type, id);

-- A patient number, and everything that was said under it. person: the survivor's subject; its own id when never merged.
CREATE TABLE subject (
    id INTEGER PRIMARY KEY,
    authority TEXT NOT NULL, type TEXT NOT NULL, number TEXT NOT NULL,
    person INTEGER NOT NULL,
    record BLOB NOT NULL,
    name INTEGER NOT NULL, -- the first 64 bits of chart_name_identifier
    UNIQUE (number, authority, type)
);
CREATE INDEX subject_name ON subject (name);
CREATE INDEX subject_person ON subject (person) WHERE person <> id;

-- Other numbers of a subject: of the stay it is not, of the State, of other systems.
CREATE TABLE alias (
    number TEXT NOT NULL, authority TEXT NOT NULL, type TEXT NOT NULL, subject INTEGER NOT NULL,
    PRIMARY KEY (number, authority, type, subject)
) WITHOUT ROWID;

-- A stay. A message that names none is about the implicit stay of its subject: number '', authority the subject's id.
CREATE TABLE visit (
    id INTEGER PRIMARY KEY,
    authority TEXT NOT NULL, type TEXT NOT NULL, number TEXT NOT NULL,
    subject INTEGER NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (number, authority, type)
);
CREATE INDEX visit_subject ON visit (subject);

CREATE TABLE edge (
    loser INTEGER NOT NULL, survivor INTEGER NOT NULL,
    sure INTEGER NOT NULL, said INTEGER NOT NULL, clock INTEGER NOT NULL, entry INTEGER NOT NULL,
    is_unlink INTEGER NOT NULL,
    PRIMARY KEY (loser, survivor)
) WITHOUT ROWID;
CREATE INDEX edge_survivor ON edge (survivor);

-- Persons whose merges do not agree: a cycle, or two survivors. reason is an index into merges.c's texts.
CREATE TABLE doubt (person INTEGER PRIMARY KEY, reason INTEGER NOT NULL);

-- Every statement of a result is kept; which one holds is decided at reading (rule 9).
CREATE TABLE report (
    subject INTEGER NOT NULL, reported_at INTEGER NOT NULL, entry INTEGER NOT NULL, part INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (subject, reported_at, entry, part)
) WITHOUT ROWID;

CREATE TABLE allergy (
    subject INTEGER NOT NULL, feed INTEGER NOT NULL, agent TEXT NOT NULL,
    sure INTEGER NOT NULL, said INTEGER NOT NULL, clock INTEGER NOT NULL, entry INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (subject, feed, agent)
) WITHOUT ROWID;

CREATE TABLE diagnosis (
    subject INTEGER NOT NULL, agent TEXT NOT NULL,
    sure INTEGER NOT NULL, said INTEGER NOT NULL, clock INTEGER NOT NULL, entry INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (subject, agent)
) WITHOUT ROWID;

CREATE TABLE document (
    subject INTEGER NOT NULL, document TEXT NOT NULL,
    sure INTEGER NOT NULL, said INTEGER NOT NULL, clock INTEGER NOT NULL, entry INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (subject, document)
) WITHOUT ROWID;

-- Every statement of an order, an event of medication, an appointment is kept; what they say together is worked out at
-- reading. kind: enum statement_kind.
CREATE TABLE statement (
    subject INTEGER NOT NULL, kind INTEGER NOT NULL, entry INTEGER NOT NULL, part INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (subject, kind, entry, part)
) WITHOUT ROWID;

CREATE TABLE feed (
    id INTEGER PRIMARY KEY, application TEXT NOT NULL, facility TEXT NOT NULL, record BLOB NOT NULL,
    UNIQUE (application, facility)
);

CREATE TABLE aside (
    entry INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, feed TEXT NOT NULL, type TEXT NOT NULL,
    reason TEXT NOT NULL, at INTEGER NOT NULL
);

-- Derived from the above at each commit, so that a page is one range of rows.
CREATE TABLE census (
    ward TEXT NOT NULL, room TEXT NOT NULL, bed TEXT NOT NULL, visit INTEGER NOT NULL,
    person INTEGER NOT NULL, touched_at INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (ward, room, bed, visit)
) WITHOUT ROWID;
CREATE INDEX census_person ON census (person);

CREATE TABLE word (
    word TEXT NOT NULL, person INTEGER NOT NULL,
    PRIMARY KEY (word, person)
) WITHOUT ROWID;
CREATE INDEX word_person ON word (person);
