/* A program that uses SQLite as its arguments say, one action after another,
 * and prints what each came to. Built in several ways; see the tests. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sqlite.h"

static sqlite3 *db;

static int print_row(void *unused, int n, char **values, char **names) {
  (void)unused; (void)names;
  for (int i = 0; i < n; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

static void opened(const char *how, int rc) {
  printf("%s %d", how, rc);
  if (rc) printf(" errcode %d: %s", sqlite3_errcode(db), sqlite3_errmsg(db));
  printf("\n");
  if (!rc) sqlite3_busy_timeout(db, 60000);
}

static void run(const char *sql) {
  char *error = 0;
  int rc = sqlite3_exec(db, sql, print_row, 0, &error);
  if (rc) printf("error %d: %s\n", rc, error ? error : "");
}

static int entries(const char *path) {
  int n = 0;
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.';
  if (dir) closedir(dir);
  return n;
}

static void *insert(void *name) {
  sqlite3 *mine;
  long failures = sqlite3_open(name, &mine) != 0;
  sqlite3_busy_timeout(mine, 60000);
  for (int i = 0; i < 10 && !failures; i++)
    failures += sqlite3_exec(mine, "INSERT INTO t VALUES (1)", 0, 0, 0) != 0;
  sqlite3_close(mine);
  return (void *)failures;
}

static void threads(int n, char *name) {
  pthread_t ids[64];
  long failures = 0;
  for (int i = 0; i < n; i++) pthread_create(&ids[i], 0, insert, name);
  for (int i = 0; i < n; i++) {
    void *failed;
    pthread_join(ids[i], &failed);
    failures += (long)failed;
  }
  printf("failures %ld\n", failures);
}

static void open16(const char *name) {
  /* ASCII in, UTF-16 of this machine out. */
  uint16_t wide[256] = {0};
  for (int i = 0; name[i] && i < 255; i++) wide[i] = (unsigned char)name[i];
  opened("open16", sqlite3_open16(wide, &db));
}

int probe_main(int argc, char **argv) {
  setvbuf(stdout, 0, _IONBF, 0);
  for (int i = 1; i < argc; i++) {
    const char *action = argv[i];
    if (!strcmp(action, "version")) printf("version %s\n", sqlite3_libversion());
    else if (!strcmp(action, "open")) opened("open", sqlite3_open(argv[++i], &db));
    else if (!strcmp(action, "open16")) open16(argv[++i]);
    else if (!strcmp(action, "open_v2")) {
      const char *name = argv[++i];
      int flags = (int)strtol(argv[++i], 0, 0);
      const char *vfs = argv[++i];
      opened("open_v2", sqlite3_open_v2(name, &db, flags, *vfs ? vfs : 0));
    } else if (!strcmp(action, "close")) printf("close %d\n", sqlite3_close(db));
    else if (!strcmp(action, "errmsg")) printf("errmsg %s\n", sqlite3_errmsg(db));
    else if (!strcmp(action, "counts")) printf("threads %d files %d\n", entries("/proc/self/task"), entries("/proc/self/fd"));
    else if (!strcmp(action, "threads")) { int n = atoi(argv[++i]); threads(n, argv[++i]); }
    else if (!strcmp(action, "chdir")) printf("chdir %d\n", chdir(argv[++i]));
    else if (!strcmp(action, "default")) {
      /* Makes a VFS the default one, or says whether it still is. */
      const char *name = argv[++i];
      sqlite3_vfs *vfs = sqlite3_vfs_find(name);
      if (sqlite3_vfs_find(0) == vfs) printf("%s is the default\n", name);
      else printf("default %d\n", vfs ? sqlite3_vfs_register(vfs, 1) : -1);
    } else if (!strcmp(action, "vfs")) {
      const char *name = argv[++i];
      printf("vfs %s %s\n", name, sqlite3_vfs_find(name) ? "yes" : "no");
    } else if (!strcmp(action, "backup-into-it")) {
      /* What a program does that does not look at the open's answer. */
      sqlite3 *source = 0;
      sqlite3_open(":memory:", &source);
      sqlite3_exec(source, "CREATE TABLE t(x)", 0, 0, 0);
      sqlite3_backup *backup = sqlite3_backup_init(db, "main", source, "main");
      int step = backup ? sqlite3_backup_step(backup, -1) : -1;
      int finish = backup ? sqlite3_backup_finish(backup) : -1;
      printf("backup %s\n", step == 101 && finish == 0 ? "done" : "refused");
    } else if (!strcmp(action, "fork")) {
      /* The child goes on with the next actions; the parent waits for it. */
      fflush(stdout);
      pid_t child = fork();
      if (child == 0) { printf("child\n"); continue; }
      int status = 0;
      waitpid(child, &status, 0);
      printf("child ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
      break;
    } else if (!strcmp(action, "in-child")) {
      /* Only the next action, or open with its name, and in a child. */
      fflush(stdout);
      pid_t child = fork();
      int taken = !strcmp(argv[i + 1], "open") || !strcmp(argv[i + 1], "sql") ? 2 : 1;
      if (child == 0) {
        char *sub[4] = {argv[0], argv[i + 1], taken > 1 ? argv[i + 2] : 0, 0};
        exit(probe_main(1 + taken, sub));
      }
      i += taken;
      int status = 0;
      waitpid(child, &status, 0);
      printf("child ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    } else if (!strcmp(action, "clearenv")) clearenv();
    else if (!strcmp(action, "sql")) run(argv[++i]);
    else { printf("unknown action %s\n", action); return 2; }
  }
  return 0;
}
