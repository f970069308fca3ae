#include <dlfcn.h>
#include <stdio.h>
typedef struct sqlite3 sqlite3;
static int print_row(void *unused, int n, char **values, char **names) {
  (void)unused; (void)n; (void)names;
  printf("%s\n", values[0]);
  return 0;
}
int main(int argc, char **argv) {
  (void)argc;
  void *lib = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!lib) { printf("%s\n", dlerror()); return 3; }
  int (*open)(const char *, sqlite3 **) = (int (*)(const char *, sqlite3 **))dlsym(lib, "my_open");
  int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **)) =
      (int (*)(sqlite3 *, const char *, int (*)(void *, int, char **, char **)))dlsym(lib, "my_exec");
  sqlite3 *db = 0;
  printf("open %d\n", open(argv[2], &db));
  exec(db, "CREATE TABLE IF NOT EXISTS t(x)", 0);
  exec(db, "SELECT count(*) FROM t", print_row);
  return 0;
}
