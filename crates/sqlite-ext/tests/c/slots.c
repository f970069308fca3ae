/* Where the functions are that the extension takes from the table. */
#define SQLITE_CORE 1
#include <stddef.h>
#include <stdio.h>
#include "sqlite3ext.h"
#define SLOT(name) printf("%s %zu\n", #name, offsetof(struct sqlite3_api_routines, name) / sizeof(void *))
int main(void) {
  SLOT(malloc);
  SLOT(auto_extension);
  return 0;
}
