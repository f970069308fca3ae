/* Loads a plug-in that has the probe in it: host PLUGIN [deep] ACTIONS...
 * With a symbol HOST_VERSION, the host is linked with an SQLite itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#ifdef HOST_VERSION
#include "sqlite.h"
#endif
int main(int argc, char **argv) {
#ifdef HOST_VERSION
  printf("host has %s\n", sqlite3_libversion());
  fflush(stdout);
#endif
  int deep = argc > 2 && !strcmp(argv[2], "deep");
  int rounds = argc > 2 && !strcmp(argv[2], "twice") ? 2 : 1;
  int skip = deep || rounds == 2;
  int rc = 0;
  for (int i = 0; i < rounds; i++) {
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | (deep ? RTLD_DEEPBIND : 0));
    if (!plugin) { printf("%s\n", dlerror()); return 3; }
    int (*probe)(int, char **) = (int (*)(int, char **))dlsym(plugin, "probe_main");
    if (!probe) { printf("%s\n", dlerror()); return 3; }
    rc |= probe(argc - 1 - skip, argv + 1 + skip);
    /* A deep plug-in stays: threads of a store may be in it. */
    if (!deep) dlclose(plugin);
  }
  return rc;
}
