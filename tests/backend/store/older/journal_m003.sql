CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'journal','m001_events','2026-02-01 09:00:00+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'journal','m002_leases','2026-02-01 09:00:00+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'journal','m003_progress','2026-02-01 09:00:00+00:00');
CREATE TABLE "events" (
   "seq" INTEGER PRIMARY KEY,
   "id" TEXT NOT NULL,
   "rev" INTEGER NOT NULL,
   "kind" TEXT NOT NULL,
   "actor" TEXT NOT NULL,
   "body" TEXT NOT NULL,
   "client_time" TEXT NOT NULL,
   "server_time" TEXT NOT NULL,
   "schema_version" INTEGER NOT NULL,
   "prev_hash" TEXT NOT NULL,
   "hash" TEXT NOT NULL
) STRICT;
CREATE TABLE "leases" (
   "study_id" TEXT,
   "item_id" TEXT,
   "rater" TEXT,
   "until" REAL NOT NULL,
   PRIMARY KEY ("study_id", "item_id", "rater")
) STRICT;
CREATE TABLE "progress" (
   "job_id" TEXT PRIMARY KEY,
   "body" TEXT NOT NULL,
   "at" TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX "idx_events_kind_id_rev"
    ON "events" ("kind", "id", "rev");
CREATE TRIGGER events_no_update before update on events begin select raise(abort, 'the journal is append-only'); end;
CREATE TRIGGER events_no_delete before delete on events begin select raise(abort, 'the journal is append-only'); end;
