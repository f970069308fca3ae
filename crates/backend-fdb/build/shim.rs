//! The source of the static library.

/// Functions that every libfdb_c from 7.1 on has, and that are called.
const NEEDED: &str = "
    str fdb_get_error(int)
    num fdb_error_predicate(int, int)
    num fdb_get_max_api_version()
    str fdb_get_client_version()
    int fdb_network_set_option(int, ptr, int)
    int fdb_setup_network()
    int fdb_run_network()
    int fdb_stop_network()
    void fdb_future_destroy(ptr)
    num fdb_future_is_ready(ptr)
    int fdb_future_set_callback(ptr, fun, ptr)
    int fdb_future_get_error(ptr)
    int fdb_future_get_int64(ptr, ptr)
    int fdb_future_get_key(ptr, ptr, ptr)
    int fdb_future_get_value(ptr, ptr, ptr, ptr)
    int fdb_future_get_keyvalue_array(ptr, ptr, ptr, ptr)
    int fdb_future_get_key_array(ptr, ptr, ptr)
    int fdb_future_get_string_array(ptr, ptr, ptr)
    int fdb_create_database(ptr, ptr)
    void fdb_database_destroy(ptr)
    int fdb_database_set_option(ptr, int, ptr, int)
    int fdb_database_create_transaction(ptr, ptr)
    void fdb_transaction_destroy(ptr)
    void fdb_transaction_cancel(ptr)
    int fdb_transaction_set_option(ptr, int, ptr, int)
    void fdb_transaction_set_read_version(ptr, i64)
    ptr fdb_transaction_get_read_version(ptr)
    ptr fdb_transaction_get(ptr, ptr, int, int)
    ptr fdb_transaction_get_key(ptr, ptr, int, int, int, int)
    ptr fdb_transaction_get_addresses_for_key(ptr, ptr, int)
    ptr fdb_transaction_get_range(ptr, ptr, int, int, int, ptr, int, int, int, int, int, int, int, int, int)
    void fdb_transaction_set(ptr, ptr, int, ptr, int)
    void fdb_transaction_atomic_op(ptr, ptr, int, ptr, int, int)
    void fdb_transaction_clear(ptr, ptr, int)
    void fdb_transaction_clear_range(ptr, ptr, int, ptr, int)
    ptr fdb_transaction_watch(ptr, ptr, int)
    ptr fdb_transaction_commit(ptr)
    int fdb_transaction_get_committed_version(ptr, ptr)
    ptr fdb_transaction_get_approximate_size(ptr)
    ptr fdb_transaction_get_versionstamp(ptr)
    ptr fdb_transaction_on_error(ptr, int)
    void fdb_transaction_reset(ptr)
    int fdb_transaction_add_conflict_range(ptr, ptr, int, ptr, int, int)
    ptr fdb_transaction_get_estimated_range_size_bytes(ptr, ptr, int, ptr, int)
    ptr fdb_transaction_get_range_split_points(ptr, ptr, int, ptr, int, i64)
";

/// Functions that the crate `foundationdb` names, or that not every version has. Without
/// them an error, or nothing, is answered.
const OPTIONAL: &str = "
    int fdb_create_database_from_connection_string(ptr, ptr)
    int fdb_future_get_mappedkeyvalue_array(ptr, ptr, ptr, ptr)
    ptr fdb_transaction_get_mapped_range(ptr, ptr, int, int, int, ptr, int, int, int, ptr, int, int, int, int, int, int, int)
    ptr fdb_database_get_client_status(ptr)
    f64 fdb_database_get_main_thread_busyness(ptr)
    int fdb_database_open_tenant(ptr, ptr, int, ptr)
    int fdb_tenant_create_transaction(ptr, ptr)
    void fdb_tenant_destroy(ptr)
";

const HEAD: &str = r#"
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* api_function_missing, as libfdb_c's own shim answers. */
#define MISSING 2204

static void *select_api_version;

static int fail(char *message, size_t room, const char *text) {
    if (room > 0) {
        strncpy(message, text, room - 1);
        message[room - 1] = 0;
    }
    return 1;
}
"#;

const LOAD: &str = r#"
/* Opens the library and finds its functions: 0, or not and a message. To be called
   by one thread at a time, before any of the functions; again after a failure. */
