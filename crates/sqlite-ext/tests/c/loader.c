/* A program that loads the extension the C way: loader LIBRARY SQL...
 * Each SQL runs on the connection that loaded it; "later" goes on with a new
 * connection, "close" closes the one in use, "fork" goes on in a child. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
typedef struct sqlite3 sqlite3;
int sqlite3_open_v2(const char *, sqlite3 **, int, const char *);
int sqlite3_close(sqlite3 *);
int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
int sqlite3_load_extension(sqlite3 *, const char *, const char *, char **);
int sqlite3_enable_load_extension(sqlite3 *, int);
void *sqlite3_vfs_find(const char *);

static int print_row(void *unused, int n, char **values, char **names) {
  (void)unused; (void)names;
  for (int i = 0; i < n; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *error = 0;
  int flags = 0x46; /* READWRITE | CREATE | URI */
  setvbuf(stdout, 0, _IONBF, 0);
  if (sqlite3_open_v2(":memory:", &db, flags, 0)) return 2;
  sqlite3_enable_load_extension(db, 1);
  void *before = sqlite3_vfs_find(0);
  int rc = sqlite3_load_extension(db, argv[1], 0, &error);
  printf("load %d %s\n", rc, error ? error : "");
  if (rc) return 0;
  printf("default vfs %s\n", sqlite3_vfs_find(0) == before ? "kept" : "changed");
  for (int i = 2; i < argc; i++) {
    if (!strcmp(argv[i], "later")) {
      rc = sqlite3_open_v2(":memory:", &db, flags, 0);
      if (rc) printf("open %d\n", rc);
    } else if (!strcmp(argv[i], "close")) {
      printf("close %d\n", sqlite3_close(db));
    } else if (!strcmp(argv[i], "fork")) {
      /* The child goes on; the parent waits for it. */
      pid_t child = fork();
      if (child == 0) continue;
      int status = 0;
      waitpid(child, &status, 0);
      printf("child ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
      break;
    } else {
      rc = sqlite3_exec(db, argv[i], print_row, 0, &error);
      if (rc) printf("error %d: %s\n", rc, error ? error : "");
    }
  }
  return 0;
}
