/* A library that hands opens on by a tail call, so that the return address is
 * that of its own caller. */
#include "sqlite.h"
int my_open(const char *name, sqlite3 **db) { return sqlite3_open(name, db); }
int my_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **)) {
  return sqlite3_exec(db, sql, row, 0, 0);
}