int hozo_fdb_load(const char *path, char *message, size_t room) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    size_t i;
    if (!library) {
        const char *text = dlerror();
        return fail(message, room, text ? text : "it cannot be opened");
    }
    select_api_version = dlsym(library, "fdb_select_api_version_impl");
    if (!select_api_version)
        return fail(message, room, "fdb_select_api_version_impl");
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        slots[i] = dlsym(library, names[i]);
        if (!slots[i] && i < NEEDED)
            return fail(message, room, names[i]);
    }
    return 0;
}

/* Whether a function of which not every version has it is there. */
int hozo_fdb_has(const char *name) {
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return slots[i] != NULL;
    return 0;
}

int fdb_get_max_api_version(void);

/* The declarations that this is linked with are those of the newest version. An
   older library refuses them, though all that is called is the same. */
int fdb_select_api_version_impl(int runtime, int header) {
    int newest = fdb_get_max_api_version();
    if (!select_api_version)
        return MISSING;
    if (header > newest)
        header = newest;
    return ((int (*)(int, int))select_api_version)(runtime, header);
}
"#;

fn c_type(name: &str) -> &'static str {
    match name {
        "void" => "void",
        // An int that is no error: a number, or yes and no.
        "int" | "num" => "int",
        "i64" => "int64_t",
        "f64" => "double",
        "str" => "const char *",
        "fun" => "void (*)(void *, void *)",
        "ptr" => "void *",
        other => panic!("no C type is called {other}"),
    }
}

/// A parameter; a pointer to a function has its name inside.
fn parameter(name: &str, n: usize) -> String {
    match name {
        "fun" => format!("void (*a{n})(void *, void *)"),
        _ => format!("{} a{n}", c_type(name)),
    }
}

/// The function in C, and its name.
fn function(line: &str, slot: usize) -> (String, String) {
    let wrong = || -> ! { panic!("not a declaration: {line}") };
    let Some((result, rest)) = line.split_once(' ') else { wrong() };
    let Some((name, types)) = rest.trim_end_matches(')').split_once('(') else { wrong() };
    let types: Vec<&str> = types.split(", ").filter(|t| !t.is_empty()).collect();
    let declared: Vec<String> = types.iter().zip(0..).map(|(t, n)| parameter(t, n)).collect();
    let cast: Vec<&str> = types.iter().map(|t| c_type(t)).collect();
    let passed: Vec<String> = (0..types.len()).map(|n| format!("a{n}")).collect();
    let list = |parts: Vec<String>| if parts.is_empty() { "void".into() } else { parts.join(", ") };
    let (declared, cast) = (list(declared), list(cast.iter().map(|t| t.to_string()).collect()));
    let c_result = c_type(result);
    let missing = match result {
        "void" => "return;",
        "int" => "return MISSING;",
        "f64" | "num" => "return 0;",
        "str" => "return \"no client library of FoundationDB is loaded\";",
        _ => "return NULL;",
    };
    let passed = passed.join(", ");
    let call = format!("(({c_result} (*)({cast}))slots[{slot}])({passed});");
    let call = if result == "void" { call } else { format!("return {call}") };
    let text = format!(
        "{c_result} {name}({declared}) {{\n    if (!slots[{slot}])\n        {missing}\n    {call}\n}}\n"
    );
    (text, name.to_owned())
}

pub(super) fn source() -> String {
    let lines = |text: &'static str| text.lines().map(str::trim).filter(|line| !line.is_empty());
    let needed = lines(NEEDED).count();
    let functions: Vec<(String, String)> =
        lines(NEEDED).chain(lines(OPTIONAL)).zip(0..).map(|(l, n)| function(l, n)).collect();
    let names: Vec<String> = functions.iter().map(|(_, name)| format!("    \"{name}\",")).collect();
    let bodies: Vec<&str> = functions.iter().map(|(text, _)| text.as_str()).collect();
    format!(
        "{HEAD}\n#define NEEDED {needed}\nstatic const char *const names[] = {{\n{}\n}};\n\
         static void *slots[sizeof names / sizeof names[0]];\n{LOAD}\n{}",
        names.join("\n"),
        bodies.join("\n")
    )
}
